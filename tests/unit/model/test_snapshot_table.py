"""Tests of `restic_reporter.model.snapshot_table`."""

import tracemalloc
from datetime import date, datetime
from typing import Any

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.concurrency.cooperative import at_once
from restic_reporter.model import snapshot_table
from restic_reporter.model.backup_sets import MAX_SETS, backup_days, history_of, with_history
from restic_reporter.model.columns import SLICE, Shape
from restic_reporter.model.snapshot_table import MAX_GROUPS, SnapshotTable
from restic_reporter.model.snapshots import Group, Latest, Snapshot, Summary
from tests.doubles.local_time import local_time
from tests.doubles.repositories import NOW, count_sets, latest_of, name, snapshot

DAY = 86400.0

NUMBERS = st.integers(0, 30)
SNAPSHOTS = st.dictionaries(
    NUMBERS,
    st.tuples(
        st.none() | st.floats(NOW - 1e4, NOW + 1e4),
        st.none() | st.sampled_from(["a", "b", "b\n", "b\r", "c" * 300, "c" * 301]),
        st.sampled_from(["u", "v"]),
    ),
)


def values(some: dict[int, tuple[float | None, str | None, str]]) -> list[Snapshot]:
    """Snapshots by number."""
    return [Snapshot(name(number), *rest) for number, rest in some.items()]


def reader(some: list[Snapshot]) -> SnapshotTable:
    """What is kept after these were read."""
    kept = SnapshotTable()
    kept.add(some, ())
    return kept


class SnapshotTableTests(SynchronousTestCase):
    """What is kept comes out as it went in."""

    @given(SNAPSHOTS, SNAPSHOTS, st.sets(NUMBERS))
    @settings(max_examples=200, deadline=None)
    def test_like_a_count_of_all(
        self,
        first: dict[int, tuple[float | None, str | None, str]],
        second: dict[int, tuple[float | None, str | None, str]],
        removed: set[int],
    ) -> None:
        """Adding, removing and counting gives what a count of the snapshots themselves does."""
        kept = reader(values(first))
        listed = frozenset(map(name, (first.keys() | second.keys()) - removed))
        gone, new = at_once(kept.keep(listed))
        self.assertEqual(set(gone), set(map(name, first.keys())) - listed)
        self.assertEqual(set(new), listed - set(map(name, first.keys())))
        kept.add([one for one in values(second) if one.id in new], ())
        expected = {one.id: one for one in values(second) + values(first) if one.id in listed}
        self.assertEqual(set(kept.ids()), set(expected))
        self.assertEqual(at_once(kept.content(NOW, ())), count_sets(expected.values(), NOW))

    def test_future(self) -> None:
        """A snapshot from the future becomes like any other when its time has come."""
        kept = reader([snapshot(1), snapshot(2, NOW + 5000)])
        self.assertEqual(at_once(kept.content(NOW, ())).future_count, 1)
        self.assertEqual(at_once(kept.content(NOW, ())).matures_at, NOW + 1400)
        self.assertEqual(at_once(kept.content(NOW + 1400, ())).future_count, 0)
        self.assertEqual(at_once(kept.content(NOW + 1400, ())).sets[0].newest, NOW + 5000)

    def test_flood_of_names(self) -> None:
        """Of 100,000 sets few names are kept; all are counted, and known ones are shown."""
        number = 100_000
        flood = [snapshot(each, host=f"host-{each}" + "x" * 240) for each in range(number)]
        kept = SnapshotTable()
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            kept.add(flood, ())
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        self.assertLess((after - before) / number, 150)
        last = Snapshot(name(number), NOW, "late", "u")
        kept.add([last], {("late", "u")})
        content = at_once(kept.content(NOW, {("late", "u")}))
        self.assertEqual(content.snapshot_count, number + 1)
        self.assertEqual(content.dropped_sets, number + 1 - MAX_SETS)
        self.assertIn("late", {one.host for one in content.sets})

    def test_names_after_a_flood(self) -> None:
        """When the flood has gone, the sets that had no room for their names are read again."""
        self.patch(snapshot_table, "_NAMED_LIMIT", 4)
        self.patch(snapshot_table, "_ROOM_AT", 2)
        some = [snapshot(each, host=f"h{each}") for each in range(6)]
        kept = reader(some)
        self.assertEqual(at_once(kept.content(NOW, ())).dropped_sets, 2)
        gone, new = at_once(kept.keep(frozenset(name(each) for each in (3, 4, 5))))
        self.assertEqual(set(gone), {name(each) for each in range(3)})
        self.assertEqual(set(new), {name(4), name(5)})
        kept.add(some[4:], ())
        content = at_once(kept.content(NOW, ()))
        self.assertEqual([one.host for one in content.sets], ["h3", "h4", "h5"])
        self.assertEqual((content.snapshot_count, content.dropped_sets), (3, 0))

    def test_long_names(self) -> None:
        """Names of any length take no more than a label, and stay apart."""
        some = [snapshot(each, host="x" * 100_000 + str(each)) for each in range(100)]
        tracemalloc.start()
        try:
            kept = reader(some)
            size, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        self.assertLess(size, 200_000)
        self.assertEqual(at_once(kept.content(NOW, ())), count_sets(some, NOW))

    def test_size(self) -> None:
        """A repository of a hundred snapshots takes less than 100 bytes for each, all included."""
        some = [snapshot(each, NOW - each, host=f"host-{each % 5}") for each in range(100)]
        fleet: list[SnapshotTable] = []
        tracemalloc.start()
        try:
            for _ in range(50):
                fleet.append(reader(some))
            size, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        self.assertLess(size / (50 * 100), 100)


