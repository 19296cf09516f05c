"""Tests of `restic_reporter.state.keeper`, with its thread, its database and a collector."""

import os
import shutil
from pathlib import Path

from attrs import evolve
from twisted.internet.defer import Deferred

from restic_reporter.collection.collector import Collector
from restic_reporter.collection.state import CollectionState
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.readers.access import LOOK_EVERY
from restic_reporter.redaction.secret import Secret
from restic_reporter.state.folder import StateFolder
from restic_reporter.state.keeper import StateKeeper
from tests.doubles.collector_case import CollectorCase
from tests.doubles.repositories import NOW, snapshot
from tests.doubles.threaded_clock import ThreadedClock

DAY = 86400.0


class KeeperCase(CollectorCase):
    """A collector whose reads are remembered, and its restarts."""

    def make(self, concurrency: int) -> None:
        """Make collector and keeper, as a process does at its start."""
        self.clock: ThreadedClock = ThreadedClock()
        self.path = Path(self.mktemp())
        self.begun = False
        self.restart()
        self.addCleanup(self.end)

    def restart(self, later: float = 0.0, look_after: float = 3600.0) -> None:
        """End the process, and start another that much later, with the same config."""
        tasks = self.collector._tasks if self.begun else {}
        if self.begun:
            self.end()
        self.begun = True
        self.clock.advance(later)
        self.folder = StateFolder(self.path)
        self.keeper = StateKeeper(
            self.clock, self.now, self.folder, CollectionState(), look_after=look_after
        )
        self.collector = Collector(
            self.clock,
            self.now,
            8,
            self.keeper._state,
            self.keeper.save,
            restore=self.keeper.restore,
        )
        self.collector.set_tasks(tasks)

    def now(self) -> float:
        """The wall clock."""
        return NOW + self.clock.seconds()

    def end(self) -> None:
        """Stop all."""
        self.clock.settle(Deferred.fromCoroutine(self.collector.stop()))
        self.clock.settle(Deferred.fromCoroutine(self.keeper.stop()))

    def restored(self) -> bool:
        """Restore; whether all repositories were."""
        work = Deferred.fromCoroutine(self.collector.restore())
        self.clock.settle(work)
        return self.successResultOf(work)

    def collect(self, labels: set[str] | None = None, complete: bool = True) -> None:
        """A whole collection, and what the daemon does at its end."""
        work = self.collector.collect(labels, complete)
        self.clock.settle(work)
        self.assertIsNone(self.successResultOf(work))
        self.keeper.save_job()

    def write(self, after: float = 0.5) -> None:
        """Let what is pending be written."""
        self.clock.advance(after)
        self.clock.until(lambda: self.keeper._writing is None)


