"""Tests of `restic_reporter.concurrency.daemon_threads`, with real threads."""

import threading
from typing import Any

from twisted.internet import reactor as default_reactor
from twisted.internet.defer import CancelledError
from twisted.trial.unittest import TestCase

from restic_reporter.concurrency.daemon_threads import BusyError, KeyedThreads, in_daemon_thread
from restic_reporter.testing import all_threads_back

reactor: Any = default_reactor


class InDaemonThreadTests(TestCase):
    """`in_daemon_thread`."""

    async def test_result(self) -> None:
        """The function runs elsewhere, in a thread that does not hold up the end, and its result
        comes back to the reactor."""

        def work(a: int, b: int) -> tuple[int, bool, bool]:
            here = threading.current_thread()
            return a + b, here.daemon, here is threading.main_thread()

        result = in_daemon_thread(reactor, work, 2, 3)
        self.assertEqual(await result, (5, True, False))
        self.assertIs(threading.current_thread(), threading.main_thread())

    async def test_failure(self) -> None:
        """What the function raises comes back."""
        with self.assertRaises(ZeroDivisionError):
            await in_daemon_thread(reactor, lambda: 1 // 0)

    async def test_cancel(self) -> None:
        """Cancelled, it ends at once; what the function gives later goes nowhere."""
        go_on = threading.Event()
        result = in_daemon_thread(reactor, go_on.wait, 30)
        result.cancel()
        with self.assertRaises(CancelledError):
            await result
        go_on.set()
        await all_threads_back()


class KeyedThreadsTests(TestCase):
    """`KeyedThreads`."""

    def setUp(self) -> None:
        """Threads, and something to hold them with."""
        self.threads = KeyedThreads(reactor)
        self.go_on = threading.Event()
        self.addCleanup(all_threads_back)
        self.addCleanup(self.go_on.set)

    async def test_result(self) -> None:
        """The result comes back, and then the key is free again, also within a callback."""
        for number in range(3):
            self.assertEqual(await self.threads.run("key", pow, 2, number), 2**number)

    async def test_failure(self) -> None:
        """What the function raises comes back, and the key is free again."""
        for _ in range(2):
            with self.assertRaises(ZeroDivisionError):
                await self.threads.run("key", divmod, 1, 0)

    async def test_busy(self) -> None:
        """A second call for one key is refused at once; other keys do not notice."""
        first = self.threads.run("key", self.go_on.wait, 30)
        self.assertRaises(BusyError, self.threads.run, "key", pow, 2, 3)
        self.assertEqual(await self.threads.run("other", pow, 2, 3), 8)
        self.go_on.set()
        self.assertIs(await first, True)
        self.assertEqual(await self.threads.run("key", pow, 2, 3), 8)

    async def test_cancel(self) -> None:
        """A cancelled call ends at once; its key is busy until its thread has come back, and
        however often it is asked for, there is no other thread."""
        first = self.threads.run("key", self.go_on.wait, 30)
        first.cancel()
        with self.assertRaises(CancelledError):
            await first
        number = threading.active_count()
        for _ in range(100):
            self.assertRaises(BusyError, self.threads.run, "key", pow, 2, 3)
        self.assertEqual(threading.active_count(), number)
        self.go_on.set()
        await all_threads_back()
        self.assertEqual(await self.threads.run("key", pow, 2, 3), 8)

    async def test_no_more_threads(self) -> None:
        """Where the system gives no more threads the caller is told, and the key stays free."""

        def start(thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        patch = self.patch(threading.Thread, "start", start)
        self.assertRaises(RuntimeError, self.threads.run, "key", pow, 2, 3)
        patch.restore()
        self.assertEqual(await self.threads.run("key", pow, 2, 3), 8)
