"""HTTP servers on real sockets that answer as a test tells them, and a table of bad answers."""

import select
import socket
import struct
from collections.abc import Callable
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import (
    IDelayedCall,
    IListeningPort,
    IOpenSSLContextFactory,
    IPullProducer,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from restic_reporter.model.errors import Reason

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

    async def listen(
        self, endpoint: IStreamServerEndpoint, tls: IOpenSSLContextFactory | None = None
    ) -> None:
        """Begin to listen, on the TCP port ``port`` if it is one; `stop` ends it."""
        factory = self if tls is None else TLSMemoryBIOFactory(tls, False, self)
        self._listening = await endpoint.listen(factory)
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


# What no message of a client may repeat, as a server that has our headers might send them.
TOLD = "s3cret-p4ssw0rd"


@frozen
class HostileAnswer:
    """
    ``head``, then ``block`` for ever, with pauses of ``every`` seconds.

    With ``closes`` the connection ends after ``head``, else it stays. A client must end with
    ``reason``, having asked ``tries`` times, and counted at most ``body`` bytes of a body, where
    that is less than its limit.
    """

    reason: Reason
    head: bytes = b""
    block: bytes = b""
    every: float = 0.0
    closes: bool = False
    tries: int = 1
    body: int | None = None

    def give(self, connection: ServerConnection, clock: Any) -> None:
        """Answer on a `HostileServer`."""
        connection.push(self.head)
        if self.closes:
            connection.close()
        elif self.block and self.every:
            connection.drip(clock, self.block, self.every)
        elif self.block:
            connection.flood(self.block)

    def give_on(
        self, connection: socket.socket, count: Callable[[int], object] = lambda number: None
    ) -> None:
        """Answer on a blocking socket, until the client closes it; ``count`` the bytes."""
        connection.sendall(self.head)
        pause = self.every if self.block else None
        while not self.closes and not select.select([connection], [], [], pause)[0]:
            connection.sendall(self.block)
            count(len(self.block))


_OK = b"HTTP/1.1 200 OK\r\n"
_CHUNKED = _OK + b"Transfer-Encoding: chunked\r\n\r\n"


def _flood(head: bytes, block: bytes, **options: Any) -> HostileAnswer:
    many = block * max(1, BLOCK // len(block))
    return HostileAnswer(options.pop("reason", Reason.TOO_LARGE), head, many, **options)


def _malformed(head: bytes) -> HostileAnswer:
    return HostileAnswer(Reason.PROTOCOL, head)


def _broken(reason: Reason, head: bytes) -> HostileAnswer:
    return HostileAnswer(reason, head, closes=True, tries=3)


def _slow(head: bytes, block: bytes = b"") -> HostileAnswer:
    return HostileAnswer(Reason.TIMEOUT, head, block, every=0.02)


FLOODS = {
    "a body": _flood(_OK + b"\r\n", b"x"),
    "a body of 10 GB": _flood(_OK + b"Content-Length: 10000000000\r\n\r\n", b"x", body=0),
    "a refusal's body": _flood(b"HTTP/1.1 403 Forbidden\r\n\r\n", b"x"),
    "chunks": _flood(_CHUNKED, b"4\r\nwxyz\r\n"),
    "tiny chunks": _flood(_CHUNKED, b"1;" + b"e" * 900 + b"\r\nx\r\n", body=1000),
    "status line": _flood(b"HTTP/1.1 200 ", b"x"),
    "a header": _flood(_OK + b"X-Header: ", b"x"),
    "a folded header": _flood(_OK + b"X-Header: v\r\n", b" more\r\n"),
    "headers": _flood(_OK, b"X-Header: value\r\n"),
    "1xx": _flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a chunk's size": _flood(_CHUNKED, b"0", reason=Reason.PROTOCOL),
    "trailers": _flood(
        _CHUNKED + b"2\r\n[]\r\n0\r\n", b"X-Trailer: value\r\n", reason=Reason.PROTOCOL
    ),
}

MALFORMED = {
    "a chunk's size": _malformed(_CHUNKED + b"zz\r\n[]\r\n0\r\n\r\n"),
    "a chunk's end": _malformed(_CHUNKED + b"2\r\n[]xx0\r\n\r\n"),
    "a negative chunk": _malformed(_CHUNKED + b"-2\r\n[]\r\n0\r\n\r\n"),
    "a negative length": _malformed(_OK + b"Content-Length: -1\r\n\r\n[]"),
    "two lengths": _malformed(_OK + b"Content-Length: 1, 2\r\n\r\n[]"),
    "an encoded transfer": _malformed(_OK + b"Transfer-Encoding: gzip\r\n\r\n[]"),
    "an encoded body": _malformed(answer(b"[]", "200 OK", "Content-Encoding: gzip")),
    "a status line": _malformed(f"HTTP/1.1 {TOLD}\r\n\r\n".encode()),
    "a header": _malformed(_OK + f"{TOLD}\r\n\r\n".encode()),
    "SMTP": _malformed(b"220 mail.example ESMTP\r\n\r\n"),
    "SSH": _malformed(b"SSH-2.0-OpenSSH_9.9\r\n\r\n"),
}

BROKEN = {
    "nothing": _broken(Reason.NETWORK, b""),
    "headers": _broken(Reason.NETWORK, _OK),
    "a body": _broken(Reason.PROTOCOL, _OK + b"Content-Length: 10\r\n\r\n[1"),
    "chunks": _broken(Reason.PROTOCOL, _CHUNKED + b"2\r\n[1\r\n"),
}

# The client is to have an idle timeout that is longer than the pauses.
SLOW = {
    "nothing": _slow(b""),
    "a status line in drips": _slow(b"HTTP/1.1 200 ", b"O"),
    "headers in drips": _slow(_OK + b"X-Drip: ", b"x"),
    "a body in drips": _slow(_OK + b"\r\n", b"x"),
    "chunks in drips": _slow(_CHUNKED, b"1\r\nx\r\n"),
}
