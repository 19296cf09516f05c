"""Tests of `restic_reporter.state.keeper`: faults of folder and database, and when it writes."""

import os
import shutil
from pathlib import Path

from tests.doubles.keeper_case import KeeperCase
from tests.doubles.repositories import NOW, snapshot


class FaultTests(KeeperCase):
    """Faults of the folder and of the database."""

    def logged_errors(self) -> list[str]:
        """The lines about the state."""
        return [line for line in self.logged().splitlines() if line.startswith("state ")]

    def test_no_folder(self) -> None:
        """Without a folder all works, one line says so, and it is written when that is mended."""
        self.path.write_text("in the way")
        self.worlds(2)
        self.collect()
        for _ in range(3):
            self.write(60)
            self.collect()
        self.assertEqual(
            self.logged_errors(),
            [
                f"state in {str(self.path)!r} cannot be used: [Errno 17] File exists:"
                f" {str(self.path)!r}; working without it, trying again"
            ],
        )
        self.assertEqual((self.keeper.health.success, self.keeper.health.last_write), (False, None))
        self.path.unlink()
        self.write()
        self.assertEqual(self.logged_errors()[1:], ["state is written again"])
        self.assertEqual(
            (self.keeper.health.success, self.keeper.health.last_write), (True, self.now())
        )
        self.restart()
        self.assertTrue(self.restored())

    def restart_unwritable(self, log: bytes = b"") -> None:
        """End the process, and start another that cannot take the folder; SQLite has left a log."""
        self.end()
        self.begun = False
        (self.path / "lock").unlink()
        (self.path / "lock").mkdir()
        if log:
            Path(f"{self.folder.database}-wal").write_bytes(log)
        self.restart()

    def test_read_only(self) -> None:
        """From a database that can only be read all is restored, and the fault is told."""
        (world,) = self.worlds(1)
        self.collect()
        self.restart_unwritable()
        self.use(world)
        self.assertTrue(self.restored())
        self.assertFalse(self.keeper.health.success)
        self.assertEqual(len(self.logged_errors()), 1)
        self.collect()
        self.assertEqual((self.status().success, world.reader.reads), (True, 1))
        (self.path / "lock").rmdir()
        self.write()
        self.assertTrue(self.keeper.health.success)

    def test_not_closed(self) -> None:
        """What was not closed in order is not restored without its log."""
        (world,) = self.worlds(1)
        self.collect()
        self.restart_unwritable(log=b"something")
        self.use(world)
        self.assertFalse(self.restored())
        self.assertIn("lock", self.logged_errors()[0])

    def test_each_minute(self) -> None:
        """A write that failed is tried again after a minute, with the latest of each repository."""
        self.path.write_text("in the way")
        (world,) = self.worlds(1)
        self.collect()
        self.write()
        world.storage.snapshots.append(snapshot(1, NOW - 7))
        work = self.collector.collect()
        self.clock.settle(work)
        self.path.unlink()
        self.write(59)
        self.assertFalse(self.keeper.health.success)
        self.write(1)
        self.assertTrue(self.keeper.health.success)
        self.restart()
        self.assertTrue(self.restored())
        content = self.status().content
        assert content is not None
        self.assertEqual(content.snapshot_count, 2)

    def test_damaged_while_open(self) -> None:
        """A database that is damaged meanwhile is set aside, and a new one has all that is read."""
        (world,) = self.worlds(1)
        # More than SQLite keeps in memory.
        world.storage.snapshots = [snapshot(number) for number in range(150_000)]
        self.collect()
        self.write()
        self.folder.database.write_bytes(os.urandom(self.folder.database.stat().st_size))
        for number in (1, 2, 3):
            world.storage.snapshots = [snapshot(one) for one in range(number)]
            self.collect()
            self.write()
        damaged, mended = self.logged_errors()[:2]
        self.assertIn("cannot be used", damaged)
        self.assertIn("database is corrupt; set aside as 'state.db.corrupt-", mended)
        self.assertTrue(self.keeper.health.success)
        self.restart()
        self.assertTrue(self.restored())
        self.assertEqual(len(self.status().table), 3)

    def test_removed_while_running(self) -> None:
        """A folder that was removed does not harm the daemon."""
        self.worlds(1)
        self.collect()
        self.write()
        shutil.rmtree(self.path)
        self.collect()
        self.write()
        self.assertTrue(self.status().success)


class WriteTests(KeeperCase):
    """When it writes."""

    def test_within_a_second(self) -> None:
        """A read is in the database half a second later; a killed process loses no more."""
        self.worlds(1)
        self.collect()
        self.write()
        copy = Path(self.mktemp())
        shutil.copytree(self.path, copy)
        self.end()
        self.path = copy
        self.begun = False
        tasks = self.collector._tasks
        self.restart()
        self.collector.set_tasks(tasks)
        self.assertTrue(self.restored())
        self.assertEqual(self.job.last_success, NOW)

    def test_unchanged_is_small(self) -> None:
        """An unchanged read writes no content again."""
        (world,) = self.worlds(1)
        world.storage.snapshots = [snapshot(number) for number in range(2000)]
        self.collect()
        self.write()
        log = Path(f"{self.folder.database}-wal")
        before = log.stat().st_size
        self.collect()
        self.write()
        self.assertLess(log.stat().st_size - before, 20_000)
        self.assertGreater(before, 64_000)
