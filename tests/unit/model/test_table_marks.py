"""Tests of what `restic_reporter.model.snapshot_table` knows of snapshots beyond their times."""

from collections.abc import Iterable
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.concurrency.cooperative import at_once
from restic_reporter.model import snapshot_table
from restic_reporter.model.columns import Shape
from restic_reporter.model.snapshot_table import SnapshotTable
from restic_reporter.model.snapshots import NO_RATIOS, BackupSet, Content, Snapshot, Summary
from tests.doubles.repositories import name

NOW = 1_700_000_000.0
HOUR, DAY = 3600.0, 86400.0


def one(number: int, size: int = 100, paths: str = "/home", **values: Any) -> Snapshot:
    """A snapshot, the newer the greater its number."""
    summary = Summary(60.0, size, size, size, size, size)
    found = Snapshot(name(number), NOW + number, "h", "u", paths, summary=summary)
    return evolve(found, **values)


def table_of(some: Iterable[Snapshot], shape: Shape = Shape()) -> SnapshotTable:  # noqa: B008
    """A table of these snapshots."""
    table = SnapshotTable(shape)
    table.add(some, ())
    return table


def content(table: SnapshotTable) -> Content:
    """What the table counts."""
    return at_once(table.content(NOW + DAY, ()))


def the_set(table: SnapshotTable) -> BackupSet:
    """The only set."""
    [found] = content(table).sets
    return found


class RatiosTests(SynchronousTestCase):
    """Which snapshots the newest is compared with."""

    def ratio(self, some: Iterable[Snapshot]) -> float | None:
        """The newest one's size, divided by that of those before it."""
        rows = list(some)
        ratios = {the_set(table_of(order)).ratios for order in (rows, rows[::-1])}
        self.assertEqual(len(ratios), 1)
        [found] = ratios
        self.assertEqual(found.files, found.processed_bytes)
        return found.processed_bytes

    def test_ten_before(self) -> None:
        """It is compared with the median of the ten before it, not with older ones."""
        old = [one(number, 1) for number in range(20)]
        self.assertEqual(self.ratio([*old, *(one(20 + n) for n in range(10)), one(30, 50)]), 0.5)
        self.assertEqual(self.ratio([*old, *(one(20 + n) for n in range(4)), one(30, 50)]), 50)

    def test_too_few(self) -> None:
        """Nothing is known of a set with fewer than five before the newest."""
        self.assertIsNone(self.ratio(one(number) for number in range(5)))
        self.assertEqual(self.ratio(one(number) for number in range(6)), 1)
        self.assertEqual(the_set(table_of([evolve(one(1), summary=Summary())])).ratios, NO_RATIOS)

    def test_one_time(self) -> None:
        """Of snapshots with the same time ids decide, in whatever order they were read."""
        some = [one(number, 1 + number, time=NOW) for number in range(30)]
        self.assertIsNotNone(self.ratio(some))

    def test_paths_apart(self) -> None:
        """Of a host that backs up several paths one by one, only the same paths count."""
        homes = [one(2 * number) for number in range(12)]
        configs = [one(2 * number + 1, 1, "/etc") for number in range(12)]
        self.assertEqual(self.ratio([*homes, *configs]), 1)
        self.assertEqual(the_set(table_of([*homes, *configs])).path_lists, 2)
        new = one(99, 7, "/srv")
        self.assertIsNone(self.ratio([*homes, *configs, new]))

    def test_paths_few_of_each(self) -> None:
        """Different paths are not compared either if few snapshots of each are there."""
        for kept in (1, 2, 5):
            some = [
                one(3 * number + part, 10**part, f"/{part}")
                for number in range(kept)
                for part in range(3)
            ]
            self.assertIsNone(self.ratio(some))

    def test_paths_always_others(self) -> None:
        """If each snapshot has other paths, all of them count."""
        some = [one(number, paths=f"/mnt/{number}") for number in range(11)]
        self.assertEqual(self.ratio([*some, one(11, 10, "/mnt/11")]), 0.1)

    def test_future_ones(self) -> None:
        """Snapshots from the future are not compared with."""
        future = [one(number, 1, time=NOW + 30 * DAY) for number in range(20, 30)]
        self.assertEqual(self.ratio([*(one(number) for number in range(6)), *future]), 1)

    def test_too_many_paths(self) -> None:
        """Beyond a limit, lists of paths are not told apart."""
        self.patch(snapshot_table, "_MARKS_LIMIT", 3)
        some = [one(number, paths=f"/mnt/{number}") for number in range(9)]
        self.assertEqual(the_set(table_of(some)).path_lists, 4)


