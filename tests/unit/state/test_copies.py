"""Tests of `restic_reporter.state.keeper`: what a restart knows of copies."""

from math import inf

from restic_reporter.collection.copies import Copies
from restic_reporter.model.copies import SetCopy
from restic_reporter.model.errors import ReadError, Reason
from tests.doubles.copy_worlds import DAY, backup, change, copied_worlds, copy_of, found
from tests.doubles.keeper_case import KeeperCase
from tests.doubles.repositories import NOW, World


class CopiesTests(KeeperCase):
    """Copies across a restart."""

    def setUp(self) -> None:
        super().setUp()
        self.source, self.copy = copied_worlds(World.make("/0"), World.make("/1"))
        first, second = backup(1, 2), backup(2, 1)
        self.source.storage.snapshots[:] = [first, second, backup(3, 3, "other")]
        self.copy.storage.snapshots[:] = [copy_of(first, 11)]
        self.use(self.source, self.copy)

    def unpacked(self) -> list[str]:
        """The repositories whose snapshots were looked at since the restart."""
        return [url for url, one in self.statuses.items() if one._make_table is None]

    def test_restored(self) -> None:
        """Values are there before any read, and no snapshot is looked at while all is unchanged."""
        self.collect()
        before = self.status().copies
        self.assertEqual(found(self.status(), "/1", ("other", "u")), SetCopy(inf, 1, NOW - 3 * DAY))
        for _ in range(2):
            self.restart(DAY)
            self.assertTrue(self.restored())
            self.assertEqual(self.status().copies, before)
            self.collect()
            self.assertEqual(self.status().copies, before)
            self.assertEqual(self.unpacked(), [])

    def test_changed_meanwhile(self) -> None:
        """What changed while the daemon was away is compared after the first reads."""
        self.collect()
        for world, new in (
            (self.copy, copy_of(self.source.storage.snapshots[1], 12)),
            (self.source, backup(4, 0.5)),
        ):
            self.restart(60)
            world.storage.snapshots.append(new)
            self.collect()
        self.assertEqual(found(self.status()), SetCopy(DAY / 2, 1, NOW - DAY / 2))

    def test_stopped_before_the_comparison(self) -> None:
        """A read that was remembered without its comparison is compared after the restart."""
        self.collect()
        self.copy.storage.snapshots.append(copy_of(self.source.storage.snapshots[1], 12))
        killed = self.patch(Copies, "compare", lambda _: iter(()))
        self.collect()
        self.restart(60)
        self.restored()
        self.assertEqual(found(self.status()), SetCopy(DAY, 1, NOW - DAY))
        killed.restore()
        self.collect()
        self.assertEqual(found(self.status()), SetCopy(0.0, 0))

    def test_copy_unreadable(self) -> None:
        """The values stay while the copy cannot be read, over restarts too."""
        self.collect()
        before = found(self.status())
        self.copy.storage.list_error = ReadError(Reason.NETWORK, "refused")
        self.collect()
        self.restart(60)
        self.collect()
        self.assertEqual(found(self.status()), before)

    def test_config(self) -> None:
        """Of a copy that left the config meanwhile nothing is restored."""
        self.collect()
        self.restart()
        change(self.source)
        self.use(self.source, self.copy)
        self.restored()
        self.assertEqual(self.status().copies, {})
        # Nor is a table with other columns.
        self.restart()
        change(self.source, identified=False)
        change(self.copy, identified=False)
        self.use(self.source, self.copy)
        self.collect()
        self.assertEqual((self.source.reader.reads, self.copy.reader.reads), (2, 2))
