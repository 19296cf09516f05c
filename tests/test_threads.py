"""Tests of `restic_reporter.threads`, with real threads."""

import threading

from twisted.internet import reactor
from twisted.internet.defer import CancelledError
from twisted.trial.unittest import TestCase

from restic_reporter.threads import in_daemon_thread


class InDaemonThreadTests(TestCase):
    """`in_daemon_thread`."""

    async def test_result(self) -> None:
        """The function runs elsewhere, in a thread that does not hold up the end, and its result
        comes back to the reactor."""

        def work(a: int, b: int) -> tuple[int, bool, bool]:
            here = threading.current_thread()
            return a + b, here.daemon, here is threading.main_thread()

        result = in_daemon_thread(reactor, work, 2, 3)  # type: ignore[arg-type]
        self.assertEqual(await result, (5, True, False))
        self.assertIs(threading.current_thread(), threading.main_thread())

    async def test_failure(self) -> None:
        """What the function raises comes back."""
        with self.assertRaises(ZeroDivisionError):
            await in_daemon_thread(reactor, lambda: 1 // 0)  # type: ignore[arg-type]

    async def test_cancel(self) -> None:
        """Cancelled, it ends at once; what the function gives later goes nowhere."""
        go_on = threading.Event()
        result = in_daemon_thread(reactor, go_on.wait, 30)  # type: ignore[arg-type]
        result.cancel()
        with self.assertRaises(CancelledError):
            await result
        go_on.set()
        # Its late result comes before that of a thread that begins now and waits for its end.
        before = [one for one in threading.enumerate() if one.name == "restic-reporter"]

        def wait() -> None:
            for one in before:
                one.join(30)

        await in_daemon_thread(reactor, wait)  # type: ignore[arg-type]
