"""One connection of a client, with a deadline in every state."""

# Much of Twisted has no types yet.
# mypy: allow-untyped-calls

from typing import Any

from OpenSSL.SSL import Error as TLSError
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel, Request

from .connections import Connections, State


class BoundedChannel(HTTPChannel):
    """
    HTTP/1.0 and 1.1, with a deadline for every state that no data can extend.

    Twisted's own timeout restarts with every byte, and stops while a response is sent.
    """

    _events = Logger()

    transport: Any
    site: Any
    state = State.ABORTING
    address = ""
    _deadline: IDelayedCall | None = None

    @property
    def connections(self) -> Connections:
        """Return all connections of the site, including this one."""
        connections: Connections = self.factory.connections
        return connections

    def connectionMade(self) -> None:
        """Start, unless there are too many connections."""
        # The deadlines here replace Twisted's own timeout.
        self.timeOut = None
        # A Unix socket has none.
        self.address = getattr(self.transport.getPeer(), "host", "")
        if self.connections.admit():
            super().connectionMade()
            self._enter(State.RECEIVING)
        else:
            self.abort()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Forget the connection."""
        if reason.check(TLSError):
            # A client without a valid certificate, for instance.
            self._events.debug(
                "TLS with {address} failed: {reason}", address=self.address, reason=reason.value
            )
        self._enter(State.ABORTING)
        super().connectionLost(reason)
        # With TLS, else no cycle would end: see `daemon.garbage`.
        self.transport.unregisterProducer()
        self.connections.forget(self)

    def dataReceived(self, data: bytes) -> None:
        """Process received data, unless the connection is ending."""
        if self.ending:
            return
        if self.state is State.IDLE:
            self._enter(State.RECEIVING)
        super().dataReceived(data)
        if self.state is State.IDLE and self._buffer:
            # The answered request was followed by the start of the next one.
            self._enter(State.RECEIVING)

    def lineReceived(self, line: bytes) -> None:
        if self.state is State.IDLE:
            self._enter(State.RECEIVING)
        super().lineReceived(line)

    def rawDataReceived(self, data: bytes) -> None:
        """Process a piece of a body, or of pipelined requests."""
        if self.ending:
            return
        super().rawDataReceived(data)
        # Twisted reads on without a limit while the transport has no room for the
        # response; requestDone resumes reading.
        if self._handlingRequest and sum(map(len, self._dataBuffer)) > 16 * 1024:
            self._networkProducer.pauseProducing()

    def lineLengthExceeded(self, line: bytes) -> None:
        """Respond to an endless line as to any other bad request."""
        self._respondToBadRequestAndDisconnect()

    def headerReceived(self, line: bytes) -> bool:
        try:
            ok: bool = super().headerReceived(line)
        except ValueError:
            # A Content-Length of thousands of digits.
            self._respondToBadRequestAndDisconnect()
            return False
        return ok

    def allHeadersReceived(self) -> None:
        """Reject a large body before it is read, or requested by a 100."""
        if self.length is not None and self.length > self.connections.limits.max_body:
            self.refuse_body()
        else:
            super().allHeadersReceived()

    def allContentReceived(self) -> None:
        if not self.ending:
            self._enter(State.RESPONDING)
            super().allContentReceived()

    def pauseProducing(self) -> None:
        """Note that the client does not read, and the transport is full."""
        super().pauseProducing()
        self.connections.stalled(self)

    def resumeProducing(self) -> None:
        """Note that the client has read, and the transport has room."""
        # First, as the transport may be full again within the call.
        self.connections.flowing(self)
        super().resumeProducing()

    def requestDone(self, request: Request) -> None:
        """Go on to the next request, or close."""
        if self.connections.finishing:
            self.persistent = False
        # First, as the next request may have arrived and be answered within the call.
        self._enter(State.IDLE)
        super().requestDone(request)

    def refuse_body(self) -> None:
        """Answer 413 and close."""
        self._refuse(b"413 Content Too Large")

    def _respondToBadRequestAndDisconnect(self) -> None:
        self._refuse(b"400 Bad Request")

    def _refuse(self, status: bytes) -> None:
        if self.ending:
            return
        self.transport.write(
            b"HTTP/1.1 %s\r\nServer: restic-reporter\r\nConnection: close\r\n"
            b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n\r\n%s\n"
            % (status, len(status) + 1, status)
        )
        self.loseConnection()

    def loseConnection(self) -> None:
        """Close when the client has read the rest, or at the deadline."""
        if not self.ending:
            self._enter(State.CLOSING)
            super().loseConnection()
            # TLS would wait for the client's end of the session, and take data meanwhile.
            self._socket.loseConnection()

    def give_way(self) -> None:
        """Make room for another connection."""
        if self.state is State.RESPONDING:
            # The client would not read the rest.
            self.abort()
        else:
            self.loseConnection()

    def abort(self) -> None:
        """Close at once."""
        self._enter(State.ABORTING)
        self.transport.abortConnection()

    def cut_off(self) -> None:
        """Close within this call, where `abort` takes until the reactor's next turn."""
        self._socket.connectionLost(Failure(ConnectionAborted()))

    def extend(self, seconds: float) -> None:
        """Let the response take ``seconds`` from now on."""
        if self.state is State.RESPONDING and self._deadline is not None:
            self._deadline.reset(seconds)

    @property
    def _socket(self) -> Any:
        """The transport below TLS, if there is TLS."""
        return getattr(self.transport, "transport", self.transport)

    @property
    def ending(self) -> bool:
        """Return whether received data is ignored."""
        return self.state in (State.CLOSING, State.ABORTING)

    def _enter(self, state: State) -> None:
        self.state = state
        self.connections.move(self, state)
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        limits = self.connections.limits
        timeouts = {
            State.RECEIVING: (limits.request_timeout, self.loseConnection),
            State.RESPONDING: (limits.response_timeout, self.abort),
            State.IDLE: (limits.keep_alive, self.loseConnection),
            State.CLOSING: (limits.close_timeout, self.abort),
        }
        if state in timeouts:
            self._deadline = self.connections.clock.callLater(*timeouts[state])