def detailed(number: int, tags: str = "", paths: str = "", **options: Any) -> Snapshot:
    """A snapshot with details that belong to its number."""
    summary = Summary(number / 4, 2**52 + number, number, number, None, 2**32 - 2)
    return evolve(
        snapshot(number, NOW - 20_000 + number, **options),
        tags=tags,
        paths=paths,
        program_version=f"restic 0.{number}",
        summary=summary,
    )


class DetailsTests(SynchronousTestCase):
    """The details of the newest snapshots."""

    def latest(self, kept: SnapshotTable) -> Latest | None:
        """That of the only set."""
        (one,) = at_once(kept.content(NOW, ())).sets
        return one.latest

    def test_newest(self) -> None:
        """The newest snapshot has its details; when it is removed, the next one."""
        some = [detailed(number, tags=f"t{number}") for number in range(5)]
        kept = reader([some[3], some[4], some[0], some[1], some[2]])
        self.assertEqual(self.latest(kept), latest_of(some[4]))
        at_once(kept.keep(frozenset(name(number) for number in range(4))))
        self.assertEqual(self.latest(kept), latest_of(some[3]))

    def test_same_time(self) -> None:
        """Of two newest of one time it is the one with the higher id, in any order."""
        some = [evolve(detailed(number), time=NOW) for number in (1, 2)]
        self.assertEqual(self.latest(reader(some)), self.latest(reader(some[::-1])))

    def test_no_future(self) -> None:
        """A future snapshot is not the newest one."""
        some = [detailed(1), evolve(detailed(2), time=NOW + 7200), evolve(detailed(3), time=None)]
        self.assertEqual(self.latest(reader(some)), latest_of(some[0]))

    def test_many_tags(self) -> None:
        """With tags that never repeat, those of each set's newest snapshot are kept."""
        self.patch(snapshot_table, "_INFOS_CLEANUP", 10)
        kept = SnapshotTable()
        for number in range(100):
            kept.add([detailed(number, tags=f"t{number}", host=f"h{number % 3}")], ())
        sets = at_once(kept.content(NOW, ())).sets
        self.assertEqual(
            [one.latest for one in sets],
            [latest_of(detailed(number, tags=f"t{number}")) for number in (99, 97, 98)],
        )
        tracemalloc.start()
        try:
            kept = SnapshotTable()
            for start in range(0, 50_000, 5000):
                kept.add(
                    [
                        detailed(number, tags=f"{number:0200}")
                        for number in range(start, start + 5000)
                    ],
                    (),
                )
            size, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        self.assertLess(size / 50_000, 140)

    def test_history(self) -> None:
        """The history has the backups of 400 days, also those removed since; it has seconds."""
        some = [
            snapshot(1, NOW - 401 * DAY), snapshot(2, NOW - 399 * DAY), snapshot(3, NOW - DAY + 0.5)
        ]  # fmt: skip
        kept = reader(some)
        before = at_once(kept.content(NOW, ()))
        self.assertEqual(list(before.sets[0].history), [NOW - 399 * DAY, NOW - DAY])
        at_once(kept.keep(frozenset((name(3),))))
        now = at_once(kept.content(NOW, ()))
        self.assertEqual(list(now.sets[0].history), [NOW - DAY])
        (one,) = at_once(with_history(now, before, NOW)).sets
        self.assertEqual(list(one.history), [NOW - 399 * DAY, NOW - DAY])
        self.assertEqual(one.known_since, NOW - 399 * DAY)
        (one,) = at_once(with_history(now, before, NOW + 2 * DAY)).sets
        self.assertEqual(list(one.history), [NOW - DAY])

    def test_longest_history(self) -> None:
        """Only the newest 10,000 backups of a set are in its history."""
        history = history_of([NOW - 10 * number for number in range(10_001)], NOW)
        self.assertEqual(len(history), 10_000)
        self.assertEqual(history[-1], NOW)

    def test_past(self) -> None:
        """A set without snapshots has a past, until it is back, or forgotten after 400 days."""
        kept = reader([snapshot(1, NOW - DAY), snapshot(2, NOW - DAY, host="other")])
        before = at_once(with_history(at_once(kept.content(NOW, ())), None, NOW))
        at_once(kept.keep(frozenset((name(1),))))
        content = at_once(kept.content(NOW, ()))
        later = at_once(with_history(content, before, NOW))
        self.assertEqual({who: list(one) for who, one in later.past.items()}, {
            ("other", before.sets[0].user): [NOW - DAY]
        })  # fmt: skip
        back = at_once(with_history(before, later, NOW))
        self.assertEqual(back, before)
        self.assertEqual(at_once(with_history(content, later, NOW + 400 * DAY)).past, {})

    def test_days(self) -> None:
        """Days are local ones, each counted once, also when clocks change."""
        with local_time("Europe/Berlin"):
            noon = datetime(2026, 3, 29, 12).timestamp()
            times = [
                datetime(2026, 3, 29, 0, 30), datetime(2026, 3, 28, 23, 59),
                datetime(2026, 3, 28, 0, 0), datetime(2026, 3, 22, 12), datetime(2025, 3, 30, 1),
                datetime(2025, 3, 20, 1),
            ]  # fmt: skip
            days = backup_days([time.timestamp() for time in times], noon)
        today = date(2026, 3, 29).toordinal()
        self.assertEqual([days.count(window, today) for window in (7, 8, 30, 365)], [2, 3, 3, 4])
        self.assertEqual(
            [days.count(7, today + later) for later in (1, 5, 6, 7, 400)], [2, 2, 1, 0, 0]
        )


