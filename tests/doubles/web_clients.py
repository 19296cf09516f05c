"""Clients and a site on a real port, for the tests of the web side."""

import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from attrs import field, frozen
from OpenSSL import SSL
from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import TCP4ClientEndpoint, wrapClientTLS
from twisted.internet.interfaces import IHandshakeListener, IOpenSSLClientConnectionCreator
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from twisted.web.resource import IResource
from zope.interface import implementer

from restic_reporter.web.connections import Connection, Connections, Limits, State
from restic_reporter.web.order import Lifecycle
from restic_reporter.web.pages import StaticPage
from restic_reporter.web.security.gate import Security
from restic_reporter.web.security.tls import ServerTLS, TLSSettings, make_context
from restic_reporter.web.security.web_config import WebConfig
from restic_reporter.web.server import BoundedSite, make_site
from tests.doubles.certificates import self_signed

# The reactor is a module that becomes an object at run time.
reactor: Any = _reactor


@implementer(IHandshakeListener)
class Client(Protocol):
    """Keeps all that it receives, and tells when that is enough."""

    transport: Any

    def __init__(self) -> None:
        self.received = bytearray()
        self.lost: Deferred[None] = Deferred()
        self.secured: Deferred[None] = Deferred()
        self._waiting: list[tuple[Callable[[bytearray], bool], Deferred[None]]] = []

    def handshakeCompleted(self) -> None:
        """Note that TLS is ready."""
        self.secured.callback(None)

    def dataReceived(self, data: bytes) -> None:
        """Keep the data."""
        self.received += data
        waiting, self._waiting = self._waiting, []
        for enough, deferred in waiting:
            if enough(self.received):
                deferred.callback(None)
            else:
                self._waiting.append((enough, deferred))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Wake up who waits."""
        self.lost.callback(None)
        waiting, self._waiting = self._waiting, []
        for _, deferred in waiting:
            deferred.errback(reason)

    def until(self, enough: Callable[[bytearray], bool]) -> "Deferred[None]":
        """Wait for as much data as that; fails when the connection ends before."""
        deferred: Deferred[None] = Deferred()
        if enough(self.received):
            deferred.callback(None)
        else:
            self._waiting.append((enough, deferred))
        return deferred

    def response(self) -> "Deferred[Response]":
        """Wait for a whole response with a Content-Length, and take it out of ``received``."""

        def size(data: bytearray) -> tuple[int, int]:
            start = data.find(b"\r\n\r\n") + 4
            return start, start + parse(bytes(data[: start - 4]), b"").length

        def whole(data: bytearray) -> bool:
            return b"\r\n\r\n" in data and len(data) >= size(data)[1]

        def take(_: object) -> Response:
            start, end = size(self.received)
            response = parse(bytes(self.received[: start - 4]), bytes(self.received[start:end]))
            del self.received[:end]
            return response

        return self.until(whole).addCallback(take)


@implementer(IOpenSSLClientConnectionCreator)
@frozen
class ClientTLS:
    """A client's side of TLS that takes any certificate."""

    context: SSL.Context = field(factory=lambda: SSL.Context(SSL.TLS_METHOD))

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """OpenSSL's side of it."""
        return SSL.Connection(self.context, None)


@frozen
class Response:
    """A response, taken apart."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def length(self) -> int:
        """What Content-Length says."""
        return int(self.headers["content-length"])


def parse(head: bytes, body: bytes) -> Response:
    """A response of a status line, header lines, and ``body``."""
    status, *lines = head.decode("ascii").split("\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    return Response(int(status.split()[1]), headers, body)


def get(path: str = "/metrics", *headers: str, method: str = "GET") -> bytes:
    """The bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: test", *headers]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1")


