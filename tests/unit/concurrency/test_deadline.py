"""Tests of `restic_reporter.concurrency.deadline`."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.concurrency.deadline import Deadline, sleep, within
from restic_reporter.model.errors import ReadError, Reason


class DeadlineTests(SynchronousTestCase):
    """`Deadline`."""

    def test_remaining(self) -> None:
        """What remains shrinks with time, and never below zero."""
        clock = Clock()
        deadline = Deadline.after(clock, 5)
        clock.advance(3)
        self.assertEqual(deadline.remaining(), 2)
        clock.advance(3)
        self.assertEqual(deadline.remaining(), 0)

    def test_sooner(self) -> None:
        """A part of the work may have less time, never more."""
        clock = Clock()
        deadline = Deadline.after(clock, 5)
        self.assertEqual(deadline.sooner(2).remaining(), 2)
        self.assertEqual(deadline.sooner(9).remaining(), 5)


class SleepTests(SynchronousTestCase):
    """`sleep`."""

    def test_fires(self) -> None:
        """It fires when the time has passed."""
        clock = Clock()
        waiting = sleep(clock, 5)
        clock.advance(4)
        self.assertNoResult(waiting)
        clock.advance(1)
        self.assertIsNone(self.successResultOf(waiting))

    def test_cancel(self) -> None:
        """Cancelled, it leaves nothing on the clock."""
        clock = Clock()
        waiting = sleep(clock, 5)
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(clock.getDelayedCalls(), [])


class WithinTests(SynchronousTestCase):
    """`within`."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.deadline = Deadline.after(self.clock, 5)

    def start(self, work: "Deferred[str]") -> "Deferred[str]":
        """Await ``work`` within the deadline."""

        async def body() -> str:
            return await work

        return Deferred.fromCoroutine(within(self.deadline, body(), "reading"))

    def test_result(self) -> None:
        """Work that ends in time gives its result and leaves nothing on the clock."""
        work: Deferred[str] = Deferred()
        task = self.start(work)
        self.clock.advance(4)
        work.callback("x")
        self.assertEqual(self.successResultOf(task), "x")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_failure(self) -> None:
        """What the work raises comes out as it is."""
        work: Deferred[str] = Deferred()
        task = self.start(work)
        work.errback(KeyError("x"))
        self.failureResultOf(task, KeyError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_expiry(self) -> None:
        """Work that does not end in time is cancelled, which is a timeout."""
        cancelled: list[object] = []
        work: Deferred[str] = Deferred(cancelled.append)
        task = self.start(work)
        self.clock.advance(4.9)
        self.assertEqual(cancelled, [])
        self.clock.advance(0.1)
        self.assertEqual(cancelled, [work])
        error = self.failureResultOf(task, ReadError).value
        self.assertEqual(error.reason, Reason.TIMEOUT)
        self.assertEqual(str(error), "reading: timed out after 5.0 s (timeout)")

    def test_own_error_at_expiry(self) -> None:
        """A `ReadError` that the cancelled work raises knows better what it waited for."""
        work: Deferred[str] = Deferred(
            lambda self: self.errback(ReadError(Reason.UNAVAILABLE, "asked to wait"))
        )
        task = self.start(work)
        self.clock.advance(5)
        self.assertEqual(self.failureResultOf(task, ReadError).value.reason, Reason.UNAVAILABLE)

    def test_slow_end(self) -> None:
        """Work that needs time to clean up is waited for."""
        work: Deferred[str] = Deferred()

        async def body() -> str:
            try:
                return await Deferred()
            finally:
                await work

        task = Deferred.fromCoroutine(within(self.deadline, body(), "reading"))
        self.clock.advance(5)
        self.assertNoResult(task)
        work.callback("cleaned up")
        self.failureResultOf(task, ReadError)

    def test_cancellation(self) -> None:
        """Cancelled from outside it is no timeout, and leaves nothing on the clock."""
        task = self.start(Deferred())
        task.cancel()
        self.failureResultOf(task, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])
