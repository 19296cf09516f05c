"""Tests of `restic_reporter.collection.read_repository`."""

from functools import partial

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from restic_reporter.collection.read_repository import read_repository
from restic_reporter.collection.state import Reading, RepositoryStatus
from restic_reporter.concurrency.deadline import Deadline
from restic_reporter.interfaces import IBackend, ISnapshotReader
from restic_reporter.model.backup_sets import FUTURE_TOLERANCE
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.redaction.secret import Secret
from tests.doubles.repositories import NOW, World, name, snapshot


class ReadingTestCase(SynchronousTestCase):
    """A repository in memory, and its reads."""

    def setUp(self) -> None:
        self.world = World.make(snapshots=3)
        self.status = RepositoryStatus(self.world.task)
        self.clock = Clock()

    def start(self, now: float = NOW) -> "Deferred[Reading]":
        """Begin a read."""
        deadline = Deadline.after(self.clock, 300)
        return Deferred.fromCoroutine(
            read_repository(self.status.task, self.status, now, self.clock, deadline)
        )

    def read(self, now: float = NOW) -> Reading:
        """A good read, noted as the collection notes it."""
        reading = self.successResultOf(self.start(now))
        self.status.content = reading.content
        self.status.fingerprint = reading.fingerprint
        self.status.access = reading.access
        self.status.locks = reading.locks
        return reading

    def failed(self) -> ReadError:
        """The error of a read that fails."""
        error = self.failureResultOf(self.start(), ReadError).value
        assert isinstance(error, ReadError)
        return error

    def without_backend(self) -> None:
        """Go on with a repository that only its reader sees."""
        self.world = World.make(snapshots=3, listed=False)
        self.status = RepositoryStatus(self.world.task)


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
        self.world.reader.lock_times = (NOW - 7,)
        for locks, reads, times in (
            (0, 1, ()), (1, 2, (NOW - 7,)), (1, 2, (NOW - 7,)), (0, 2, ()),
        ):  # fmt: skip
            self.world.storage.locks = locks
            reading = self.read()
            assert reading.locks is not None
            self.assertEqual((reading.locks.count, reading.locks.times), (locks, times))
            self.assertEqual(self.world.reader.reads, reads)

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


