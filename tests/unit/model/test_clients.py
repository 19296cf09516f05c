"""Tests of `restic_reporter.model.clients`."""

from collections.abc import Iterable
from math import nan

from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.concurrency.cooperative import at_once
from restic_reporter.model import clients, snapshot_table
from restic_reporter.model.columns import Shape
from restic_reporter.model.snapshot_table import SnapshotTable
from restic_reporter.model.snapshots import (
    NO_SUMMARY,
    Client,
    ClientGroup,
    Snapshot,
    Summary,
)
from tests.doubles.repositories import NOW, name, snapshot

HOUR = 3600.0


def labels(digest: str, version: str = "", tags: str = "") -> tuple[str, ...]:
    """Labels with this hash."""
    return ("h", "u", version, digest, tags, tags, "")


def one(number: int, digest: str, time: float | None = NOW, tags: str = "") -> Snapshot:
    """A snapshot with this number of new files and folders."""
    client = Client(labels(digest, tags=tags), (number, None, 2**32 - 2))
    return snapshot(number, time, summary=Summary(new_files=number), client=client)


def table_of(*some: Snapshot) -> SnapshotTable:
    """A table of these snapshots."""
    table = SnapshotTable(Shape(client_paths=False))
    table.add(some, ())
    return table


def groups_of(table: SnapshotTable) -> tuple[ClientGroup, ...]:
    """The groups as of now."""
    return at_once(table.content(NOW, ())).clients


class GroupTests(SynchronousTestCase):
    """Groups by hash."""

    def test_newest(self) -> None:
        """Each group has its count, and the details of its newest snapshot alone."""
        some = [one(1, "a", NOW - 9, "x"), one(2, "b", NOW - 8), one(3, "a", NOW - 7, "y")]
        expected = (
            ClientGroup(
                Client(labels("a", tags="y"), (3, None, 2**32 - 2)),
                2,
                NOW - 7,
                Summary(new_files=3),
            ),
            ClientGroup(
                Client(labels("b"), (2, None, 2**32 - 2)), 1, NOW - 8, Summary(new_files=2)
            ),
        )
        orders: Iterable[list[Snapshot]] = (some, some[::-1])
        for order in orders:
            self.assertEqual(groups_of(table_of(*order)), expected)

    def test_same_time(self) -> None:
        """Of two with one time, ids decide."""
        for order in ((1, 2), (2, 1)):
            (group,) = groups_of(table_of(*(one(number, "a") for number in order)))
            self.assertEqual(group.summary.new_files, 2)

    def test_never_newest(self) -> None:
        """Snapshots of the future and invalid ones count, but are never the newest."""
        future, invalid = one(2, "a", NOW + 2 * HOUR), one(3, "a", None)
        (group,) = groups_of(table_of(one(1, "a"), future, invalid))
        self.assertEqual((group.snapshot_count, group.newest), (3, NOW))
        for only in (future, invalid):
            (group,) = groups_of(table_of(only))
            self.assertEqual(group, ClientGroup(Client(labels("a")), 1, None, NO_SUMMARY))

    def test_without_labels(self) -> None:
        """A snapshot without labels is in no group."""
        self.assertEqual(groups_of(table_of(snapshot(1, nan), snapshot(2, host=None))), ())

    def test_removed(self) -> None:
        """A removed snapshot leaves its group, and the rows of others keep their values."""
        table = table_of(*(one(number, "ab"[number % 2], NOW - number) for number in range(6)))
        at_once(table.keep(frozenset(map(name, (1, 2, 3)))))
        found = {one.latest.labels[3]: one.summary.new_files for one in groups_of(table)}
        self.assertEqual(found, {"a": 2, "b": 1})
        self.assertEqual([one.latest.folders[0] for one in groups_of(table)], [2, 1])

    def test_limits(self) -> None:
        """Groups and labels are limited: the largest groups are shown."""
        self.patch(clients, "MAX_CLIENTS", 2)
        some = [one(number, "abc"[number % 3]) for number in range(8)]
        self.assertEqual([one.latest.labels[3] for one in groups_of(table_of(*some))], ["a", "b"])
        self.patch(snapshot_table, "_CLIENTS_LIMIT", 1)
        self.assertEqual([one.latest.labels[3] for one in groups_of(table_of(*some))], ["a"])

    def test_off(self) -> None:
        """Without the columns nothing is kept of it."""
        table = SnapshotTable()
        table.add([one(1, "a")], ())
        self.assertEqual(groups_of(table), ())
        columns = table.columns()
        assert columns is not None
        self.assertEqual(columns.fixed[-1], b"")
        self.assertEqual(len(columns.repeated), 3)
