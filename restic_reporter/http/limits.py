"""
Connections with limits on all that a server sends.

Twisted's HTTP client reads headers, interim responses, chunk extensions and trailers without
a limit. It closes TLS connections gracefully, while the server may go on sending.
`BoundedConnection`, between the client and the transport, counts and aborts.
"""

from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.iweb import UNKNOWN_LENGTH, IResponse

from ..model.errors import ReadError, Reason
from .responses import RedirectError
from .urls import describe_target

HEAD_LIMIT = 64 * 1024


@define(eq=False)
class Exchange:
    """
    One attempt of a request: its limits and its state.

    Error messages begin with ``what``. ``in_body`` is set after the headers. ``fault`` is the
    error for which this side ended the exchange; it takes precedence over later errors.
    ``lost`` is how the connection ended.
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
        """Return the most bytes allowed so far for headers, chunk framing and trailers."""
        return 2 * HEAD_LIMIT + self.body_received // 4

    def fail(self, reason: Reason, message: str) -> ReadError:
        """End the exchange at once with an error; only the first error counts."""
        return self.fail_with(ReadError(reason, f"{self.what}: {message}"))

    def fail_with(self, error: ReadError) -> ReadError:
        """Do the same with a whole ``error``."""
        if self.fault is None:
            self.fault = error
        self.abort()
        return self.fault

    def check(self, response: IResponse) -> IResponse:
        """
        Check a response after its headers.

        :raises ReadError: its body must not be read; the exchange has ended.
        """
        self.in_body = True
        if 300 <= response.code < 400:
            target = describe_target(response.headers.getRawHeaders(b"Location"))
            message = f"{self.what}: redirect ({response.code}) to {target} not followed"
            raise self.fail_with(RedirectError(message, response.headers))
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
        """Close the connection at once, without waiting for the peer."""
        if self.connection is not None and self.connection.exchange is self:
            self.connection.abortConnection()

    def end(self) -> None:
        """Release the connection for the next exchange."""
        if self.connection is not None and self.connection.exchange is self:
            self.connection.leave()


class BoundedConnection(ProtocolWrapper):
    """
    The transport of Twisted's HTTP client, over TCP, TLS or a UNIX socket.

    It enforces the limits of the `Exchange`: `HEAD_LIMIT` bytes until the end of the final
    response's headers, ``overhead_limit`` besides the body, and the idle timeout. `Answer`
    enforces the body limit. Unrequested bytes close the connection, and every close is an
    abort.

    ``dead`` is set when it is closed or closing; ``closed`` fires when it is closed.
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
        """Use the connection for ``exchange``, until `leave`."""
        self.exchange = exchange
        exchange.connection = self
        self._in_head = True
        self._received = 0
        self._idle = self.factory.clock.callLater(exchange.idle_timeout, self._silent)

    def leave(self) -> None:
        """End the use by the exchange."""
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
        """Pass on the bytes within the header limit; return the bytes after the headers."""
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
        # The HTTP parser calls this between headers and body. The body is read at once, so the
        # transport need not pause.
        self._in_head = False

    def resumeProducing(self) -> None:
        pass

    def loseConnection(self) -> None:
        if self._in_head and self.exchange is not None:
            # Twisted's line parser reports a too long line only this way. Any other error was
            # reported before.
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
    """Makes `BoundedConnection`s, and keeps them in ``opened`` while they are open."""

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