class ChangingTests(ReadingTestCase):
    """Repositories that change while they are read."""

    def replace(self, old: int, new: int) -> None:
        """What ``restic tag`` does, at once."""
        snapshots = self.world.storage.snapshots
        [index] = [at for at, one in enumerate(snapshots) if one.id == name(old)]
        snapshots[index] = evolve(snapshots[index], id=name(new))

    def assert_one_set_of(self, count: int, reading: Reading) -> None:
        """All are there, in their one set."""
        self.assertEqual(reading.content.snapshot_count, count)
        self.assertEqual([one.snapshot_count for one in reading.content.sets], [count])

    def test_removed_after_listing(self) -> None:
        """A snapshot that is removed between listing and reading is missed by nobody."""
        self.world.backend.between = [self.world.storage.snapshots.pop]
        self.assertEqual(self.read().content.snapshot_count, 2)
        self.assertTrue(self.read().unchanged)

    def test_added_after_listing(self) -> None:
        """One that is added between listing and reading counts at once, and is read once."""
        self.read()
        snapshots = self.world.storage.snapshots
        snapshots.append(snapshot(10))
        self.world.backend.between = [lambda: snapshots.append(snapshot(11))]
        self.assertEqual(self.read().content.snapshot_count, 5)
        self.assertEqual(self.world.reader.reads, 2)
        self.assertTrue(self.read().unchanged)

    def test_replaced_after_listing(self) -> None:
        """One that is replaced between listing and reading is there all the time."""
        self.world.backend.between = [lambda: self.replace(1, 10)]
        self.assert_one_set_of(3, self.read())
        self.assertTrue(self.read().unchanged)

    def test_replaced_while_reading(self) -> None:
        """So is one that goes while the reader reads, before its successor is seen by it."""
        for stopped in (False, True):
            self.world = World.make(snapshots=0)
            self.status = RepositoryStatus(self.world.task)
            storage, reader = self.world.storage, self.world.reader
            storage.snapshots += [snapshot(number << 224) for number in range(3)]
            storage.unread = {name(1 << 224)}
            reader.unreadable = [frozenset({name(1 << 224)[:8]})]
            reader.stopped = [stopped]
            reader.between = [partial(self.replace, 1 << 224, 10)]
            self.assert_one_set_of(3, self.read())
            self.assertEqual(reader.reads, 2)

    def test_replaced_while_listing(self) -> None:
        """So is one that a listing under way misses together with its successor."""
        snapshots = self.world.storage.snapshots
        for incremental, number in ((False, 10), (False, 11), (True, 12), (True, 13)):
            self.world.reader.incremental = incremental
            self.world.backend.between = [partial(snapshots.append, snapshot(number))]
            snapshots.pop()
            self.assert_one_set_of(3, self.read())

    def test_mixture(self) -> None:
        """Two that go one after the other, while the reader sees one of them, are both gone."""
        storage = self.world.storage
        storage.snapshots[1:] = [snapshot(1, host="a"), snapshot(2, host="b")]
        storage.unread = {name(2)}
        self.world.reader.between = [lambda: storage.snapshots.__delitem__(slice(1, 3))]
        self.assertEqual([one.host for one in self.read().content.sets], ["h"])

    def test_read_before(self) -> None:
        """What a failed read has read need not be read again."""
        self.world.reader.incremental = True
        self.world.storage.unread = {name(1)}
        self.failed()
        self.world.storage.unread = set()
        self.read()
        self.assertEqual(self.world.reader.requests[-1].new, [name(1)])

    def start_changing(self) -> None:
        """Let another snapshot be there at each look, gone before it is read."""
        self.number = 100
        self.replace(1, self.number)

        def change() -> None:
            self.replace(self.number, self.number + 1)
            self.number += 1
            for between in (self.world.backend.between, self.world.reader.between):
                between[:] = [change]

        change()

    def stop_changing(self) -> None:
        """Come to rest."""
        self.world.backend.between.clear()
        self.world.reader.between.clear()

    def test_faster_than_read(self) -> None:
        """One that is another at each look is ``partial``, within the deadline, with few looks."""
        self.read()
        self.start_changing()
        reading = self.start()
        self.clock.pump([0.125] * 8 * 300)
        error = self.failureResultOf(reading, ReadError).value
        assert isinstance(error, ReadError)
        self.assertEqual(error.reason, Reason.PARTIAL)
        self.assertIn("the repository is changing", error.message)
        self.assertLess(self.clock.seconds(), 301)
        self.assertLess(self.world.backend.listings, 120)

    def test_two_gone(self) -> None:
        """A listing that shows one of two that were removed, and not the other, is not believed."""
        storage = self.world.storage
        for incremental in (False, True):
            storage.snapshots[:] = [snapshot(n, host=f"h{n}") for n in range(4)]
            self.world.reader.incremental = incremental
            self.read()
            # The second goes first, and only the first is gone when it is listed.
            self.world.backend.between = [lambda: storage.snapshots.__delitem__(slice(2))]
            del storage.snapshots[1]
            hosts = {one.host for one in self.read().content.sets}
            self.assertEqual(hosts, {"h3"})

    def test_comes_to_rest(self) -> None:
        """When it comes to rest, it is read."""
        self.start_changing()
        reading = self.start()
        self.clock.pump([0.125] * 8 * 20)
        self.assertNoResult(reading)
        self.stop_changing()
        self.clock.pump([1] * 60)
        self.assert_one_set_of(3, self.successResultOf(reading))

    def test_deadline_in_a_look(self) -> None:
        """Where the deadline comes during one of many looks, the reason is the same, whether it
        ends the listing itself or cancels the read."""
        for wait_in in ("backend", "reader"):
            self.world = World.make(snapshots=3)
            self.status = RepositoryStatus(self.world.task)
            self.start_changing()
            reading = self.start()
            self.clock.pump([0.125] * 8 * 10)
            if wait_in == "backend":
                self.world.hold()
                self.world.backend.wait_again = True
            else:
                self.world.reader.waiting = Deferred
            self.clock.pump([1] * 289)
            self.assertNoResult(reading)
            self.clock.pump([1])
            reading.cancel()
            error = self.failureResultOf(reading, ReadError).value
            assert isinstance(error, ReadError)
            self.assertEqual(error.reason, Reason.PARTIAL)


