"""Tests of `restic_reporter.collection.read_repository`."""

from attrs import evolve
from zope.interface.verify import verifyObject

from restic_reporter.collection.state import RepositoryStatus
from restic_reporter.interfaces import IBackend, ISnapshotReader
from restic_reporter.model.backup_sets import FUTURE_TOLERANCE
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.model.snapshots import Lock
from restic_reporter.redaction.secret import Secret
from tests.doubles.reading_case import ReadingTestCase
from tests.doubles.repositories import NOW, World, name, snapshot


class ReadingTests(ReadingTestCase):
    """`read_repository`."""

    def test_doubles(self) -> None:
        """The doubles keep the contracts."""
        self.assertTrue(verifyObject(IBackend, self.world.backend))
        self.assertTrue(verifyObject(ISnapshotReader, self.world.reader))

    def test_first(self) -> None:
        """The first read lists, reads, and gives content and locks."""
        self.world.storage.locks = 2
        reading = self.read()
        self.assertEqual(reading.content.snapshot_count, 3)
        assert reading.locks is not None
        self.assertEqual((reading.locks.count, reading.unchanged), (2, False))
        self.assertEqual((self.world.backend.listings, self.world.reader.reads), (1, 1))
        self.assertEqual(self.status.meter.requests, {"list": 1})

    def test_first_of_incremental(self) -> None:
        """A reader that lists nothing by itself needs another listing to confirm the first."""
        self.world.reader.incremental = True
        self.read()
        self.assertEqual((self.world.backend.listings, self.world.reader.reads), (2, 1))

    def test_location(self) -> None:
        """Where the backend tells another location, the reader gets that one, for this read."""
        self.world.backend.location = Secret("local:/elsewhere")
        self.read()
        self.world.backend.location = None
        self.world.storage.snapshots.append(snapshot(9))
        self.read()
        own = self.world.task.repository
        elsewhere = evolve(own, location=Secret("local:/elsewhere"))
        self.assertEqual([one.repository for one in self.world.reader.requests], [elsewhere, own])
        self.assertIs(self.status.task.repository, own)

    def test_unchanged(self) -> None:
        """An unchanged listing asks no reader, but tells the locks of now."""
        before = self.read()
        self.world.storage.locks = 1
        reading = self.read()
        self.assertEqual(self.world.reader.reads, 1)
        self.assertIs(reading.content, before.content)
        assert reading.locks is not None
        self.assertEqual((reading.locks.count, reading.unchanged), (1, True))

    def test_reader_of_locks(self) -> None:
        """An incremental reader is asked when there are other locks, not when they are gone."""
        self.world.reader.incremental = True
        self.world.reader.locks = (Lock(NOW - 7),)
        for locks, reads, times in (
            (0, 1, ()), (1, 2, (NOW - 7,)), (1, 2, (NOW - 7,)), (0, 2, ()),
        ):  # fmt: skip
            self.world.storage.locks = locks
            reading = self.read()
            assert reading.locks is not None
            self.assertEqual((reading.locks.count, reading.locks.times), (locks, times))
            self.assertEqual(self.world.reader.reads, reads)

    def test_listed_times_of_locks(self) -> None:
        """Where a lock was not read, the times of the listing count, of each listing anew."""
        world = self.world
        for incremental, read, times in (
            (False, (), (NOW - 9, NOW - 8)),
            (True, (NOW - 7,), (NOW - 9, NOW - 8)),
            (True, (NOW - 7, NOW - 6), (NOW - 7, NOW - 6)),
        ):
            world.reader.incremental = incremental
            world.reader.locks = tuple(map(Lock, read))
            world.storage.locks, world.backend.lock_times = 0, ()
            self.read()
            world.storage.locks, world.backend.lock_times = 2, (NOW - 9, NOW - 8)
            for _ in range(2):
                reading = self.read()
                assert reading.locks is not None
                self.assertEqual(reading.locks.times, times)
        world.reader.incremental, world.backend.lock_times = False, (NOW - 5, NOW - 4)
        reading = self.read()
        assert reading.locks is not None
        self.assertEqual(reading.locks.times, (NOW - 5, NOW - 4))

    def test_holders_of_locks(self) -> None:
        """Of many locks the oldest are kept, while the locks stay the same."""
        self.world.reader.incremental = True
        self.world.reader.locks = [Lock(NOW - 60 + number, "h") for number in range(30)]
        self.world.storage.locks = 30
        for reads in (1, 1):
            reading = self.read()
            assert reading.locks is not None
            self.assertEqual(reading.locks.oldest, tuple(self.world.reader.locks[:20]))
            self.assertEqual(len(reading.locks.times), 30)
            self.assertEqual(self.world.reader.reads, reads)
        self.world.storage.locks = 0
        reading = self.read()
        assert reading.locks is not None
        self.assertEqual((reading.locks.oldest, reading.locks.times), ((), ()))

    def test_stored_times(self) -> None:
        """Only of new snapshots is asked when they were stored, and nothing without a change."""
        backend, storage = self.world.backend, self.world.storage
        backend.stored_times = {name(1): 0.0}
        self.assertEqual(self.read().content.backdated_count, 1)
        self.assertEqual(backend.asked_times, [name(number) for number in range(3)])
        self.read()
        storage.snapshots.append(snapshot(9))
        backend.stored_times = {name(9): NOW - 90, name(2): 0.0}
        self.assertEqual(self.read().content.backdated_count, 1)
        self.assertEqual(backend.asked_times[3:], [name(9)])

    def test_removed(self) -> None:
        """Snapshots found by the successful read before, and not by this one, are counted."""
        storage = self.world.storage
        self.assertEqual(self.read().removed, 0)
        storage.snapshots[1:] = [snapshot(8)]
        storage.unread.add(name(8))
        self.failed()
        storage.snapshots[:] = [snapshot(0), snapshot(9)]
        storage.unread.clear()
        self.assertEqual(self.read().removed, 2)
        self.assertEqual(self.read().removed, 0)

    def test_unchanged_empty(self) -> None:
        """An empty repository is read once as well."""
        self.world.storage.snapshots.clear()
        self.assertEqual(self.read().content.snapshot_count, 0)
        self.assertTrue(self.read().unchanged)

    def test_changed(self) -> None:
        """A snapshot more, fewer, or another in place of one is read."""
        snapshots = self.world.storage.snapshots
        self.read()
        snapshots.append(snapshot(10))
        self.assertEqual(self.read().content.snapshot_count, 4)
        snapshots.pop()
        self.assertEqual(self.read().content.snapshot_count, 3)
        snapshots[0] = snapshot(11)
        self.assertFalse(self.read().unchanged)

    def test_only_removed(self) -> None:
        """Where snapshots are only gone, the reader is asked too, once, and told which."""
        for incremental in (False, True):
            self.world = World.make(snapshots=3)
            self.status = RepositoryStatus(self.world.task)
            self.world.reader.incremental = incremental
            self.read()
            self.world.storage.snapshots.pop()
            self.assertEqual(self.read().content.snapshot_count, 2)
            self.assertEqual(self.world.reader.reads, 2)
            self.assertTrue(self.read().unchanged)
            self.assertEqual(self.world.reader.requests[-1].gone, [name(2)])

    def test_known_sets(self) -> None:
        """The reader is told which sets were shown so far."""
        self.read()
        self.world.storage.snapshots.append(snapshot(10, host="new"))
        self.read()
        self.assertEqual([("h", "u") in known for known in self.world.reader.known], [False, True])

    def test_future_matures(self) -> None:
        """When a future snapshot's time has come, the unchanged repository is counted anew."""
        self.world.storage.snapshots.append(snapshot(10, NOW + FUTURE_TOLERANCE + 60))
        self.assertEqual(self.read().content.future_count, 1)
        self.assertTrue(self.read(NOW + 59).unchanged)
        reading = self.read(NOW + 60)
        self.assertFalse(reading.unchanged)
        self.assertEqual(self.world.reader.reads, 1)
        self.assertEqual(reading.content.future_count, 0)
        self.assertEqual(reading.content.sets[0].newest, NOW + FUTURE_TOLERANCE + 60)

    def test_partial(self) -> None:
        """Fewer snapshots than are listed is an error that names some."""
        self.world.storage.unread = {name(1)}
        error = self.failed()
        self.assertEqual(error.reason, Reason.PARTIAL)
        self.assertEqual(
            error.message, "1 listed snapshot cannot be read: 00000000; run 'restic check'"
        )
        self.assertEqual(self.world.backend.listings, 2)

    def test_partial_names_few(self) -> None:
        """Of many missing ones five are named."""
        self.world.storage.snapshots = [snapshot(n << 224) for n in range(1, 9)]
        self.world.storage.unread = {one.id for one in self.world.storage.snapshots}
        self.assertIn(
            "8 listed snapshots cannot be read: 00000001, 00000002, 00000003, 00000004, 00000005"
            " and 3 more",
            self.failed().message,
        )

    def test_partial_does_not_count_as_read(self) -> None:
        """After a partial read the same listing is read again."""
        self.read()
        self.world.storage.snapshots.append(snapshot(10))
        self.world.storage.unread = {name(10)}
        self.failed()
        self.failed()
        self.world.storage.unread = set()
        self.assertEqual(self.read().content.snapshot_count, 4)

    def test_nameless(self) -> None:
        """A snapshot without an id in the answer may be any that is listed, and is invalid."""
        self.world.storage.unread = {name(1)}
        self.world.reader.nameless = 1
        reading = self.read()
        self.assertEqual((reading.content.snapshot_count, reading.content.invalid_count), (3, 1))
        self.assertTrue(self.read().unchanged)
        self.world.storage.unread = {name(1), name(2)}
        self.world.storage.snapshots.append(snapshot(10))
        self.status = RepositoryStatus(self.world.task)
        self.assertEqual(self.failed().reason, Reason.PARTIAL)

    def test_errors(self) -> None:
        """An error of the backend or of the reader comes out as it is."""
        self.world.storage.read_error = ReadError(Reason.AUTH, "wrong password")
        self.assertEqual(self.failed().reason, Reason.AUTH)
        self.world.storage.list_error = ReadError(Reason.NETWORK, "refused")
        self.assertEqual(self.failed().reason, Reason.NETWORK)
        self.assertEqual(self.world.reader.reads, 1)

    def test_reader_alone(self) -> None:
        """Without a backend the reader is asked each time, and locks are not known."""
        self.without_backend()
        for _ in range(2):
            reading = self.read()
            self.assertEqual((reading.locks, reading.unchanged), (None, False))
        self.assertEqual(self.world.reader.reads, 2)

    def test_reader_alone_partial(self) -> None:
        """What the reader itself calls unreadable twice is partial."""
        self.without_backend()
        self.world.reader.unreadable = [frozenset({"abcd1234"})] * 2
        error = self.failed()
        self.assertEqual(error.reason, Reason.PARTIAL)
        self.assertIn("abcd1234", error.message)

    def test_reader_alone_second_look(self) -> None:
        """What is unreadable only once was pruned meanwhile."""
        self.without_backend()
        self.world.reader.unreadable = [frozenset({"abcd1234"})]
        self.assertEqual(self.read().content.snapshot_count, 3)
        self.assertEqual(self.world.reader.reads, 2)

    def test_reader_alone_gone(self) -> None:
        """Where snapshots are gone the reader looks twice: its own listing may have missed some."""
        self.without_backend()
        self.read()
        snapshots = self.world.storage.snapshots
        removed = snapshots.pop()
        self.world.reader.between = [lambda: snapshots.append(evolve(removed, id=name(10)))]
        self.assertEqual(self.read().content.snapshot_count, 3)
        self.assertEqual(self.world.reader.reads, 3)

    def test_reader_alone_stopped(self) -> None:
        """A reader that gave up, as a snapshot had vanished, is asked again."""
        self.without_backend()
        self.world.reader.stopped = [True]
        self.world.reader.unreadable = [frozenset({name(1)})]
        self.assertEqual(self.read().content.snapshot_count, 3)
