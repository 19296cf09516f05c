"""Tests of `restic_reporter.collection.restored_opener`, by a collector's collections."""

from collections.abc import Sequence

from twisted.internet.defer import Deferred

from restic_reporter.collection.collector import Collector
from restic_reporter.collection.state import RepositoryStatus, Task
from restic_reporter.model.errors import ReadError, Reason
from tests.doubles.collector_case import CollectorCase
from tests.doubles.repositories import NOW, World


class RestoredOpenerTests(CollectorCase):
    """Restored repositories are opened between collections."""

    def restart(
        self, worlds: Sequence[World], restore: Sequence[World], opens: bool = True
    ) -> None:
        """Read all, then go on as after a restart with the statuses of ``restore``."""
        self.use(*worlds)
        self.collect()
        known = dict(self.statuses)

        async def restored(tasks: Sequence[Task]) -> Sequence[RepositoryStatus]:
            return [
                RepositoryStatus(
                    task,
                    old.content,
                    old.locks,
                    table=old.table,
                    fingerprint=old.fingerprint,
                    access=old.access,
                    success=True,
                    last_success=old.last_success,
                    unopened=True,
                )
                for task in tasks
                if (old := known[task.repository.url]) and task in [one.task for one in restore]
            ]

        self.collector = Collector(
            self.clock,
            lambda: NOW + self.clock.seconds(),
            self.concurrency,
            restore=restored,
            open_restored=opens,
        )
        self.use(*worlds)

    def incremental(self, number: int) -> list[World]:
        """So many repositories whose reader keeps keys."""
        worlds = [World.make(f"/{index}") for index in range(number)]
        for one in worlds:
            one.reader.incremental = True
        return worlds

    def requests(self, worlds: Sequence[World]) -> list[int]:
        """How often each reader was asked."""
        return [len(one.reader.requests) for one in worlds]

    def test_one_at_a_time(self) -> None:
        """All are opened after the first collection, one after another, and only once."""
        worlds = self.incremental(3)
        self.restart(worlds, worlds)
        waiting: list[Deferred[None]] = []

        def wait() -> "Deferred[None]":
            waiting.append(Deferred())
            return waiting[-1]

        for one in worlds:
            one.reader.waiting = wait
        self.collect()
        self.assertFalse(self.job.running)
        for number in range(3):
            self.assertEqual(len(waiting), number + 1)
            waiting[number].callback(None)
        self.collect()
        self.assertEqual(len(waiting), 3)
        self.assertEqual(self.requests(worlds), [2, 2, 2])
        self.assertEqual({one.success for one in self.statuses.values()}, {True})

    def test_only_restored(self) -> None:
        """What was read by this process is open, and restic would be started for nothing."""
        worlds = self.incremental(3)
        worlds[2].reader.incremental = False
        self.restart(worlds, worlds[1:])
        self.collect()
        # The first was read anew, the second opened.
        self.assertEqual(self.requests(worlds), [2, 2, 1])

    def test_not_after_a_single_run(self) -> None:
        """A process that collects once opens nothing for later."""
        worlds = self.incremental(1)
        self.restart(worlds, worlds, opens=False)
        self.collect()
        self.assertEqual(self.requests(worlds), [1])

    def test_wrong_password(self) -> None:
        """A wrong password shows, once, stays shown by the next collection, and can be mended."""
        worlds = self.incremental(2)
        self.restart(worlds, worlds)
        worlds[0].reader.failure = ReadError(Reason.AUTH, "wrong password: sesame")
        worlds[0].storage.read_error = worlds[0].reader.failure
        shown: list[str] = []
        self.collector.on_read = lambda status: shown.append(status.task.repository.url)
        self.collect()
        self.assertEqual(shown, ["/0", "/1", "/0"])
        status = self.status()
        self.assertEqual((status.success, status.failures), (False, {Reason.AUTH: 1}))
        self.assertIsNotNone(status.content)
        self.assertEqual(status.reads[-1].message, "wrong password: ***")
        self.assertTrue(self.status("/1").success)
        self.collect()
        self.assertEqual((status.success, status.failures), (False, {Reason.AUTH: 2}))
        worlds[0].reader.failure = worlds[0].storage.read_error = None
        self.collect()
        self.assertTrue(status.success)

    def test_unreachable(self) -> None:
        """Whether it can be reached, only a collection says; it is opened after the next one."""
        (world,) = worlds = self.incremental(1)
        self.restart(worlds, worlds)
        world.reader.failure = ReadError(Reason.NETWORK, "refused")
        self.collect()
        self.assertTrue(self.status().success)
        world.reader.failure = None
        self.collect()
        self.assertEqual(self.requests(worlds), [3])
        self.collect()
        self.assertEqual(self.requests(worlds), [3])

    def test_bug(self) -> None:
        """A bug in a plugin ends neither the others' turn nor the schedule."""
        worlds = self.incremental(2)
        self.restart(worlds, worlds)
        worlds[0].reader.failure = ValueError("a bug")
        self.collect()
        self.assertEqual(self.requests(worlds), [2, 2])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_own_bug(self) -> None:
        """A bug in the daemon itself is logged, and the next collection goes on."""
        worlds = self.incremental(1)
        self.restart(worlds, worlds)
        worlds[0].reader.failure = ReadError(Reason.AUTH, "wrong password")
        self.patch(self.collector._opener, "_on_refused", None)
        self.collect()
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)
        self.collect()

    def test_collection_meanwhile(self) -> None:
        """A collection waits until opening has stopped, which goes on afterwards."""
        worlds = self.incremental(2)
        self.restart(worlds, worlds)
        stopping: Deferred[None] = Deferred()
        waiting: Deferred[None] = Deferred(lambda _: None)

        async def wait() -> None:
            try:
                await waiting
            finally:
                await stopping

        worlds[0].reader.waiting = wait
        self.collect()
        running = self.collector.collect()
        listings = worlds[0].backend.listings
        self.assertNoResult(running)
        worlds[0].reader.waiting = None
        stopping.callback(None)
        self.successResultOf(running)
        self.assertEqual(worlds[0].backend.listings, listings + 2)
        self.assertEqual(self.requests(worlds), [3, 2])

    def test_stop(self) -> None:
        """Stopping ends it, and returns when it has ended."""
        worlds = self.incremental(2)
        self.restart(worlds, worlds)
        waiting: Deferred[None] = Deferred()
        worlds[0].reader.waiting = lambda: waiting
        self.collect()
        self.successResultOf(Deferred.fromCoroutine(self.collector.stop()))
        self.assertEqual(self.requests(worlds), [2, 1])
        self.assertTrue(waiting.called)
