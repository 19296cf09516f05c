"""Tests of the metrics about what the snapshots tell beyond their age."""

from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.model.snapshots import Summary
from tests.doubles.metrics_case import PageCase
from tests.doubles.repositories import NOW, snapshot

RATIOS = [
    f"backup_newest_{value}_ratio"
    for value in ("processed_bytes", "added_bytes", "files", "changed_files")
]


class InsightTests(PageCase):
    """Samples of one repository."""

    def backups(self, count: int, newest: Summary) -> None:
        """So many usual backups, and a newest one."""
        usual = Summary(60.0, 1000, 100, 4, 20, 26)
        self.world.storage.snapshots = [
            snapshot(number, NOW - 1000 + number, summary=usual, paths="/home")
            for number in range(count)
        ]
        self.world.storage.snapshots.append(
            snapshot(90 + count, NOW, summary=newest, paths="/home")
        )
        self.collect()

    def test_ratios(self) -> None:
        """The newest snapshot is compared with those before it, value by value."""
        self.backups(10, Summary(60.0, 100, 500, 1, 0, 4))
        self.assertEqual([self.values(name) for name in RATIOS], [[0.1], [5], [0.1], [0]])
        self.assertEqual(self.values("backup_set_path_groups", host="h", user="u"), [1])

    def test_no_ratios(self) -> None:
        """There are none where too little is known."""
        self.backups(4, Summary(60.0, 100, 500, 1, 0, 4))
        self.assertTrue(self.names().isdisjoint(RATIOS))
        self.backups(10, Summary())
        self.assertTrue(self.names().isdisjoint(RATIOS))

    def test_removed(self) -> None:
        """Removed snapshots are counted from 0, with the time of the read that missed them."""
        self.collect()
        self.assertEqual(self.values("backup_snapshots_removed_total"), [0])
        self.assertEqual(self.values("backup_last_removal_timestamp_seconds"), [])
        del self.world.storage.snapshots[0]
        self.now += 60
        self.collect()
        for _ in range(2):
            self.assertEqual(self.values("backup_snapshots_removed_total"), [1])
            self.assertEqual(self.values("backup_last_removal_timestamp_seconds"), [NOW + 60])
            self.world.storage.list_error = ReadError(Reason.NETWORK, "refused")
            self.now += 60
            self.collect()

    def test_never_read(self) -> None:
        """A repository that was never read has none of these."""
        self.world.storage.list_error = ReadError(Reason.NETWORK, "refused")
        self.collect()
        names = {"backup_snapshots_removed_total", "backup_backdated_snapshot_count"}
        self.assertTrue(self.names().isdisjoint(names))

    def test_backdated(self) -> None:
        """Snapshots with a time given by hand are counted."""
        self.world.storage.snapshots.append(snapshot(7, dated=True))
        self.collect()
        self.assertEqual(self.values("backup_backdated_snapshot_count"), [1])