class GroupTests(SynchronousTestCase):
    """Groups by paths and tags."""

    SOME = (
        detailed(1, "x", "/a"), detailed(2, "x", "/b"), detailed(3, "y", "/a"),
        evolve(detailed(4, "y", "/a"), time=None),
    )  # fmt: skip

    def groups(self, *group_by: str) -> tuple[Group, ...]:
        """Those of the only set."""
        kept = SnapshotTable(Shape(group_by))
        kept.add(self.SOME, ())
        (one,) = at_once(kept.content(NOW, ())).sets
        return one.groups

    def test_group_by(self) -> None:
        """Groups are told apart by paths, tags or both."""
        newest = [NOW - 20_000 + number for number in range(5)]
        self.assertEqual(self.groups(), ())
        self.assertEqual(
            self.groups("paths"), (Group("/a", "", 3, newest[3]), Group("/b", "", 1, newest[2]))
        )
        self.assertEqual(
            self.groups("tags"), (Group("", "x", 2, newest[2]), Group("", "y", 2, newest[3]))
        )
        self.assertEqual(
            self.groups("paths", "tags"),
            (
                Group("/a", "x", 1, newest[1]), Group("/a", "y", 2, newest[3]),
                Group("/b", "x", 1, newest[2]),
            ),
        )  # fmt: skip

    def test_limit(self) -> None:
        """A repository shows its 1,000 largest groups, and takes little memory for more."""
        flood = [detailed(number, paths=f"/{number:0200}") for number in range(10_000)]
        kept = SnapshotTable(Shape(("paths",)))
        tracemalloc.start()
        try:
            kept.add([*self.SOME[:2], *flood[3:]], ())
            size, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        kept.add([detailed(10_001, paths="/a")], ())
        content = at_once(kept.content(NOW, ()))
        groups = [group for one in content.sets for group in one.groups]
        self.assertEqual(len(groups), MAX_GROUPS)
        self.assertIn(Group("/a", "", 2, NOW - 20_000 + 10_001), groups)
        self.assertEqual(content.dropped_groups, 3000)
        self.assertLess(size / 10_000, 250)


class NewestTests(SynchronousTestCase):
    """Tests for the newest snapshots."""

    def page(self, table: SnapshotTable, start: int, count: int) -> list[str | None]:
        """The ids of these rows."""
        return [one.id for one in at_once(table.newest(start, count))]

    def test_pages(self) -> None:
        """Newest first across all slices, invalid ones last, and nothing beyond the end."""
        number = 2 * SLICE + 3
        table = reader([snapshot(n, NOW + (n * 7919) % number) for n in range(number)])
        table.add([snapshot(number, None)], ())
        order = sorted(range(number), key=lambda n: -((n * 7919) % number))
        ids = [*map(name, order), name(number)]
        for start in (0, 5, SLICE, number - 1, number + 1, number + 100):
            self.assertEqual(self.page(table, start, 3), ids[start : start + 3])

    def test_values(self) -> None:
        """Each has all that is known of it, in values that can be shown."""
        table = SnapshotTable(Shape(("paths",)))
        summary = Summary(1.5, 2, 3, 4, 5, 6)
        table.add([Snapshot(name(1), NOW, "h\n", "\udcff", "/a,/b", "t", "v", summary)], ())
        table.add([snapshot(2, None, None)], ())
        first, last = at_once(table.newest(0, 9))
        self.assertEqual(
            first, Snapshot(name(1), NOW, "h\ufffd", "\ufffd", "/a,/b", "t", "v", summary)
        )
        self.assertEqual((last.id, last.time, last.host), (name(2), None, None))

    def test_change_meanwhile(self) -> None:
        """Snapshots that come or go between two steps do not mix up the rows."""
        table = reader([snapshot(n, NOW + n, f"h{n}") for n in range(10)])
        steps = table.newest(0, 3)
        next(steps)
        at_once(table.keep(frozenset([name(3)])))
        table.add([snapshot(20, NOW + 20)], ())
        found = at_once(steps)
        self.assertEqual([one.host for one in found], ["h9", "h8", "h7"])
        self.assertEqual([one.id for one in found], [name(9), name(8), name(7)])
