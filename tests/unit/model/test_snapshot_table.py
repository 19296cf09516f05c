"""Tests of `restic_reporter.model.snapshot_table`."""

import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.concurrency.cooperative import at_once
from restic_reporter.model import snapshot_table
from restic_reporter.model.backup_sets import MAX_SETS
from restic_reporter.model.snapshot_table import SnapshotTable
from restic_reporter.model.snapshots import Snapshot
from tests.doubles.repositories import NOW, count_sets, name, snapshot

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
        self.assertLess((after - before) / number, 120)
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
