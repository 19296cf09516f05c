"""Tests of the collector with several repositories at one time, and of its end."""

from attrs import evolve
from twisted.internet.defer import Deferred

from restic_reporter.collection.run import Progress
from restic_reporter.model.errors import ReadError, Reason
from tests.doubles.collector_case import CollectorCase
from tests.doubles.repositories import World, repository


class SideBySideTests(CollectorCase):
    """Many repositories at one time."""

    concurrency = 3

    def test_concurrency(self) -> None:
        """No more are read at one time than allowed, and as many as are allowed."""
        worlds = self.worlds(10)
        waiting = [world.hold() for world in worlds]
        running = self.collector.collect()
        for done in range(10):
            started = [index for index, one in enumerate(waiting) if one]
            self.assertEqual(len(started), min(10, done + 3))
            waiting[done][0].callback(None)
        self.successResultOf(running)

    def test_own_deadline(self) -> None:
        """Each repository has its own time, which begins when its own read begins."""
        self.make(1)
        worlds = [World.make("/0", timeout=5), World.make("/1", timeout=20)]
        self.use(*worlds)
        waiting = [world.hold() for world in worlds]
        running = self.collector.collect()
        self.clock.advance(4.9)
        self.assertEqual(waiting[1], [])
        self.clock.advance(0.1)
        self.assertEqual(self.status("/0").failures, {Reason.TIMEOUT: 1})
        self.assertEqual(self.status("/0").duration, 5)
        self.clock.advance(19)
        self.assertNoResult(running)
        waiting[1][0].callback(None)
        self.successResultOf(running)
        self.assertTrue(self.status("/1").success)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_slow_one(self) -> None:
        """One slow repository delays nobody else."""
        worlds = self.worlds(10)
        waiting = worlds[0].hold()
        running = self.collector.collect()
        self.assertEqual([world.backend.listings for world in worlds], [1] * 10)
        self.assertTrue(all(self.status(f"/{index}").success for index in range(1, 10)))
        waiting[0].callback(None)
        self.successResultOf(running)

    def test_progress(self) -> None:
        """A long collection says every 10 s how many are left, and which take longest."""
        worlds = self.worlds(6)
        waiting = [world.hold() for world in worlds]
        running = self.collector.collect()
        self.clock.advance(4)
        waiting[1][0].callback(None)
        self.clock.advance(5)
        self.assertNotIn("still collecting", self.logged())
        self.clock.advance(1)
        self.assertEqual(self.progress(), ["5 of 6: /0 (10 s), /2 (10 s), /3 (6 s)"])
        for index in (0, 2):
            waiting[index][0].callback(None)
        self.clock.advance(10)
        self.assertEqual(self.progress(), ["3 of 6: /3 (16 s), /4 (10 s), /5 (10 s)"])
        for index in (3, 4):
            waiting[index][0].callback(None)
        self.clock.advance(10)
        self.assertEqual(self.progress(), ["1 of 6: /5 (20 s)"])
        waiting[5][0].callback(None)
        self.successResultOf(running)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.clock.advance(10)
        self.assertEqual(self.progress(), [])

    def test_how_far(self) -> None:
        """During a collection one can ask how far it is; outside of one nothing is left."""
        worlds = self.worlds(3)
        waiting = [world.hold() for world in worlds]
        self.assertEqual(self.collector.progress(), Progress(0, ()))
        running = self.collector.collect()
        self.clock.advance(4)
        waiting[1][0].callback(None)
        self.clock.advance(1)
        self.assertEqual(self.collector.progress(), Progress(2, (("/0", 5.0), ("/2", 5.0))))
        running.cancel()
        self.assertEqual(self.collector.progress(), Progress(0, ()))

    def test_why(self) -> None:
        """Why the latest read failed is kept, without secrets, until one succeeds."""
        (world,) = self.worlds(1)
        world.task = evolve(world.task, repository=repository("/0", password="hunter2marker"))
        self.use(world)
        world.storage.list_error = ReadError(Reason.AUTH, "refused: hunter2marker")
        self.collect()
        error = self.status().error
        assert error is not None
        self.assertEqual((error.reason, error.message), (Reason.AUTH, "refused: ***"))
        self.assertIsNone(error.__traceback__)
        world.storage.list_error = None
        self.collect()
        self.assertIsNone(self.status().error)

    def progress(self) -> list[str]:
        """What has been said of the progress since the last look."""
        lines = self.logged().splitlines()
        self.events.clear()
        begin, end = "still collecting: ", " repositories left; longest running"
        return [line.removeprefix(begin).replace(end, "") for line in lines if begin in line]

    def test_no_progress(self) -> None:
        """A short collection says nothing of its progress, and one that is cancelled no more."""
        worlds = self.worlds(2)
        waiting = worlds[0].hold()
        running = self.collector.collect()
        self.clock.advance(9.9)
        waiting[0].callback(None)
        self.successResultOf(running)
        running = self.collector.collect()
        self.clock.advance(9.9)
        running.cancel()
        self.successResultOf(running)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.progress(), [])

    def test_failed_ones_last(self) -> None:
        """What failed last time is read after all others."""
        self.make(1)
        worlds = self.worlds(4)
        for world in worlds[:2]:
            world.storage.list_error = ReadError(Reason.TIMEOUT, "silent")
        order: list[str] = []
        self.collector.on_read = lambda status: order.append(status.task.repository.url)
        self.collect()
        self.collect()
        self.assertEqual(order, ["/0", "/1", "/2", "/3", "/2", "/3", "/0", "/1"])

    def test_half_silent(self) -> None:
        """Of 500 repositories half of which are silent, all good ones are read, and all end."""
        worlds = self.worlds(500, timeout=10)
        for world in worlds[::2]:
            world.hold()
        running = self.collector.collect()
        for _ in range(100):
            self.clock.advance(10)
        self.successResultOf(running)
        self.assertEqual(self.job.error_count, 250)
        self.assertEqual(sum(one.success is True for one in self.statuses.values()), 250)


