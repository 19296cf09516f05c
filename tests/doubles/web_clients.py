"""Clients and a site on a real port, for the tests of the web side."""

import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from attrs import frozen
from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from twisted.web.resource import IResource

from restic_reporter.web.connections import Connection, Connections, Limits, State
from restic_reporter.web.pages import StaticPage
from restic_reporter.web.server import BoundedSite, make_site

# The reactor is a module that becomes an object at run time.
reactor: Any = _reactor


class Client(Protocol):
    """Keeps all that it receives, and tells when that is enough."""

    transport: Any

    def __init__(self) -> None:
        self.received = bytearray()
        self.lost: Deferred[None] = Deferred()
        self._waiting: list[tuple[Callable[[bytearray], bool], Deferred[None]]] = []

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

    timeout = 30.0
    site: BoundedSite
    port: int

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
        pages: Mapping[bytes, IResource] | None = None,
    ) -> None:
        """Start a site; it and its connections end with the test."""
        if pages is None:
            pages = {b"/": StaticPage(b"text/html", b"a page\n")}
        self.site = make_site(reactor, render, pages, limits or Limits())
        listening = reactor.listenTCP(0, self.site, backlog=2000, interface="127.0.0.1")
        # Small buffers in the kernel, so that a client that does not read is felt soon.
        listening.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        self.port = listening.getHost().port

        async def stop() -> None:
            await listening.stopListening()
            await self.site.connections.finish_in_flight(5)

        self.addCleanup(stop)

    async def connect(self, send: bytes = b"", source: str = "127.0.0.1") -> Client:
        """A new connection, from the address ``source``, on which ``send`` was sent."""
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", self.port, bindAddress=(source, 0))
        client = await endpoint.connect(Factory.forProtocol(Client))
        assert isinstance(client, Client)

        def end() -> Deferred[None]:
            client.transport.abortConnection()
            return client.lost

        self.addCleanup(end)
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