class AccessTests(ReadingTestCase):
    """Keys and config that change while the snapshots do not."""

    def assert_asked(self, number: int) -> None:
        """The reader was asked so often since the last time."""
        self.assertEqual(self.world.reader.reads, number)
        self.world.reader.known.clear()

    def setUp(self) -> None:
        super().setUp()
        self.world.reader.incremental = True
        self.read()
        self.world.reader.known.clear()

    def test_by_reader(self) -> None:
        """A reader that opens the repository at each read makes a look needless."""
        self.world.reader.incremental = False
        self.world.storage.snapshots.append(snapshot(10))
        self.read()
        self.assertEqual(self.world.backend.loads.count("config"), 1)
        self.assert_asked(1)
        for hours, asked in ((22, 0), (1, 1), (23, 0)):
            self.clock.advance(hours * 3600)
            self.read()
            self.assert_asked(asked)

    def test_once_a_day(self) -> None:
        """Where no listing shows them, they are looked at once a day, and nobody is asked."""
        for hours, looks in ((1, 1), (21, 1), (1, 2), (22, 2), (1, 3)):
            self.clock.advance(hours * 3600)
            self.assertTrue(self.read().unchanged)
            self.assertEqual(self.world.backend.loads.count("config"), looks)
        self.assert_asked(0)

    def test_changed(self) -> None:
        """Other keys, or another config, make the reader open the repository anew, once."""
        storage = self.world.storage
        for change in (
            lambda: storage.keys.append(name(98)),
            lambda: storage.keys.pop(0),
            lambda: setattr(storage, "config", b"other"),
        ):
            change()
            self.assertTrue(self.read().unchanged)
            self.clock.advance(23 * 3600)
            self.assertFalse(self.read().unchanged)
            self.assert_asked(1)
            access = self.world.reader.requests[-1].access
            assert access is not None
            self.assertEqual((access.keys, access.config), (set(storage.keys), storage.config))
            self.clock.advance(23 * 3600)
            self.assertTrue(self.read().unchanged)
            self.assert_asked(0)

    def test_shown(self) -> None:
        """Where the listing shows the keys, a change of them is seen at once."""
        self.world.backend.shows_keys = True
        self.assertTrue(self.read().unchanged)
        self.world.storage.keys.append(name(98))
        self.read()
        self.assert_asked(1)
        self.assertTrue(self.read().unchanged)

    def test_with_the_snapshots(self) -> None:
        """They are looked at whenever the snapshots have changed."""
        self.world.storage.config = b"other"
        self.world.storage.snapshots.clear()
        self.assertEqual(self.read().content.snapshot_count, 0)
        self.assert_asked(1)

    def test_made_anew(self) -> None:
        """Snapshots that are all gone are believed only if the reader can open the repository."""
        self.world.storage.snapshots.clear()
        self.world.storage.config = b"other"
        self.world.storage.read_error = ReadError(Reason.AUTH, "wrong password")
        for _ in range(2):
            self.assertEqual(self.failed().reason, Reason.AUTH)
        self.world.storage.read_error = None
        self.assertEqual(self.read().content.snapshot_count, 0)

    def test_lost(self) -> None:
        """Without any key, or with an empty config, nobody can open it."""
        self.clock.advance(23 * 3600)
        keys = self.world.storage.keys[:]
        self.world.storage.keys.clear()
        self.assertEqual(self.failed().reason, Reason.KEYS)
        self.world.storage.keys[:] = keys
        self.world.storage.config = b""
        self.assertEqual(self.failed().reason, Reason.KEYS)
        self.world.storage.config = b"config"
        self.assertTrue(self.read().unchanged)

    def test_locks_error(self) -> None:
        """Locks that cannot be listed are left out, and all else is shown."""
        self.world.storage.locks_error = ReadError(Reason.AUTH, "forbidden")
        for reading in (self.read(), self.read()):
            self.assertEqual(reading.locks, None)
            self.assertIs(reading.locks_error, self.world.storage.locks_error)
            self.assertEqual(reading.content.snapshot_count, 3)
