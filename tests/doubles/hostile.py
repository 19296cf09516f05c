"""HTTP servers on real sockets that answer as a test tells them, however badly."""

import socket
import struct
from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import (
    IDelayedCall,
    IListeningPort,
    IPullProducer,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

BLOCK = 64 * 1024


def answer(body: bytes = b"", status: str = "200 OK", *headers: str) -> bytes:
    """A whole, well-formed answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


@implementer(IPullProducer)
class _Flood:
    """Writes a block again and again, as fast as the other side takes it."""

    def __init__(self, connection: "ServerConnection", block: bytes) -> None:
        self._connection = connection
        self._block = block

    def resumeProducing(self) -> None:
        self._connection.push(self._block)

    def stopProducing(self) -> None:
        self._connection.transport.unregisterProducer()


class ServerConnection(Protocol):
    """
    The server's end of one connection.

    ``requests`` are the requests received (header sections, with what followed at once),
    ``pushed`` the bytes written, ``lost`` fires when it is closed.
    """

    transport: Any

    def __init__(self, server: "HostileServer") -> None:
        self._server = server
        self._buffer = b""
        self._dripping: IDelayedCall | None = None
        self.received = b""
        self.pushed = 0
        self.closed = False
        self.lost: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        self._server.connections.append(self)
        if self._server.on_connect is not None:
            self._server.on_connect(self)

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        self._buffer += data
        while b"\r\n\r\n" in self._buffer:
            request, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
            self._server.requests.append(request)
            self._server.behave(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.closed = True
        if self._dripping is not None:
            self._dripping.cancel()
        self.lost.callback(None)

    def push(self, data: bytes) -> None:
        """Write ``data``."""
        self.pushed += len(data)
        self.transport.write(data)

    def flood(self, block: bytes) -> None:
        """Write ``block`` for ever."""
        repeated = block * max(1, BLOCK // len(block))
        self.transport.registerProducer(_Flood(self, repeated), False)

    def drip(self, clock: Any, data: bytes, interval: float) -> None:
        """Write ``data`` for ever, at every ``interval``."""
        self.push(data)
        self._dripping = clock.callLater(interval, self.drip, clock, data, interval)

    def close(self) -> None:
        """Close in an orderly way."""
        self.transport.loseConnection()

    def reset(self) -> None:
        """Close with a TCP reset."""
        handle: socket.socket = self.transport.getHandle()
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abortConnection()


@define(eq=False)
class HostileServer(Factory):
    """
    Calls ``behave`` with the connection for every request, ``on_connect`` for every connection.

    ``requests`` are the header sections received, over all ``connections``.
    """

    behave: Callable[[ServerConnection], object]
    on_connect: Callable[[ServerConnection], object] | None = None
    noisy: bool = False
    requests: list[bytes] = field(factory=list, init=False)
    connections: list[ServerConnection] = field(factory=list, init=False)
    port: int = field(default=0, init=False)
    _listening: IListeningPort | None = field(default=None, init=False)

    def buildProtocol(self, addr: object) -> Any:
        return ServerConnection(self)

    async def listen(self, endpoint: IStreamServerEndpoint) -> None:
        """Begin to listen, on the TCP port ``port`` if it is one; `stop` ends it."""
        self._listening = await endpoint.listen(self)
        self.port = getattr(self._listening.getHost(), "port", 0)

    async def deafen(self) -> None:
        """Listen no more."""
        if self._listening is not None:
            listening, self._listening = self._listening, None
            await maybeDeferred(listening.stopListening)

    @property
    def pushed(self) -> int:
        """Bytes written over all connections, whether they arrived or not."""
        return sum(connection.pushed for connection in self.connections)

    async def all_closed(self) -> None:
        """Wait until the client has closed every connection."""
        for connection in list(self.connections):
            if not connection.closed:
                await connection.lost

    async def stop(self) -> None:
        """Stop listening, and close what is still open."""
        await self.deafen()
        for connection in self.connections:
            if not connection.closed:
                connection.transport.abortConnection()
        await self.all_closed()
