"""Tests of `restic_reporter.concurrency.single_flight`."""

from traceback import extract_tb

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.concurrency.single_flight import SingleFlight


class SingleFlightTests(SynchronousTestCase):
    """`SingleFlight`."""

    def setUp(self) -> None:
        """Work that ends when the test says."""
        self.began: list[Deferred[int]] = []
        self.ends = 0
        self.flight: SingleFlight[int] = SingleFlight(self.ended)

    def join(self) -> "Deferred[int]":
        """Join."""
        return self.flight.join(self.work)

    async def work(self) -> int:
        """Wait."""
        self.began.append(Deferred())
        return await self.began[-1]

    def ended(self) -> None:
        """Count ends."""
        self.assertFalse(self.flight.running)
        self.ends += 1

    def test_once(self) -> None:
        """All who join while it goes on wait for the same work; who comes later starts anew."""
        waiters = [self.join() for _ in range(3)]
        self.assertTrue(self.flight.running)
        self.assertEqual(len(self.began), 1)
        self.began[0].callback(5)
        self.assertEqual([self.successResultOf(one) for one in waiters], [5, 5, 5])
        self.assertEqual(self.ends, 1)
        again = self.join()
        self.assertEqual(len(self.began), 2)
        self.began[1].callback(6)
        self.assertEqual(self.successResultOf(again), 6)

    def test_at_once(self) -> None:
        """Work that ends within the call is told, and kept for nobody."""

        async def work() -> int:
            return 7

        for _ in range(2):
            self.assertEqual(self.successResultOf(self.flight.join(work)), 7)
        self.assertEqual((self.flight.running, self.ends), (False, 2))

    def test_keeps(self) -> None:
        """A good result is kept if asked for; failed work starts again."""
        self.flight = SingleFlight(keeps=True)
        failed = self.join()
        self.began[0].errback(ZeroDivisionError())
        self.failureResultOf(failed, ZeroDivisionError)
        self.join()
        self.began[1].callback(5)
        self.assertEqual(self.successResultOf(self.join()), 5)
        self.assertEqual(len(self.began), 2)

    def test_leave(self) -> None:
        """One who does not wait any longer does not end it for the others; the last one does."""
        first, second = self.join(), self.join()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertFalse(self.began[0].called)
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.assertTrue(self.began[0].called)
        third = self.join()
        self.began[1].callback(8)
        self.assertEqual(self.successResultOf(third), 8)

    def test_outlives(self) -> None:
        """Work that outlives those who wait goes on, and who comes then waits for it."""
        self.flight = SingleFlight(self.ended, outlives=True)
        first = self.join()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        second = self.join()
        self.assertEqual(len(self.began), 1)
        self.began[0].callback(9)
        self.assertEqual(self.successResultOf(second), 9)

    def test_failure(self) -> None:
        """Its failure is everybody's, each with its own way from where it was raised."""

        async def wait() -> None:
            await self.join()

        waiters = [Deferred.fromCoroutine(wait()) for _ in range(3)]
        self.began[0].errback(ZeroDivisionError())
        for waiter in waiters:
            failure = self.failureResultOf(waiter, ZeroDivisionError)
            frames = [frame.name for frame in extract_tb(failure.getTracebackObject())]
            self.assertEqual([frames.count(name) for name in ("work", "wait")], [1, 1])

    def test_stop(self) -> None:
        """All who wait can be sent away; the work is cancelled."""
        waiter = self.join()
        self.flight.stop(ZeroDivisionError())
        self.failureResultOf(waiter, ZeroDivisionError)
        self.assertFalse(self.flight.running)
