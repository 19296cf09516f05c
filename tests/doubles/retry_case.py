"""What the tests of retries share: a client over string transports, on a clock of their own."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.concurrency.deadline import Deadline
from restic_reporter.http import BoundedHTTPClient, Response
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.model.repository import Transport
from restic_reporter.model.snapshots import Meter
from tests.doubles.hostile import answer

# 1994-11-06 08:49:37 UTC
NOW = 784111777.0


class ClientConnection(StringTransport):
    """The network below one of the client's connections."""

    def __init__(self, factory: Any) -> None:
        super().__init__()
        self.protocol = factory.buildProtocol(None)
        self.protocol.makeConnection(self)

    def receive(self, data: bytes) -> None:
        """Bytes arrive from the server."""
        self.protocol.dataReceived(data)

    def lose(self) -> None:
        """The server closes."""
        self.protocol.connectionLost(Failure(ConnectionDone()))


class RetryCase(SynchronousTestCase):
    """A client whose clock, chance and server are the test's."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.chance = 0.0
        self.meter = Meter()
        self.client = BoundedHTTPClient(
            self.reactor, random=lambda: self.chance, now=lambda: NOW + self.reactor.seconds()
        )

    def request(
        self, method: str = "GET", seconds: float = 100.0, **kwargs: Any
    ) -> "Deferred[Response]":
        """Ask; the connection waits in ``connections``."""
        request = Deferred.fromCoroutine(
            self.client.request(
                method,
                "http://server/list",
                transport=Transport(unix_socket="/socket"),
                deadline=Deadline.after(self.reactor, seconds),
                meter=self.meter,
                operation="list",
                **kwargs,
            )
        )

        def end() -> None:
            # The garbage collector takes one that never ends only at its second run.
            request.addErrback(lambda _: None)
            request.cancel()

        self.addCleanup(end)
        return request

    @property
    def tries(self) -> int:
        """Connections asked for."""
        return len(self.reactor.unixClients)

    def connect(self) -> ClientConnection:
        """Let the newest attempt to connect succeed; the request has been sent then."""
        connection = ClientConnection(self.reactor.unixClients[-1][1])
        self.assertIn(b"/list HTTP/1.1\r\n", connection.value())
        return connection

    def reply(self, status: str, *headers: str) -> None:
        """Let the newest attempt be answered, and its connection be closed."""
        connection = self.connect()
        connection.receive(answer(b"text", status, "Connection: close", *headers))
        self.assertTrue(connection.disconnecting or connection.disconnected)
        connection.lose()

    def assert_waits(self, seconds: float) -> None:
        """The next try comes after ``seconds``, and not before."""
        before = self.tries
        self.reactor.advance(seconds - 0.001)
        self.assertEqual(self.tries, before)
        self.reactor.advance(0.002)
        self.assertEqual(self.tries, before + 1)

    def assert_error(self, request: "Deferred[Response]", reason: Reason) -> ReadError:
        """The request has failed, and leaves nothing to do behind."""
        error: ReadError = self.failureResultOf(request, ReadError).value
        self.assertEqual(error.reason, reason)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        return error
