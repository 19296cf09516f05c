"""Tests of `restic_reporter.concurrency.cpu_threads`."""

import gc
import os
import threading
import weakref
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.trial.unittest import TestCase

from restic_reporter.concurrency.cpu_threads import WorkerThreads, usable_cores
from tests.doubles.programs import PATIENCE


class WorkerThreadsTests(TestCase):
    """Jobs, their order and their end."""

    def workers(self, size: int = 1) -> WorkerThreads:
        """Some, which end with the test."""
        workers = WorkerThreads(cast(Any, reactor), size)
        self.addCleanup(workers.stop)
        return workers

    def gate(self, workers: WorkerThreads) -> "tuple[threading.Event, Deferred[bool]]":
        """Keep one thread at work until the event is set."""
        begun, go_on = threading.Event(), threading.Event()
        self.addCleanup(go_on.set)

        def wait() -> bool:
            begun.set()
            return go_on.wait(PATIENCE)

        result = workers.run(wait)
        self.assertTrue(begun.wait(PATIENCE))
        return go_on, result

    async def test_results(self) -> None:
        """What a job returns or raises comes back on the reactor's thread."""
        workers = self.workers(2)
        result = workers.run(divmod, 7, 3)
        result.addCallback(lambda value: (value, threading.current_thread()))
        self.assertEqual(await result, ((2, 1), threading.main_thread()))
        with self.assertRaises(ZeroDivisionError):
            await workers.run(divmod, 7, 0)

    async def test_bounded(self) -> None:
        """However many jobs there are, no more than ``size`` run at one time, each of them."""
        workers = self.workers(2)
        barrier = threading.Barrier(2, timeout=PATIENCE)
        seen: set[int] = set()

        def meet() -> None:
            # Two threads are needed to get on; a third would be seen.
            seen.add(threading.get_ident())
            barrier.wait()

        await gatherResults([workers.run(meet) for _ in range(40)])
        self.assertEqual(len(seen), 2)

    async def test_short_before_long(self) -> None:
        """Short jobs overtake long ones; within their kind they keep their order."""
        workers = self.workers()
        go_on, _ = self.gate(workers)
        order: list[int] = []
        jobs = [workers.run(order.append, number, long=number < 3) for number in range(6)]
        go_on.set()
        await gatherResults(jobs)
        self.assertEqual(order, [3, 4, 5, 0, 1, 2])

    async def test_cancelled_in_queue(self) -> None:
        """A cancelled job never begins, and what it was about is let go."""

        class Precious:
            """Something that can be watched."""

        workers = self.workers()
        go_on, waiting = self.gate(workers)
        calls: list[object] = []
        precious = Precious()
        watched = weakref.ref(precious)
        job = workers.run(calls.append, precious)
        del precious
        job.cancel()
        await self.assertFailure(job, CancelledError)
        gc.collect()
        self.assertIsNone(watched())
        go_on.set()
        await waiting
        await workers.run(int)
        self.assertEqual(calls, [])

    async def test_cancelled_at_work(self) -> None:
        """The result of a cancelled job that had begun is dropped."""
        workers = self.workers()
        go_on, waiting = self.gate(workers)
        waiting.cancel()
        await self.assertFailure(waiting, CancelledError)
        go_on.set()
        self.assertEqual(await workers.run(int), 0)

    async def test_stop(self) -> None:
        """After a stop nothing begins, and the threads end."""
        workers = self.workers()
        thread = await workers.run(threading.current_thread)
        workers.stop()
        thread.join(PATIENCE)
        self.assertFalse(thread.is_alive())
        with self.assertRaises(RuntimeError):
            workers.run(int)

    async def test_no_threads_left(self) -> None:
        """Where no thread can be started at all the caller is told; one that runs serves all."""

        def refuse(thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        idle, served = self.workers(2), self.workers(2)
        go_on, _ = self.gate(served)
        self.patch(threading.Thread, "start", refuse)
        with self.assertRaises(RuntimeError):
            idle.run(int)
        job = served.run(int)
        go_on.set()
        self.assertEqual(await job, 0)

    def test_usable_cores(self) -> None:
        """As many threads as processors that this process may use."""
        before = os.sched_getaffinity(0)
        self.addCleanup(os.sched_setaffinity, 0, before)
        os.sched_setaffinity(0, {min(before)})
        self.assertEqual(usable_cores(), 1)