class SiteTestCase(TestCase):
    """Tests with a site of their own on a port of 127.0.0.1."""

    timeout = 120.0
    site: BoundedSite
    port: int
    # Where these are, connections have TLS.
    server_tls: SSL.Context | None = None
    client_tls: ClientTLS | None = None

    def setUp(self) -> None:
        """Watch the connections of the site."""
        self.states: dict[Connection, State] = {}
        self.stalled: set[Connection] = set()
        self._watchers: list[tuple[Callable[[], bool], Deferred[None]]] = []

        def move(channel: Connection, state: State) -> None:
            self.states[channel] = state
            self.stalled.discard(channel)

        for name, note in (
            ("move", move),
            ("forget", self.states.pop),
            ("stalled", self.stalled.add),
            ("flowing", self.stalled.discard),
        ):
            self._watch(name, note)

    def _watch(self, name: str, note: Callable[..., object]) -> None:
        original = getattr(Connections, name)

        def watched(connections: Connections, *arguments: Any) -> None:
            original(connections, *arguments)
            note(*arguments)
            waiting, self._watchers = self._watchers, []
            for condition, deferred in waiting:
                if condition():
                    # Not within the call.
                    reactor.callLater(0, deferred.callback, None)
                else:
                    self._watchers.append((condition, deferred))

        self.patch(Connections, name, watched)

    def until(self, condition: Callable[[], bool]) -> "Deferred[None]":
        """Wait for something that can be seen by ``states`` and ``stalled``."""
        deferred: Deferred[None] = Deferred()
        if condition():
            deferred.callback(None)
        else:
            self._watchers.append((condition, deferred))
        return deferred

    def until_count(self, number: int, *states: State) -> "Deferred[None]":
        """Wait until so many connections are in one of ``states``."""
        return self.until(lambda: sum(one in states for one in self.states.values()) == number)

    def channels(self, state: State) -> list[Connection]:
        """The site's connections in ``state``."""
        return [channel for channel, one in self.states.items() if one is state]

    def serve(
        self,
        render: Callable[[bool], bytes | Awaitable[bytes]] = lambda openmetrics: b"a 1\n",
        limits: Limits | None = None,
        security: Security | None = None,
        lifecycle: Lifecycle | None = None,
        clock: Any = reactor,
        pages: Mapping[bytes, IResource] | None = None,
    ) -> None:
        """Start a site with this ``clock``; it and its connections end with the test."""
        if security is None:
            security = Security(reactor, WebConfig(tls=self.server_tls))
        if pages is None:
            pages = {b"/": StaticPage(b"text/html", b"a page\n")}
        self.site = make_site(clock, render, pages, limits or Limits(), security, lifecycle)
        factory: Any = self.site
        if security.config.tls is not None:
            factory = TLSMemoryBIOFactory(ServerTLS(security), False, factory, reactor)
        listening = reactor.listenTCP(0, factory, backlog=2000, interface="127.0.0.1")
        # Small buffers in the kernel, so that a client that does not read is felt soon.
        listening.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        self.port = listening.getHost().port

        async def stop() -> None:
            await listening.stopListening()
            await self.site.connections.finish_in_flight(5)
            security.checks.stop()

        self.addCleanup(stop)

    async def connect(self, send: bytes = b"", source: str = "127.0.0.1") -> Client:
        """A new connection, from the address ``source``, on which ``send`` was sent."""
        endpoint: Any = TCP4ClientEndpoint(reactor, "127.0.0.1", self.port, bindAddress=(source, 0))
        if self.client_tls is not None:
            endpoint = wrapClientTLS(self.client_tls, endpoint)
        client = await endpoint.connect(Factory.forProtocol(Client))
        assert isinstance(client, Client)

        def end() -> Deferred[None]:
            # With TLS that would be an error at the end.
            if not client.lost.called:
                client.transport.abortConnection()
            return client.lost

        self.addCleanup(end)
        if self.client_tls is not None:
            # One that pauses its transport must be able to read until then.
            await DeferredList([client.secured, client.lost], fireOnOneCallback=True)
        client.transport.write(send)
        return client

    async def exchange(self, send: bytes) -> bytes:
        """All that the site answers until it closes the connection."""
        client = await self.connect(send)
        await client.lost
        return bytes(client.received)

    async def ask(self, path: str = "/metrics", *headers: str, method: str = "GET") -> Response:
        """The response to one request."""
        answer = await self.exchange(get(path, "Connection: close", *headers, method=method))
        head, _, body = answer.partition(b"\r\n\r\n")
        return parse(head, body)


class OverTLS(SiteTestCase):
    """The same tests, over TLS."""

    def setUp(self) -> None:
        """Have a certificate."""
        super().setUp()
        pem = self_signed()
        self.server_tls = make_context(TLSSettings(pem, pem))
        self.client_tls = ClientTLS()
