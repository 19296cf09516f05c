"""Tests of slow and broken TLS handshakes, over real connections."""

import socket
from typing import Any

from OpenSSL import SSL

from restic_reporter.web.connections import Connections, Limits, State
from restic_reporter.web.security.gate import Security
from restic_reporter.web.security.tls import (
    TLSSettings,
    make_context,
)
from restic_reporter.web.security.web_config import WebConfig
from tests.doubles.certificates import self_signed
from tests.doubles.tls_site_case import TLSTestCase
from tests.doubles.web_clients import Client, get, reactor


def _is_open(channel: Any) -> bool:
    """Whether the server still has a descriptor for this connection."""
    below: Any = channel.transport.transport
    return bool(below.fileno() != -1)


class HandshakeTests(TLSTestCase):
    """Clients that do not do their part of a handshake."""

    async def plain(self, send: bytes) -> Client:
        """A connection without TLS."""
        self.client_tls = None
        return await self.connect(send)

    async def serve_briefly(self) -> None:
        """Start a site that gives a request a short time."""
        pem = self_signed()
        security = Security(reactor, WebConfig(tls=make_context(TLSSettings(pem, pem))))
        self.serve(limits=Limits(request_timeout=0.2, max_connections=4), security=security)

    async def test_slow(self) -> None:
        """A handshake must end within the time for a request, whatever part of it comes."""
        await self.serve_briefly()
        hello = SSL.Connection(SSL.Context(SSL.TLS_METHOD), None)
        hello.set_connect_state()
        self.assertRaises(SSL.WantReadError, hello.do_handshake)
        first = hello.bio_read(65536)
        for part in (b"", first[:3], first[:-1], first):
            client = await self.plain(part)
            await client.lost
        await self.until_count(0, *State)
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_no_handshake(self) -> None:
        """What is no TLS is closed at once, without an error in the log."""
        await self.serve_briefly()
        for send in (get(), b"\x16\x03\x01\xff\xff" + b"x" * 70_000, b"\x80" * 100):
            client = await self.plain(send)
            await client.lost
            self.assertNotIn(b"HTTP", client.received)
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_burst(self) -> None:
        """A burst of connections, accepted in one turn, keeps no more descriptors than allowed."""
        await self.serve_briefly()
        sockets = [socket.socket() for _ in range(50)]
        for one in sockets:
            self.addCleanup(one.close)
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", self.port))
        descriptors: list[int] = []
        admit = Connections.admit

        def counting(connections: Connections) -> bool:
            descriptors.append(sum(_is_open(channel) for channel in self.states))
            return admit(connections)

        self.patch(Connections, "admit", counting)
        await self.until(lambda: len(descriptors) == 50)
        # Half as many more are closing, and one is about to be admitted.
        self.assertLessEqual(max(descriptors), 4 * 3 // 2 + 1)
        await self.until_count(0, *State)
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_give_way(self) -> None:
        """Connections that never begin a handshake give way to one that does."""
        await self.serve_briefly()
        for _ in range(4):
            await self.plain(b"")
        self.assertTrue(await self.served())
