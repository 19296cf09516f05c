"""Tests of `restic_reporter.collection.collector`."""

from collections.abc import Sequence
from typing import cast

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.collection.collector import Collector
from restic_reporter.collection.state import JobStatus, RepositoryStatus, Task
from restic_reporter.config.secret_documents import password_document
from restic_reporter.model.errors import ReadError, Reason
from tests.doubles.repositories import NOW, World, repository, snapshot


class CollectorCase(SynchronousTestCase):
    """A collector with a clock of its own."""

    concurrency = 8

    def setUp(self) -> None:
        self.clock = Clock()
        self.make(self.concurrency)
        self.events: list[LogEvent] = []
        observer = cast(ILogObserver, self.events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def make(self, concurrency: int) -> None:
        """Make the collector anew."""
        self.collector = Collector(self.clock, lambda: NOW + self.clock.seconds(), concurrency)

    def use(self, *worlds: World) -> None:
        """Make these the config."""
        self.collector.set_tasks({world.task.repository.url: world.task for world in worlds})

    def worlds(self, number: int, timeout: float = 300.0) -> list[World]:
        """So many repositories, in use."""
        worlds = [World.make(f"/{index}", timeout=timeout) for index in range(number)]
        self.use(*worlds)
        return worlds

    @property
    def statuses(self) -> dict[str, RepositoryStatus]:
        """All that is known of the repositories."""
        return self.collector.state.statuses

    @property
    def job(self) -> JobStatus:
        """All that is known of the collections."""
        return self.collector.state.job

    def collect(self, labels: set[str] | None = None, complete: bool = True) -> None:
        """A whole collection."""
        self.assertIsNone(self.successResultOf(self.collector.collect(labels, complete)))

    def status(self, url: str = "/0") -> RepositoryStatus:
        """What is known of a repository."""
        return self.statuses[url]

    def logged(self) -> str:
        """All that was logged, but for debugging."""
        return "\n".join(
            str(event.get("log_format", "")).format(**event)
            for event in self.events
            if event.get("log_namespace", "").startswith("restic_reporter")
        )


class CollectTests(CollectorCase):
    """One collection after another."""

    def test_good(self) -> None:
        """A good read gives content, a time and a duration, and the job's are noted too."""
        (world,) = self.worlds(1)
        waiting = world.hold()
        running = self.collector.collect()
        self.assertTrue(self.collector.running)
        self.assertTrue(self.job.running)
        self.clock.advance(7)
        waiting[0].callback(None)
        self.successResultOf(running)
        status = self.status()
        assert status.content is not None
        self.assertEqual(status.content.snapshot_count, 1)
        self.assertEqual((status.success, status.last_success, status.duration), (True, NOW + 7, 7))
        job = self.job
        self.assertEqual(
            (job.running, job.last_success, job.duration, job.error_count), (False, NOW + 7, 7, 0)
        )
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_repository(self) -> None:
        """Collections of nothing end at once, and leave the way free for the next."""
        self.collect()
        self.collect()
        self.assertFalse(self.collector.running)
        self.assertEqual(self.job.last_success, NOW)
        self.worlds(1)
        self.collect()
        self.assertTrue(self.status().success)

    def test_no_overlap(self) -> None:
        """A second collection at one time is refused; after the end it is not."""
        (world,) = self.worlds(1)
        waiting = world.hold()
        running = self.collector.collect()
        self.assertRaises(RuntimeError, self.collector.collect)
        waiting[0].callback(None)
        self.successResultOf(running)
        self.collector.collect()
        self.assertEqual(len(waiting), 2)
        waiting[1].callback(None)

    def test_failure_keeps_content(self) -> None:
        """After a failed read the last good values stay; what speaks of the read changes."""
        (world,) = self.worlds(1)
        self.collect()
        before = evolve(self.status())
        self.clock.advance(100)
        world.storage.list_error = ReadError(Reason.NETWORK, "refused")
        self.collect()
        self.collect()
        status = self.status()
        self.assertIs(status.content, before.content)
        self.assertEqual(status.last_success, NOW)
        self.assertEqual((status.success, status.failures), (False, {Reason.NETWORK: 2}))
        self.assertGreater(status.revision, before.revision)
        job = self.job
        self.assertEqual((job.error_count, job.last_success), (1, NOW + 100))
        self.assertIn("cannot read /0: refused (network)", self.logged())

    def test_recovery(self) -> None:
        """A repository that is well again is well again; its failures stay counted."""
        (world,) = self.worlds(1)
        world.storage.list_error = ReadError(Reason.TLS, "expired")
        self.collect()
        self.assertIsNone(self.status().content)
        self.assertIsNone(self.status().last_success)
        world.storage.list_error = None
        self.collect()
        self.assertEqual((self.status().success, self.status().failures), (True, {Reason.TLS: 1}))
        self.assertEqual(self.job.error_count, 0)

    def test_others_unaffected(self) -> None:
        """One that fails does not keep the others from being read."""
        worlds = self.worlds(3)
        worlds[1].storage.read_error = ReadError(Reason.AUTH, "wrong password")
        self.collect()
        self.assertEqual(
            [self.status(f"/{index}").success for index in range(3)], [True, False, True]
        )

    def test_internal(self) -> None:
        """A bug in a backend or a reader is that repository's failure, with a traceback."""
        worlds = self.worlds(3)
        worlds[0].storage.list_error = ZeroDivisionError("bug: sesame")
        worlds[1].storage.read_error = KeyError("bug")
        self.collect()
        self.assertEqual(self.status("/0").failures, {Reason.INTERNAL: 1})
        self.assertEqual(self.status("/1").failures, {Reason.INTERNAL: 1})
        self.assertTrue(self.status("/2").success)
        self.assertIn("ZeroDivisionError: bug: ***", self.logged())
        self.assertIn("in list", self.logged())
        self.assertIn("KeyError: 'bug'", self.logged())
        self.assertNotIn("sesame", self.logged())

    def test_stray_cancellation(self) -> None:
        """A backend that cancels work of its own and lets it show has a bug, no more."""
        worlds = self.worlds(2)
        worlds[0].storage.list_error = CancelledError()
        self.collect()
        self.assertEqual(self.status("/0").failures, {Reason.INTERNAL: 1})
        self.assertTrue(self.status("/1").success)
        self.assertEqual(self.job.last_success, NOW)
        self.assertIn("CancelledError", self.logged())

    def test_no_secret_in_the_log(self) -> None:
        """An error that repeats a secret is logged without it."""
        (world,) = self.worlds(1)
        world.storage.list_error = ReadError(Reason.AUTH, "sesame at http://u:open@h/ refused")
        self.collect()
        self.assertIn("*** at http://u:***@h/ refused (auth)", self.logged())
        self.assertNotIn("sesame", self.logged())

    def test_unchanged(self) -> None:
        """An unchanged listing asks no reader."""
        (world,) = self.worlds(1)
        self.collect()
        self.collect()
        self.assertEqual((world.backend.listings, world.reader.reads), (2, 1))

    def test_dropped_sets(self) -> None:
        """Sets beyond the limit are told in the log."""
        (world,) = self.worlds(1)
        world.storage.snapshots = [snapshot(n, host=f"h{n}") for n in range(1003)]
        self.collect()
        self.assertIn("/0: 3 backup sets are beyond the limit and not shown", self.logged())

    def test_on_read(self) -> None:
        """Each status is handed out right after it has changed, whether well read or not."""
        worlds = self.worlds(2)
        worlds[1].storage.list_error = ReadError(Reason.TLS, "expired")
        seen: list[tuple[str, bool | None]] = []
        self.collector.on_read = lambda status: seen.append(
            (status.task.repository.url, status.success)
        )
        self.collect()
        self.assertEqual(seen, [("/0", True), ("/1", False)])

    def test_bug_in_on_read(self) -> None:
        """A bug in who is told of a read keeps no other repository from being read."""
        self.make(1)
        self.worlds(2)
        self.collector.on_read = lambda status: [][status.revision]
        self.collect()
        self.assertTrue(self.status("/1").success)
        self.assertEqual(len(self.flushLoggedErrors(IndexError)), 2)


class ConfigTests(CollectorCase):
    """What a new config does."""

    def test_next_collection(self) -> None:
        """New, changed and removed entries count from the next collection on, not at once."""
        self.worlds(2)
        self.collect()
        self.use(World.make("/1"), World.make("/2"))
        self.assertEqual(set(self.statuses), {"/0", "/1"})
        self.collect()
        self.assertEqual(set(self.statuses), {"/1", "/2"})

    def test_during_a_collection(self) -> None:
        """A collection ends with the config that it began with."""
        self.make(1)
        old = [World.make(f"/{index}") for index in range(2)]
        waiting = [world.hold() for world in old]
        self.use(*old)
        running = self.collector.collect()
        new = World.make("/1")
        self.use(new)
        waiting[0][0].callback(None)
        waiting[1][0].callback(None)
        self.successResultOf(running)
        self.assertEqual((new.backend.listings, old[1].backend.listings), (0, 1))
        self.assertEqual(set(self.statuses), {"/0", "/1"})

    def test_changed_entry_is_read(self) -> None:
        """A changed entry is read with its reader though the listing is unchanged."""
        (world,) = self.worlds(1)
        self.collect()
        world.task = evolve(world.task, repository=repository("/0", password="other"))
        self.use(world)
        world.storage.read_error = ReadError(Reason.AUTH, "wrong password")
        for _ in range(2):
            self.collect()
            self.assertFalse(self.status().success)
            self.assertIsNotNone(self.status().content)

    def test_moved_entry_is_not_read(self) -> None:
        """An entry that only moved in the file is not read again."""
        (world,) = self.worlds(1)
        self.collect()
        world.task = evolve(world.task, repository=repository("/0", position=5))
        self.use(world)
        self.collect()
        self.assertEqual((world.backend.listings, world.reader.reads), (2, 1))
        self.assertEqual(self.status().task.repository.position, 5)

    def test_some(self) -> None:
        """A collection of some leaves the others, but for those that were never read."""
        worlds = self.worlds(2)
        self.collect()
        fresh = World.make("/new")
        self.use(*worlds, fresh)
        self.clock.advance(50)
        self.collect({"/1"}, complete=False)
        self.assertEqual([one.backend.listings for one in (*worlds, fresh)], [1, 2, 1])
        self.assertEqual(self.job.last_success, NOW)

    def test_some_count_all_errors(self) -> None:
        """The error count is that of all repositories, not of those just read."""
        worlds = self.worlds(2)
        worlds[0].storage.list_error = ReadError(Reason.TLS, "expired")
        self.collect()
        self.collect({"/1"}, complete=False)
        self.assertEqual(self.job.error_count, 1)


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

    def progress(self) -> list[str]:
        """What has been said of the progress since the last look."""
        lines = self.logged().splitlines()
        self.events.clear()
        begin, end = "still collecting: ", " repositories left; longest at work"
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
        self.assertFalse(self.collector.running)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertIn("the collection was ended early", self.logged())

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
        self.assertTrue(self.collector.running)
        cleaned.callback(None)
        self.assertIsNone(self.successResultOf(running))

    def test_next_one(self) -> None:
        """After a cancelled collection the next one reads all."""
        worlds = self.worlds(3)
        worlds[0].hold()
        self.collector.collect().cancel()
        worlds[0].backend.waiting = None
        self.collect()
        self.assertTrue(all(one.success for one in self.statuses.values()))


class SecretStoreTests(CollectorCase):
    """Repositories that need a secret store first."""

    def setUp(self) -> None:
        super().setUp()
        self.world = World.make("/0")
        self.asked: list[list[str]] = []
        self.error: ReadError | None = ReadError(Reason.SECRET, "no answer")
        self.answer: Deferred[None] | None = None
        self.incomplete = self.without_secrets(self.world)
        self.collector.set_tasks({"/0": self.incomplete}, self.complete)

    def without_secrets(self, world: World) -> Task:
        """The task of ``world`` before its secrets have been looked up."""
        wanting = evolve(
            world.task.repository, materials=(password_document("vault_material", "vault", "a"),)
        )
        return evolve(world.task, repository=wanting, backend=None)

    async def complete(self, tasks: Sequence[Task]) -> list[Task | ReadError]:
        """Look the secrets up."""
        self.asked.append([one.repository.url for one in tasks])
        if self.answer is not None:
            await self.answer
        return [self.error or self.world.task for _ in tasks]

    def test_until_it_is_there(self) -> None:
        """It fails with the reason until its secrets are there, and needs no more of them then."""
        for failures in (1, 2):
            self.collect()
            self.assertEqual(self.status().failures, {Reason.SECRET: failures})
        self.error = None
        for _ in range(2):
            self.collect()
            self.assertTrue(self.status().success)
        self.assertEqual(self.asked, [["/0"]] * 3)
        self.assertEqual(self.world.reader.reads, 1)

    def test_together(self) -> None:
        """In one collection all are looked up together; one that fails is told like a read."""
        seen: list[str] = []
        self.collector.on_read = lambda status: seen.append(status.task.repository.url)
        others = [World.make(f"/{index}") for index in range(1, 4)]
        tasks = {one.task.repository.url: self.without_secrets(one) for one in others}
        self.collector.set_tasks(tasks, self.complete)
        self.collect()
        self.assertEqual(self.asked, [["/1", "/2", "/3"]])
        self.assertEqual(seen, ["/1", "/2", "/3"])

    def test_beside_the_others(self) -> None:
        """Nobody waits for secrets that others need, and they for nobody else's repository."""
        self.error, self.answer = None, Deferred()
        good, slow = World.make("/1"), World.make("/2")
        waiting = slow.hold()
        tasks = {one.task.repository.url: one.task for one in (good, slow)}
        self.collector.set_tasks({"/0": self.incomplete, **tasks}, self.complete)
        collection = self.collector.collect()
        self.assertEqual((good.reader.reads, self.world.reader.reads), (1, 0))
        self.answer.callback(None)
        self.assertEqual(self.world.reader.reads, 1)
        self.assertNoResult(collection)
        waiting.pop().callback(None)
        self.successResultOf(collection)

    def test_cancelled(self) -> None:
        """A collection that is ended ends the look-up too, and counts no failure."""
        self.answer = Deferred()
        collection = self.collector.collect()
        collection.cancel()
        self.assertIsNone(self.successResultOf(collection))
        self.assertEqual(self.status().failures, {})
        self.assertFalse(self.collector.running)

    def test_reload_meanwhile(self) -> None:
        """A config that comes while a secret is looked up is not undone by it."""
        newer = World.make("/0", snapshots=7)

        async def complete(tasks: Sequence[Task]) -> list[Task | ReadError]:
            self.use(newer)
            return [self.world.task]

        self.collector.set_tasks({"/0": self.incomplete}, complete)
        for count in (1, 7):
            self.collect()
            content = self.status().content
            assert content is not None
            self.assertEqual(content.snapshot_count, count)
            self.status().fingerprint = None

    def test_memory(self) -> None:
        """What the reader keeps is gone when the entry has changed, and only then."""
        self.use(self.world)
        self.collect()
        memory = self.status().memory
        memory.kept = "something"
        self.collect()
        self.assertIs(self.status().memory, memory)
        changed = evolve(self.world.task, repository=repository("/0", password="other"))
        self.collector.set_tasks({"/0": changed})
        self.collect()
        self.assertIsNone(self.status().memory.kept)