class BackdatedTests(SynchronousTestCase):
    """Snapshots whose time was given by hand or forged."""

    def count(self, snapshot: Snapshot, stored: float | None) -> int:
        """Whether this one counts, stored so many seconds after its time."""
        table = table_of([one(1), snapshot])
        times = {} if stored is None else {snapshot.id or "": (snapshot.time or 0) + stored}
        table.note_stored(times)
        return content(table).backdated_count

    def test_given_time(self) -> None:
        """One that says so itself counts, unless it was made from an older one."""
        self.assertEqual(self.count(one(2, dated=True), None), 1)
        self.assertEqual(self.count(one(2, dated=True, original=name(1)), None), 0)
        self.assertEqual(self.count(one(2), None), 0)

    def test_stored(self) -> None:
        """One that was stored before its time, or days after the end of its backup, counts."""
        long = evolve(one(2).summary, duration=5 * DAY)
        for snapshot, stored, expected in (
            (one(2), 60, 0),
            (one(2), -HOUR, 0),
            (one(2), -HOUR - 1, 1),
            (one(2), 2 * DAY + 60, 0),
            (one(2), 2 * DAY + 61, 1),
            (one(2, summary=long), 7 * DAY, 0),
            (one(2, summary=long), 7 * DAY + 1, 1),
            (one(2, original=name(1)), 70 * DAY, 0),
            (one(2, time=None), 70 * DAY, 0),
        ):
            self.assertEqual(self.count(snapshot, stored), expected, (snapshot, stored))

    def test_moved(self) -> None:
        """A repository that was copied there as a whole is no reason to suspect each snapshot."""
        moved = NOW + 30 * DAY
        for count, begun, expected in ((10, 0, 2), (9, 0, 11), (10, 1, 12)):
            old = [one(number) for number in range(1, count + 1)]
            others = [one(50, time=moved + 2 * DAY), one(51, time=moved - 40 * DAY)]
            table = table_of(old[:begun])
            table.confirm(frozenset())
            table.add([*old[begun:], *others, one(52, time=moved + 9 * DAY)], ())
            times = {name(number): moved + 3600 * number for number in range(1, count + 1)}
            # As it should be; and a day after the move.
            times |= {name(50): moved + 2 * DAY, name(51): moved + DAY + 3601}
            table.note_stored({**times, name(52): moved})
            self.assertEqual(content(table).backdated_count, expected - begun, count)

    def test_new_ones_only(self) -> None:
        """Only those that were not in the last successful read need their times."""
        table = table_of([one(1)])
        self.assertEqual(table.unconfirmed(), [name(1)])
        table.confirm(frozenset({name(1)}))
        self.assertEqual(table.unconfirmed(), [])
        table.add([one(2)], ())
        self.assertEqual(table.unconfirmed(), [name(2)])
        table.note_stored({name(1): 0.0, name(2): 0.0})
        self.assertEqual(content(table).backdated_count, 1)

    def test_kept(self) -> None:
        """It stays known while others come and go."""
        table = table_of([one(1, dated=True), one(2), one(3)])
        table.note_stored({name(3): 0.0})
        listed = frozenset({name(1), name(3), name(4)})
        at_once(table.keep(listed))
        table.add([one(4)], ())
        self.assertEqual(content(table).backdated_count, 2)


