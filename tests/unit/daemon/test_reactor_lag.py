"""Tests of `restic_reporter.daemon.reactor_lag`."""

import time
from typing import Any

from twisted.internet import reactor as default_reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from restic_reporter.concurrency.deadline import sleep
from restic_reporter.daemon.reactor_lag import INTERVAL, ReactorLag


class ReactorLagTests(SynchronousTestCase):
    """`ReactorLag`, on a clock of the test's own."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.lag = ReactorLag(self.clock)
        self.lag.startService()

    def test_in_time(self) -> None:
        """As long as the timer is called in time there is no lag."""
        self.clock.pump([INTERVAL] * 10)
        self.assertEqual(self.lag.take(), 0)

    def test_longest(self) -> None:
        """The longest hold since the last look counts, each once."""
        for late in (0.1, 0.4, 0.2):
            self.clock.advance(INTERVAL + late)
        self.assertAlmostEqual(self.lag.take(), 0.4)
        self.assertEqual(self.lag.take(), 0)
        self.clock.advance(INTERVAL + 0.05)
        self.assertAlmostEqual(self.lag.take(), 0.05)

    def test_under_way(self) -> None:
        """A hold that has not ended when one looks counts as far as it went."""
        self.clock.rightNow += INTERVAL + 0.3
        self.assertAlmostEqual(self.lag.take(), 0.3)

    def test_stop(self) -> None:
        """Stopped, it leaves nothing behind and knows of no lag; it can be started again."""
        self.lag.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.clock.advance(9)
        self.assertEqual(self.lag.take(), 0)
        self.lag.startService()
        self.clock.advance(INTERVAL + 1)
        self.assertAlmostEqual(self.lag.take(), 1)


class RealReactorTests(TestCase):
    """`ReactorLag` on the real reactor."""

    timeout = 20

    async def test_held(self) -> None:
        """Work that holds the reactor is seen, but for at most one interval."""
        reactor: Any = default_reactor
        lag = ReactorLag(reactor)
        lag.startService()
        self.addCleanup(lag.stopService)
        held: Deferred[None] = Deferred()

        def hold() -> None:
            started = time.monotonic()
            while time.monotonic() - started < 0.2:
                pass
            held.callback(None)

        reactor.callLater(0.01, hold)
        await held
        await sleep(reactor, 2 * INTERVAL)
        self.assertGreaterEqual(lag.take(), 0.19 - INTERVAL)
