"""Tests of reading a repository that changes meanwhile."""

from functools import partial

from attrs import evolve
from twisted.internet.defer import Deferred

from restic_reporter.collection.state import Reading, RepositoryStatus
from restic_reporter.model.errors import ReadError, Reason
from tests.doubles.reading_case import ReadingTestCase
from tests.doubles.repositories import World, name, snapshot


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
