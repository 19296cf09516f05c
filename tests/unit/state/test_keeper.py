"""Tests of `restic_reporter.state.keeper`: what a restart knows."""

from attrs import evolve

from restic_reporter.collection.state import Measured
from restic_reporter.model.access import KeyFacts
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.model.snapshots import Lock
from restic_reporter.model.upkeep import Size
from restic_reporter.readers.access import LOOK_EVERY
from restic_reporter.redaction.secret import Secret
from tests.doubles.keeper_case import KeeperCase
from tests.doubles.repositories import NOW, snapshot

DAY = 86400.0


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

    def test_size(self) -> None:
        """The last known size is there after a restart, with its time."""
        self.worlds(2)
        self.collect()
        self.status().size = Measured(Size(5 * 10**12, 300_000), NOW - 5)
        self.keeper.save(self.status())
        self.restart(DAY)
        self.restored()
        self.assertEqual(self.status().size, Measured(Size(5 * 10**12, 300_000), NOW - 5))
        self.assertIs(self.status("/1").size, None)

    def test_keys_and_locks(self) -> None:
        """The keys, the version and who holds the locks are known at once."""
        (world,) = self.worlds(1)
        reader = world.reader
        reader.incremental, reader.newest_key, reader.version = True, NOW - 9, "2"
        reader.locks = [Lock(NOW - 7, "web-1", "root", 4711, exclusive=True)]
        world.storage.locks = 1
        self.collect()
        before = self.status()
        self.assertEqual(before.keys, KeyFacts(1, NOW - 9, "2"))
        self.restart(DAY)
        self.restored()
        status = self.status()
        assert status.locks is not None
        self.assertEqual((status.keys, status.locks), (before.keys, before.locks))
        self.assertEqual(status.locks.oldest, tuple(reader.locks))
        self.collect()
        self.assertEqual(reader.reads, 1)
        self.assertEqual(self.status().keys, before.keys)

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

    def test_removed_snapshots(self) -> None:
        """Snapshots that were removed before the restart, or meanwhile, stay counted."""
        (world,) = self.worlds(1)
        world.storage.snapshots[:] = [snapshot(number, NOW - 100) for number in range(5)]
        self.collect()
        del world.storage.snapshots[3:]
        self.clock.advance(60)
        self.collect()
        counted = self.status().removed, self.status().last_removal
        self.assertEqual(counted, (2, NOW + 60))
        del world.storage.snapshots[2:]
        self.restart(DAY)
        self.assertTrue(self.restored())
        self.assertEqual((self.status().removed, self.status().last_removal), counted)
        self.collect()
        self.assertEqual(self.status().removed, 3)
        self.assertGreater(self.status().last_removal or 0, NOW + DAY)

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
