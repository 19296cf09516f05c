"""Tests for the end of a site, over real connections."""

import os

from twisted.internet.defer import Deferred

from restic_reporter.web.connections import Limits, State
from tests.doubles.web_clients import SiteTestCase, get

# Not to be made small enough by gzip that it is sent before the end.
PAGE = os.urandom(5_000_000)


class FinishTests(SiteTestCase):
    """Tests for `BoundedSite.finish_in_flight`."""

    async def test_nothing(self) -> None:
        """Without a connection it ends at once, each time."""
        self.serve()
        self.assertTrue(self.site.connections.finish_in_flight(5).called)
        self.assertTrue(self.site.connections.finish_in_flight(5).called)

    async def test_idle(self) -> None:
        """Connections that wait for a request are closed."""
        self.serve()
        idle = await self.connect(get())
        await idle.response()
        silent = await self.connect()
        half = await self.connect(b"GET / HTT")
        await self.until_count(3, State.IDLE, State.RECEIVING)
        await self.site.connections.finish_in_flight(20)
        for client in (idle, silent, half):
            await client.lost

    async def test_in_flight(self) -> None:
        """A response in progress reaches its client whole; then the connection is closed."""
        self.serve(lambda openmetrics: PAGE)
        for headers in ([], ["Accept-Encoding: gzip"]):
            self.site.connections.finishing = False
            client = await self.connect()
            client.transport.pauseProducing()
            client.transport.write(get("/metrics", *headers) + get("/-/ready"))
            await self.until_count(1, State.RESPONDING)
            finished = self.site.connections.finish_in_flight(20)
            self.assertFalse(finished.called)
            client.transport.resumeProducing()
            response = await client.response()
            self.assertEqual(len(response.body), response.length)
            await client.lost
            self.assertEqual(client.received, bytearray())
            await finished

    async def test_refused(self) -> None:
        """A connection that comes later is dropped."""
        self.serve()
        await self.site.connections.finish_in_flight(20)
        self.assertEqual(await self.exchange(get()), b"")

    async def test_timeout(self) -> None:
        """What does not end in time is cut off, and everybody who waits is told."""
        self.serve(lambda openmetrics: PAGE, Limits())
        client = await self.connect()
        client.transport.pauseProducing()
        client.transport.write(get())
        await self.until_count(1, State.RESPONDING)
        first: Deferred[None] = self.site.connections.finish_in_flight(0.2)
        second = self.site.connections.finish_in_flight(20)
        await first
        await second
        self.assertEqual(self.site.connections.count(*State), 0)