class RemovedTests(SynchronousTestCase):
    """How many snapshots one successful read found and the next did not."""

    def names(self, *numbers: int) -> frozenset[str]:
        """The names of snapshots."""
        return frozenset(map(name, numbers))

    def read(self, table: SnapshotTable, *numbers: int) -> None:
        """Do what a read does with a listing, up to its end."""
        _, new = at_once(table.keep(self.names(*numbers)))
        table.add([one(int(each, 16)) for each in new], ())

    def end(self, table: SnapshotTable, *numbers: int) -> int:
        """Read to a good end."""
        self.read(table, *numbers)
        return table.confirm(self.names(*numbers))

    def test_removed(self) -> None:
        """Those that are gone count once; the first read finds none removed."""
        table = SnapshotTable()
        self.assertEqual(self.end(table, 1, 2, 3), 0)
        self.assertEqual(self.end(table, 1, 2, 3), 0)
        self.assertEqual(self.end(table, 2, 4, 5), 2)
        self.assertEqual(self.end(table, 2, 4, 5), 0)
        self.assertEqual(self.end(table), 3)

    def test_failed_reads(self) -> None:
        """What only a failed read saw does not count, and what it missed only if it stays away."""
        table = SnapshotTable()
        self.end(table, 1, 2, 3)
        self.read(table, 1, 7)
        self.read(table, 1, 3, 8)
        self.assertEqual(self.end(table, 1, 3, 9), 1)
        self.read(table, 9)
        self.assertEqual(self.end(table, 1, 3, 9), 0)

    def test_after_a_restart(self) -> None:
        """A table from before the restart is that of a successful read."""
        before = SnapshotTable()
        self.end(before, 1, 2)
        columns = before.columns()
        assert columns is not None
        self.assertEqual(self.end(SnapshotTable.of(columns), 2, 3), 1)


class IdentityTests(SynchronousTestCase):
    """What a snapshot has in common with its copies."""

    def identities(self, *some: Snapshot) -> list[tuple[bytes, bytes]]:
        """Both parts of each."""
        table = table_of(some, Shape(identified=True))
        table.confirm(frozenset())
        found = [row for rows in table.identities() for row in rows]
        self.assertEqual([row[0] for row in found], [("h", "u")] * len(some))
        self.assertEqual([row[1] for row in found], [each.time for each in some])
        return [row[2:] for row in found]

    def test_copies(self) -> None:
        """A copy has the first one's id as original, and time, tree, host and paths of it."""
        first = one(1, tree="a" * 64)
        copied = one(2, time=first.time, tree="a" * 64, original=first.id)
        tagged = one(3, time=first.time, tree="a" * 64, original=first.id, tags="new")
        rewritten = one(4, time=first.time, tree="b" * 64, original=first.id)
        other = one(5, tree="a" * 64)
        found = self.identities(first, copied, tagged, rewritten, other)
        ids, likenesses = zip(*found, strict=True)
        self.assertEqual([each == ids[0] for each in ids], [True, True, True, True, False])
        same = [each == likenesses[0] for each in likenesses]
        self.assertEqual(same, [True, True, True, False, False])

    def test_without_tree(self) -> None:
        """Snapshots without a tree are like no others."""
        found = self.identities(one(1, time=NOW), one(2, time=NOW))
        self.assertEqual(len({each[1] for each in found}), 2)

    def test_kept(self) -> None:
        """Rows keep theirs while others go, and after a restart."""
        some = [one(number, tree=f"{number:064x}") for number in range(5)]
        table = table_of(some, Shape(identified=True))
        self.assertEqual(list(table.identities()), [])
        table.confirm(frozenset())
        [rows] = table.identities()
        at_once(table.keep(frozenset(map(name, (1, 3)))))
        columns = table.columns()
        assert columns is not None
        self.assertEqual(list(SnapshotTable.of(columns).identities()), [[rows[1], rows[3]]])
