"""
What the code relies on in Twisted beyond Twisted's public interfaces, but for its web server.

Nothing of ours is in these tests, so a Twisted that has moved something fails here, with a name.
`test_twisted_web_contract` has the web server.
"""

import inspect
import signal
from typing import Any

from twisted.internet import reactor as default_reactor
from twisted.internet.base import ReactorBase
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    TCP4ServerEndpoint,
    connectProtocol,
)
from twisted.internet.error import ConnectionAborted
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.selectreactor import SelectReactor
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.logger import (
    LogLevel,
    LogLevelFilterPredicate,
    PredicateResult,
    globalLogPublisher,
)
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.client import URI, Agent, HTTPConnectionPool
from twisted.web.http_headers import Headers

reactor: Any = default_reactor


class Transport(StringTransport):
    """Notes how it is told to pause and to close."""

    paused = closed = 0

    def pauseProducing(self) -> None:
        super().pauseProducing()
        self.paused += 1

    def loseConnection(self) -> None:
        super().loseConnection()
        self.closed += 1


class Endpoint:
    """Connects protocols to a `Transport`, at once."""

    def __init__(self) -> None:
        self.transport = Transport()
        self.protocol: Any = None

    def connect(self, factory: Any) -> "Deferred[Any]":
        """A connection."""
        self.protocol = factory.buildProtocol(None)
        self.protocol.makeConnection(self.transport)
        connected: Deferred[Any] = Deferred()
        connected.callback(self.protocol)
        return connected


