"""
Connections that cannot be flooded.

Twisted's HTTP client reads as many headers, interim answers, chunk extensions and trailers
as a server sends, and closes TLS connections politely, which lets the server go on pushing.
`BoundedConnection` stands between it and the transport, counts, and aborts.
"""

from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.iweb import UNKNOWN_LENGTH, IResponse

from ..model.errors import ReadError, Reason
from .urls import describe_target

HEAD_LIMIT = 64 * 1024


@define(eq=False)
class Exchange:
    """
    One try of a request: its limits, and what became of it.

    ``what`` begins the messages of errors. ``in_body`` tells that the headers are there.
    ``fault`` is why we ended it ourselves, and counts more than whatever else the ending
    made fail; ``lost`` is how the connection ended.
    """

    what: str
    body_limit: int
    idle_timeout: float
    connection: "BoundedConnection | None" = field(default=None, init=False)
    in_body: bool = field(default=False, init=False)
    body_received: int = field(default=0, init=False)
    fault: ReadError | None = field(default=None, init=False)
    lost: Failure | None = field(default=None, init=False)

    @property
    def overhead_limit(self) -> int:
        """The most bytes besides the body so far: headers, chunk framing, trailers."""
        return 2 * HEAD_LIMIT + self.body_received // 4

    def fail(self, reason: Reason, message: str) -> ReadError:
        """End the exchange at once, for ``reason``; the first one counts."""
        if self.fault is None:
            self.fault = ReadError(reason, f"{self.what}: {message}")
        self.abort()
        return self.fault

    def check(self, response: IResponse) -> IResponse:
        """
        Let an answer through once its headers are there.

        :raises ReadError: its body is not to be read; the exchange has ended.
        """
        self.in_body = True
        if 300 <= response.code < 400:
            target = describe_target(response.headers.getRawHeaders(b"Location"))
            raise self.fail(Reason.REDIRECT, f"redirect ({response.code}) to {target} not followed")
        encodings = response.headers.getRawHeaders(b"Content-Encoding", ())
        if encodings and b",".join(encodings).strip().lower() not in (b"", b"identity"):
            raise self.fail(Reason.PROTOCOL, "unexpected Content-Encoding in the response")
        if response.length is not UNKNOWN_LENGTH and response.length > self.body_limit:
            raise self.fail(
                Reason.TOO_LARGE,
                f"response body of {response.length:.4g} bytes exceeds {self.body_limit} bytes",
            )
        return response

    def abort(self) -> None:
        """Close the connection now, whatever the peer is doing."""
        if self.connection is not None and self.connection.exchange is self:
            self.connection.abortConnection()

    def end(self) -> None:
        """Leave the connection to whoever is next."""
        if self.connection is not None and self.connection.exchange is self:
            self.connection.leave()


class BoundedConnection(ProtocolWrapper):
    """
    What Twisted's HTTP client takes for its transport, over TCP, TLS or a UNIX socket.

    It lets through only what the `Exchange` allows: `HEAD_LIMIT` bytes until the final
    answer's header section ends, ``overhead_limit`` besides the body, and no silence longer
    than the idle timeout. The body's limit is kept by who collects it. Bytes that nobody
    asked for end the connection, and every close is an abort.

    ``dead`` says that it is closed or about to be; ``closed`` fires when it is.
    """

    factory: "BoundedFactory"
    transport: Any

    def __init__(self, factory: "BoundedFactory", wrapped: Any) -> None:
        super().__init__(factory, wrapped)  # type: ignore[arg-type]
        self.exchange: Exchange | None = None
        self.dead = False
        self.closed: Deferred[None] = Deferred()
        self._in_head = False
        self._received = 0
        self._idle: IDelayedCall | None = None
        self._cause: ReadError | None = None

    def enter(self, exchange: Exchange) -> None:
        """Serve ``exchange`` from now on, until `leave`."""
        self.exchange = exchange
        exchange.connection = self
        self._in_head = True
        self._received = 0
        self._idle = self.factory.clock.callLater(exchange.idle_timeout, self._silent)

    def leave(self) -> None:
        """Serve no exchange."""
        self.exchange = None
        self._in_head = False
        if self._idle is not None and self._idle.active():
            self._idle.cancel()
        self._idle = None

    def _silent(self) -> None:
        assert self.exchange is not None
        seconds = self.exchange.idle_timeout
        self.exchange.fail(Reason.TIMEOUT, f"timed out after {seconds:g} s without data")

    def dataReceived(self, data: bytes) -> None:
        exchange = self.exchange
        if self.dead:
            return
        if exchange is None:
            self.abortConnection()
            return
        if self._idle is not None:
            self._idle.reset(exchange.idle_timeout)
        if self._in_head:
            data = self._head_received(exchange, data)
            if not data:
                return
        else:
            self._received += len(data)
        super().dataReceived(data)
        overhead = self._received - exchange.body_received
        if self.exchange is exchange and overhead > exchange.overhead_limit:
            exchange.fail(Reason.TOO_LARGE, "response has more chunk framing than body")

    def _head_received(self, exchange: Exchange, data: bytes) -> bytes:
        """Pass on what may still belong to the header section; what is left to pass on."""
        allowed = HEAD_LIMIT - self._received
        self._received += len(data)
        super().dataReceived(data[:allowed])
        rest = data[allowed:]
        if not rest or self.dead:
            return b""
        if self.exchange is not exchange:
            self.abortConnection()
            return b""
        if self._in_head:
            exchange.fail(Reason.TOO_LARGE, f"response headers exceed {HEAD_LIMIT} bytes")
            return b""
        return rest

    def pauseProducing(self) -> None:
        # The HTTP parser does this where a header section ends and a body begins. Somebody is
        # there who takes the body at once, so the transport need not pause.
        self._in_head = False

    def resumeProducing(self) -> None:
        pass

    def loseConnection(self) -> None:
        if self._in_head and self.exchange is not None:
            # Twisted's line parser says nothing else about a line that it finds too long.
            # Any other error has been reported before the connection's end is.
            message = f"{self.exchange.what}: response header line is too long"
            self._cause = ReadError(Reason.TOO_LARGE, message)
        self.abortConnection()

    def abortConnection(self) -> None:
        if not self.dead:
            self.dead = True
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self.dead = True
        if self.exchange is not None:
            self.exchange.lost = reason
        super().connectionLost(reason if self._cause is None else Failure(self._cause))
        self.closed.callback(None)


class BoundedFactory(WrappingFactory):
    """Makes a connection bounded, and keeps it in ``opened`` while it is open."""

    noisy = False
    protocol = BoundedConnection

    def __init__(self, wrapped: Any, clock: IReactorTime, opened: set[BoundedConnection]) -> None:
        super().__init__(wrapped)
        self.clock = clock
        self._opened = opened

    def doStart(self) -> None:
        # The wrapped factory would write a log line for every connection.
        pass

    def doStop(self) -> None:
        pass

    def registerProtocol(self, p: BoundedConnection) -> None:
        self._opened.add(p)

    def unregisterProtocol(self, p: BoundedConnection) -> None:
        self._opened.discard(p)