class CancelTests(CollectorCase):
    """The end of a collection before its end."""

    concurrency = 2

    def test_cancel(self) -> None:
        """Cancelled, all reads are ended, none begins, and nothing is noted as a failure."""
        worlds = self.worlds(4)
        waiting = [world.hold() for world in worlds]
        running = self.collector.collect()
        running.cancel()
        self.assertIsNone(self.successResultOf(running))
        self.assertEqual([len(one) for one in waiting], [1, 1, 0, 0])
        self.assertEqual([one.success for one in self.statuses.values()], [None] * 4)
        job = self.job
        self.assertEqual((job.running, job.last_success, job.duration), (False, None, None))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertIn("collection cancelled", self.logged())

    def test_error_by_cancelling(self) -> None:
        """A read that makes an error of its cancellation does not go on to the next one."""
        worlds = self.worlds(4)

        def wait(path: str) -> "Deferred[None]":
            return Deferred(lambda self: self.errback(ReadError(Reason.NETWORK, "aborted")))

        for world in worlds:
            world.backend.waiting = wait
        running = self.collector.collect()
        running.cancel()
        self.assertIsNone(self.successResultOf(running))
        self.assertEqual([world.backend.listings for world in worlds], [1, 1, 0, 0])
        self.assertEqual([one.success for one in self.statuses.values()], [None] * 4)
        self.assertIsNone(self.job.last_success)

    def test_waits_for_the_end(self) -> None:
        """The Deferred fires only when the last read has cleaned up after itself."""
        (world,) = self.worlds(1)
        cleaned: Deferred[None] = Deferred()

        async def wait(path: str) -> None:
            try:
                await Deferred()
            finally:
                await cleaned

        world.backend.waiting = wait
        running = self.collector.collect()
        running.cancel()
        self.assertNoResult(running)
        self.assertTrue(self.job.running)
        cleaned.callback(None)
        self.assertIsNone(self.successResultOf(running))

    def test_changed_entry(self) -> None:
        """A changed entry whose read was cancelled is read in the next collection of any."""
        worlds = self.worlds(2)
        self.collect()
        changed = evolve(worlds[0].task, repository=repository("/0", password="other"))
        self.collector.set_tasks({"/0": changed, "/1": worlds[1].task})
        worlds[0].hold()
        self.collector.collect().cancel()
        worlds[0].backend.waiting = None
        self.collect({"/1"}, complete=False)
        self.assertEqual([one.backend.listings for one in worlds], [3, 3])

    def test_next_one(self) -> None:
        """After a cancelled collection the next one reads all."""
        worlds = self.worlds(3)
        worlds[0].hold()
        self.collector.collect().cancel()
        worlds[0].backend.waiting = None
        self.collect()
        self.assertTrue(all(one.success for one in self.statuses.values()))