class RestoreTests(KeeperCase):
    """What a restart knows."""

    def test_unchanged(self) -> None:
        """Values are there before any read; an unchanged repository costs its listing alone."""
        world, _ = self.worlds(2)
        self.assertFalse(self.restored())
        self.collect()
        known = self.status().content, self.status().locks, self.job.last_success
        for days in (0.1, 1, 30):
            self.restart(days * DAY)
            self.assertTrue(self.restored())
            status = self.status()
            self.assertEqual((status.content, status.locks, self.job.last_success), known)
            self.assertTrue(status.success)
            before = world.reader.reads, world.backend.listings + 1, world.backend.loads
            self.collect()
            after = world.reader.reads, world.backend.listings, world.backend.loads
            self.assertEqual(after, before)
            self.assertIs(self.status().content, status.content)
            known = status.content, status.locks, self.job.last_success
        self.assertEqual(self.logged().count("restored 2 of 2 repositories from the state"), 3)

    def test_new_snapshot(self) -> None:
        """Only the new snapshot is read, and all are counted."""
        (world,) = self.worlds(1)
        world.storage.snapshots.append(snapshot(1, NOW - DAY))
        self.collect()
        self.restart()
        world.storage.snapshots.append(snapshot(2, NOW - 5))
        self.collect()
        (request,) = world.reader.requests[1:]
        self.assertEqual((len(request.new), len(request.gone)), (1, 0))
        content = self.status().content
        assert content is not None
        self.assertEqual((content.snapshot_count, content.sets[0].newest), (3, NOW - 5))

    def test_unreachable(self) -> None:
        """What could not be read before the restart is so after it, with its last good values."""
        (world,) = self.worlds(1)
        self.collect()
        world.storage.list_error = ReadError(Reason.NETWORK, "refused")
        self.collect()
        before = self.status()
        self.restart(DAY)
        self.assertTrue(self.restored())
        status = self.status()
        self.assertEqual((status.content, status.success), (before.content, False))
        self.assertEqual(status.last_success, before.last_success)
        self.assertEqual(self.job.error_count, 1)
        assert status.error is not None
        self.assertEqual(status.error.reason, Reason.NETWORK)
        world.storage.list_error = None
        self.collect()
        self.assertEqual((self.status().success, world.reader.reads), (True, 1))

    def test_refused(self) -> None:
        """A repository that did not open before the restart has to open after it."""
        (world,) = self.worlds(1)
        self.collect()
        world.storage.keys.append("f" * 64)
        world.storage.read_error = ReadError(Reason.AUTH, "wrong password")
        self.clock.advance(LOOK_EVERY)
        self.collect()
        self.assertIs(self.status().success, False)
        self.restart()
        self.collect()
        self.assertIs(self.status().success, False)
        world.storage.read_error = None
        self.collect()
        self.assertIs(self.status().success, True)

    def test_keys_are_looked_at(self) -> None:
        """Keys and config are looked at an hour after the start, if a day has passed by then."""
        (world,) = self.worlds(1)
        self.collect()
        self.restart(5 * DAY)
        world.storage.read_error = ReadError(Reason.AUTH, "wrong password")
        self.collect()
        self.assertTrue(self.status().success)
        self.clock.advance(3600)
        self.collect()
        self.assertFalse(self.status().success)

    def test_keys_in_single_runs(self) -> None:
        """Processes of one collection look at the keys once a day."""
        (world,) = self.worlds(1)
        self.collect()
        world.storage.read_error = ReadError(Reason.AUTH, "wrong password")
        for later, success in ((DAY / 2, True), (DAY / 2, False)):
            self.restart(later, look_after=0.0)
            self.collect()
            self.assertEqual(self.status().success, success)

    def test_other_location(self) -> None:
        """Nothing of another repository with the same label is restored."""
        (world,) = self.worlds(1)
        self.collect()
        self.restart()
        moved = evolve(world.task.repository, location=Secret("local:/elsewhere/0"))
        self.collector.set_tasks({"/0": evolve(world.task, repository=moved)})
        self.assertFalse(self.restored())

    def test_other_reader(self) -> None:
        """Another reader serves the old values, reads all anew, and keeps the history."""
        (world,) = self.worlds(1)
        self.collect()
        self.restart()
        world.reader.name = "other"
        self.assertTrue(self.restored())
        self.assertEqual(len(self.status().table), 0)
        self.collect()
        self.assertEqual((world.reader.reads, len(self.status().table)), (2, 1))
        self.restart()
        self.collect()
        self.assertEqual(world.reader.reads, 2)

    def test_forgotten_snapshots(self) -> None:
        """Backups stay known after their snapshots have been removed, over restarts."""
        (world,) = self.worlds(1)
        world.storage.snapshots = [snapshot(n, NOW - n * DAY) for n in range(5)]
        self.collect()
        del world.storage.snapshots[1:]
        self.restart()
        self.collect()
        for _ in range(2):
            content = self.status().content
            assert content is not None
            self.assertEqual(content.snapshot_count, 1)
            self.assertEqual(
                list(content.sets[0].history), [NOW - n * DAY for n in reversed(range(5))]
            )
            self.restart()
            self.assertTrue(self.restored())

    def test_new_entry(self) -> None:
        """An entry that comes back by a reload is restored at the next collection."""
        world, other = self.worlds(2)
        self.collect()
        self.restart()
        self.use(world)
        self.collect()
        self.assertEqual(set(self.keeper._kept), {"/0"})
        self.use(world, other)
        self.collect()
        self.assertEqual((world.reader.reads, other.reader.reads), (1, 1))


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
