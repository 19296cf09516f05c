"""Tests of the collector's config and secrets."""

from collections.abc import Sequence

from attrs import evolve
from twisted.internet.defer import Deferred

from restic_reporter.collection.state import Task
from restic_reporter.config.secret_documents import password_document
from restic_reporter.model.errors import ReadError, Reason
from tests.doubles.collector_case import CollectorCase
from tests.doubles.repositories import NOW, World, repository


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
        self.assertFalse(self.job.running)

    def test_several_wait(self) -> None:
        """All workers that wait for a look-up continue after it, and end if it is cancelled."""
        worlds = [World.make(f"/{index}") for index in range(3)]
        answer: Deferred[None] = Deferred()
        cleaned: Deferred[None] = Deferred()

        async def complete(tasks: Sequence[Task]) -> list[Task | ReadError]:
            try:
                await answer
            finally:
                await cleaned
            return [one.task for one in worlds]

        tasks = {one.task.repository.url: self.without_secrets(one) for one in worlds}
        self.collector.set_tasks(tasks, complete)
        collection = self.collector.collect()
        collection.cancel()
        self.assertNoResult(collection)
        cleaned.callback(None)
        self.successResultOf(collection)
        self.assertEqual([one.reader.reads for one in worlds], [0, 0, 0])
        answer = Deferred()
        collection = self.collector.collect()
        answer.callback(None)
        self.successResultOf(collection)
        self.assertEqual([one.reader.reads for one in worlds], [1, 1, 1])

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
