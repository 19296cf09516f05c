"""Tests of the HTTP client against hostile servers over TLS."""

from twisted.internet.defer import Deferred

from restic_reporter.concurrency.deadline import Deadline
from restic_reporter.model.errors import Reason
from restic_reporter.model.repository import Transport
from tests.doubles.hostile import ServerConnection, answer
from tests.doubles.http_case import BUFFERS, LIMIT, reactor
from tests.doubles.tls_case import TLSCase


class TLSFloodTests(TLSCase):
    """Servers that send too much, or nothing, over TLS."""

    async def assert_bounded(self, head: bytes, block: bytes) -> None:
        """The answer is refused, and the server could not push much."""

        def behave(c: ServerConnection) -> None:
            c.push(head)
            c.flood(block)

        server = await self.serve_tls(behave)
        await self.refused(server, Reason.TOO_LARGE, scheme="https", transport=self.trusting)
        self.assertLess(server.pushed, BUFFERS)
        self.assertLessEqual(self.meter.received_bytes.get("list", 0), LIMIT + 70_000)

    async def test_endless_body(self) -> None:
        """A body without an end is cut off."""
        await self.assert_bounded(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536)

    async def test_huge_content_length(self) -> None:
        """A body announced as 10 GB is not begun."""
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n"
        await self.assert_bounded(head, b"x" * 65536)

    async def test_endless_headers(self) -> None:
        """Header lines without an end are cut off."""
        await self.assert_bounded(b"HTTP/1.1 200 OK\r\n", b"X-Header: value\r\n")

    async def test_endless_header_line(self) -> None:
        """So is a line without an end."""
        await self.assert_bounded(b"HTTP/1.1 200 OK\r\nX-Header: ", b"x" * 65536)

    async def test_flood_after_the_answer(self) -> None:
        """What follows a complete answer, announced as the last, is not read."""

        def behave(c: ServerConnection) -> None:
            c.push(answer(b"[]", "200 OK", "Connection: close"))
            c.flood(b"x" * 65536)

        server = await self.serve_tls(behave)
        response = await self.get(server, scheme="https", transport=self.trusting)
        self.assertEqual(response.body, b"[]")
        await server.all_closed()
        self.assertLess(server.pushed, BUFFERS)

    async def test_truncated_without_close_notify(self) -> None:
        """A body of unknown length that TLS did not close is not taken for whole."""

        def behave(c: ServerConnection) -> None:
            c.push(b"HTTP/1.1 200 OK\r\n\r\n[1")
            reactor.callLater(0.05, c.transport.transport.loseConnection)

        server = await self.serve_tls(behave)
        await self.refused(server, Reason.NETWORK, scheme="https", transport=self.trusting)
        self.assertEqual(len(server.requests), 3)

    async def test_silent_handshake(self) -> None:
        """A server that accepts and never shakes hands is given up."""
        server = await self.serve(lambda c: None)
        client = self.make_client(idle_timeout=0.3)
        await self.refused(
            server, Reason.TIMEOUT, scheme="https", transport=self.trusting, client=client
        )
        self.assertEqual(len(server.connections), 1)

    async def test_bad_pem(self) -> None:
        """A Transport whose PEM is unusable is a ValueError, before any connection."""
        server = await self.serve_tls(lambda c: c.push(answer(b"[]")))
        request = self.client.request(
            "GET",
            f"https://127.0.0.1:{server.port}/",
            transport=Transport(ca_certificates=b"nonsense"),
            deadline=Deadline.after(reactor, 5),
            meter=self.meter,
            operation="list",
        )
        await self.assertFailure(Deferred.fromCoroutine(request), ValueError)
        self.assertEqual(server.connections, [])