class ClientTests(SynchronousTestCase):
    """Twisted's HTTP client: http/pool.py and http/limits.py rely on it."""

    def send(self, pool: HTTPConnectionPool | None = None) -> "tuple[Endpoint, Deferred[Any]]":
        """A request under way by `Agent._requestWithEndpoint`."""
        clock, endpoint = MemoryReactorClock(), Endpoint()
        agent: Any = Agent(clock, pool=pool or HTTPConnectionPool(clock, persistent=False))
        uri = URI.fromBytes(b"http://h:7/ignored")
        key = (uri.scheme, uri.host, uri.port)
        answer = agent._requestWithEndpoint(
            key, endpoint, b"GET", uri, Headers({"A": ["b"]}), None, b"/path?query"
        )
        return endpoint, answer

    def test_request_with_endpoint(self) -> None:
        """`Route.send` sends a parsed request to an endpoint of its own, without a look at its
        URI again."""
        self.assertEqual(
            list(inspect.signature(Agent._requestWithEndpoint).parameters)[1:],
            ["key", "endpoint", "method", "parsedURI", "headers", "bodyProducer", "requestPath"],
        )
        endpoint, answer = self.send()
        sent = endpoint.transport.value()
        self.assertTrue(sent.startswith(b"GET /path?query HTTP/1.1\r\n"), sent)
        self.assertIn(b"\r\nHost: h:7\r\n", sent)
        self.assertIn(b"\r\nA: b\r\n", sent)
        endpoint.protocol.dataReceived(b"HTTP/1.1 204 Nothing\r\n\r\n")
        self.assertEqual(self.successResultOf(answer).code, 204)

    def test_put_connection(self) -> None:
        """`BoundedPool` closes a connection in place of keeping it, once it is retired."""
        kept = []

        class Pool(HTTPConnectionPool):
            def _putConnection(self, key: Any, connection: Any) -> None:
                kept.append((key, connection))

        endpoint, answer = self.send(Pool(MemoryReactorClock()))
        endpoint.protocol.dataReceived(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n")
        self.successResultOf(answer).deliverBody(Protocol())
        self.assertEqual(kept, [], "kept before its body was read")
        endpoint.protocol.dataReceived(b"x")
        self.assertEqual(kept, [((b"http", b"h", 7), endpoint.protocol)])
        self.assertIs(kept[0][1].transport, endpoint.transport)

    def test_idle_timeout(self) -> None:
        """`BoundedPool.drop` lets the timeout of an idle connection pass at once."""
        clock = MemoryReactorClock()
        pool = HTTPConnectionPool(clock)
        endpoint, answer = self.send(pool)
        endpoint.protocol.dataReceived(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        self.successResultOf(answer)
        self.assertEqual(clock.getDelayedCalls(), [pool._timeouts[endpoint.protocol]])
        pool._timeouts[endpoint.protocol].reset(0)
        clock.advance(0)
        self.assertEqual((pool._timeouts, clock.getDelayedCalls()), ({}, []))

    def test_pause_after_head(self) -> None:
        """`BoundedConnection` takes the pause of its transport for the end of the headers."""
        endpoint, answer = self.send()
        for piece in (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\nA: b\r\n"):
            endpoint.protocol.dataReceived(piece)
            self.assertEqual(endpoint.transport.paused, 0, "paused before the headers' end")
        endpoint.protocol.dataReceived(b"Content-Length: 5\r\n\r\n")
        self.assertEqual(endpoint.transport.paused, 1, "not paused at the headers' end")
        self.successResultOf(answer)

    def test_close_at_long_line(self) -> None:
        """`BoundedConnection` takes a close within the headers for a line that is too long."""
        endpoint, _ = self.send()
        endpoint.protocol.dataReceived(b"HTTP/1.1 200 OK\r\nA: " + b"b" * 20_000)
        self.assertEqual(endpoint.transport.closed, 1)

    def test_logger_of_1xx(self) -> None:
        """daemon/log_observer.py leaves out what is logged of each 1xx answer, by its namespace."""
        events: list[Any] = []
        observer: Any = events.append
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        endpoint, _ = self.send()
        endpoint.protocol.dataReceived(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        told = [one for one in events if "103" in str(one)]
        self.assertNotEqual(told, [], "nothing is logged any more")
        predicate = LogLevelFilterPredicate(LogLevel.debug)
        predicate.setLogLevelForNamespace("twisted.web._newclient", LogLevel.warn)
        for one in told:
            self.assertIs(predicate(one), PredicateResult.no, one["log_namespace"])


class Ending(Protocol):
    """``lost`` are the reasons for which its connection has ended."""

    def __init__(self) -> None:
        self.lost: list[Any] = []
        self.made: Deferred[None] = Deferred()
        self.ended: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        """Tell that it is there."""
        self.made.callback(None)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Note why."""
        self.lost.append(reason.type)
        self.ended.callback(None)


class TransportTests(TestCase):
    """A TCP connection of the reactor that is in use."""

    async def test_connection_lost(self) -> None:
        """`BoundedChannel.cut_off` has the descriptor closed within the call, as the next
        connection needs it."""
        served, client = Ending(), Ending()

        class Serving(Factory):
            noisy = False

            def buildProtocol(self, addr: object) -> Ending:
                return served

        port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(Serving())
        self.addCleanup(port.stopListening)
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
        await connectProtocol(endpoint, client)
        await served.made
        transport: Any = served.transport
        transport.write(b"still to be sent")
        transport.connectionLost(Failure(ConnectionAborted()))
        self.assertEqual(served.lost, [ConnectionAborted])
        self.assertEqual(transport.fileno(), -1, "the descriptor is still open")
        self.assertNotIn(transport, [*reactor.getReaders(), *reactor.getWriters()])
        await client.ended
        self.assertEqual(len(client.lost), 1)


class ReactorTests(SynchronousTestCase):
    """The reactor's own parts."""

    def test_seconds(self) -> None:
        """daemon/wiring.py puts the monotonic clock in place of ``seconds``: timers follow it."""
        fresh: Any = SelectReactor()
        self.addCleanup(fresh.disconnectAll)
        clock = Clock()
        called: list[int] = []
        clock.advance(1000)
        fresh.seconds = clock.seconds
        call = fresh.callLater(5, called.append, 1)
        self.assertEqual(call.getTime(), 1005)
        clock.advance(4)
        self.assertEqual(fresh.timeout(), 1)
        fresh.runUntilCurrent()
        self.assertEqual(called, [])
        clock.advance(1)
        self.assertEqual(fresh.timeout(), 0)
        fresh.runUntilCurrent()
        self.assertEqual(called, [1])
        call = fresh.callLater(5, called.append, 2)
        clock.advance(1)
        call.reset(5)
        self.assertEqual(call.getTime(), 1011)
        call.cancel()

    def test_stops_by_signals(self) -> None:
        """daemon/signals.py has INT and TERM stop the reactor by its own handlers of them."""
        asked: list[Any] = []

        class Stopping(ReactorBase):
            def __init__(self) -> None:
                pass

            def callFromThread(self, f: Any, *args: object, **kwargs: object) -> None:
                asked.append(f)

        one: Any = Stopping()
        one.sigInt(signal.SIGINT, None)
        one.sigTerm(signal.SIGTERM, None)
        self.assertEqual(asked, [one.stop] * 2)
