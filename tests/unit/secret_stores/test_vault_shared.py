"""Tests of `restic_reporter.secret_stores.vault.shared`."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.secret_stores.vault.shared import Shared


class SharedTests(SynchronousTestCase):
    """`Shared`."""

    def setUp(self) -> None:
        """Work that ends when the test says."""
        self.began: list[Deferred[None]] = []
        self.after = 0
        self.shared = Shared(self.work, self.ended)

    async def work(self) -> None:
        """Wait."""
        self.began.append(Deferred())
        await self.began[-1]

    def ended(self) -> None:
        """Count ends."""
        self.assertFalse(self.shared.running)
        self.after += 1

    def test_once(self) -> None:
        """All who join while it goes on wait for the same work; who comes later starts anew."""
        waiters = [self.shared.join() for _ in range(3)]
        self.assertTrue(self.shared.running)
        self.assertEqual(len(self.began), 1)
        self.began[0].callback(None)
        for waiter in waiters:
            self.successResultOf(waiter)
        self.assertEqual(self.after, 1)
        again = self.shared.join()
        self.assertEqual(len(self.began), 2)
        self.began[1].callback(None)
        self.successResultOf(again)

    def test_cancel(self) -> None:
        """One who does not wait any longer does not end it for the others."""
        first, second = self.shared.join(), self.shared.join()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.began[0].callback(None)
        self.successResultOf(second)

    def test_failure(self) -> None:
        """Its failure is everybody's."""
        waiters = [self.shared.join() for _ in range(2)]
        self.began[0].errback(ZeroDivisionError())
        for waiter in waiters:
            self.failureResultOf(waiter, ZeroDivisionError)

    def test_stop(self) -> None:
        """All who wait can be sent away; the work is cancelled."""
        waiter = self.shared.join()
        self.shared.stop(ZeroDivisionError())
        self.failureResultOf(waiter, ZeroDivisionError)
        self.assertFalse(self.shared.running)
