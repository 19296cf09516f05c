"""A connection that has ended is freed at once: those set apart are in no garbage collection."""

import gc
import weakref

from twisted.internet.task import deferLater

from restic_reporter.web.connections import Limits, State
from tests.doubles.web_clients import OverTLS, SiteTestCase, get, reactor

PAGE = bytes(5_000_000)


class CycleTests(SiteTestCase):
    """Connections in each state, without collections of garbage."""

    async def test_freed(self) -> None:
        """Each goes with its request and the rest of its response."""
        gc.disable()
        self.addCleanup(gc.enable)
        self.serve(lambda openmetrics: PAGE, Limits())
        idle = await self.connect(get("/-/healthy"))
        await idle.response()
        half = await self.connect(b"GET / HTT")
        slow = await self.connect()
        slow.transport.pauseProducing()
        slow.transport.write(get())
        for state in (State.IDLE, State.RECEIVING, State.RESPONDING):
            await self.until_count(1, state)
        (responding,) = self.channels(State.RESPONDING)
        ends = [weakref.ref(one) for one in (*self.states, *responding.requests)]  # type: ignore[attr-defined]
        del responding
        for client in (idle, half, slow):
            client.transport.abortConnection()
        await self.until_count(0, *State)
        self.stalled.clear()
        await deferLater(reactor, 0)
        self.assertEqual([end() for end in ends], [None] * 4)


class CycleOverTLSTests(OverTLS, CycleTests):
    """The same over TLS."""
