"""Connections for requests: from a pool of bounded ones, or new ones."""

# Name resolution imports this at its first use; if no file descriptor is left then, Twisted's
# resolver never ends.
import encodings.idna  # noqa: F401
from collections.abc import Hashable
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint, wrapClientTLS
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.web.client import URI, Agent, HostnameCachingHTTPSPolicy, HTTPConnectionPool
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from ..model.errors import Reason
from ..model.repository import Transport
from .limits import BoundedConnection, BoundedFactory, Exchange
from .tls import TLSPolicy

# Long enough for the requests of one repository's read, shorter than what servers allow.
_CACHED_CONNECTION_TIMEOUT = 15
# TLS contexts kept for each Transport: one takes about 1 MB and 12 ms to make.
_CONTEXTS = 64


@implementer(IStreamClientEndpoint)
@frozen(repr=False)
class BoundedEndpoint:
    """Connects for one exchange, within the connect timeout (name look-up included)."""

    exchange: Exchange
    route: "Route"
    uri: URI

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        def timed_out(result: object, seconds: float) -> object:
            raise self.exchange.fail(Reason.TIMEOUT, f"no connection within {seconds:g} s")

        connecting: Deferred[Any] = self.route.connect(self.uri, protocolFactory)
        connecting.addTimeout(self.route.connect_timeout, self.route.reactor, timed_out)
        return connecting.addCallback(lambda connection: connection.wrappedProtocol)


class BoundedPool(HTTPConnectionPool):
    """A pool whose connections enforce the limits of their exchanges."""

    cachedConnectionTimeout = _CACHED_CONNECTION_TIMEOUT
    # The pool's own retries would be neither counted nor limited.
    retryAutomatically = False
    retired = False

    def getConnection(self, key: Hashable, endpoint: IStreamClientEndpoint) -> Deferred[Any]:
        assert isinstance(endpoint, BoundedEndpoint)
        exchange = endpoint.exchange

        def enter(protocol: Any) -> Any:
            connection: BoundedConnection = protocol.transport
            if connection.dead:
                return self.getConnection(key, endpoint)
            connection.enter(exchange)
            return protocol

        return super().getConnection(key, endpoint).addCallback(enter)

    def retire(self) -> "Deferred[Any]":
        """Close connections that are or become idle; fires when those idle now are closed."""
        self.retired = True
        closed: Deferred[Any] = self.closeCachedConnections()
        return closed

    def drop(self, connection: Any) -> None:
        """Forget a connection that has closed, if it is idle."""
        timeout = self._timeouts.get(connection)
        if timeout is not None:
            timeout.reset(0)

    def _putConnection(self, key: Hashable, connection: Any) -> None:
        if self.retired:
            connection.transport.abortConnection()
        else:
            super()._putConnection(key, connection)


class Route:
    """The idle connections and TLS contexts of one `Transport`."""

    def __init__(
        self, reactor: Any, transport: Transport, connections_per_host: int, connect_timeout: float
    ) -> None:
        self.reactor = reactor
        self.connect_timeout = connect_timeout
        self._unix_socket = transport.unix_socket
        self._policy = HostnameCachingHTTPSPolicy(TLSPolicy(transport), _CONTEXTS)
        self._opened: set[BoundedConnection] = set()
        self._pool = BoundedPool(reactor)
        self._pool.maxPersistentPerHost = connections_per_host
        self._agent = Agent(reactor, self._policy, pool=self._pool)

    def send(
        self,
        exchange: Exchange,
        method: bytes,
        uri: URI,
        path: bytes,
        headers: Headers,
        body: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        """
        Send the request of ``exchange`` to the server of ``uri``, for ``path`` (and query).

        Fires with the response after its headers, if `Exchange.check` accepts it.
        """
        endpoint = BoundedEndpoint(exchange, self, uri)
        key = (uri.scheme, uri.host, uri.port)
        # Not `Agent.request`, which would parse the URI at each request.
        answer = self._agent._requestWithEndpoint(key, endpoint, method, uri, headers, body, path)
        return answer.addCallback(exchange.check)

    def connect(self, uri: URI, factory: IProtocolFactory) -> Deferred[Any]:
        """Open a `BoundedConnection` to the server of ``uri``."""

        def connected(connection: BoundedConnection) -> BoundedConnection:
            # If aborted after a complete response, it has become idle before it closes.
            protocol = connection.wrappedProtocol
            connection.closed.addCallback(lambda _: self._pool.drop(protocol))
            return connection

        bounded = BoundedFactory(factory, self.reactor, self._opened)
        connecting: Deferred[Any] = self._endpoint(uri).connect(bounded)
        return connecting.addCallback(connected)

    def _endpoint(self, uri: URI) -> IStreamClientEndpoint:
        endpoint: IStreamClientEndpoint
        reactor, timeout = self.reactor, self.connect_timeout
        if self._unix_socket is None:
            endpoint = HostnameEndpoint(reactor, uri.host, uri.port, timeout=timeout)
        else:
            endpoint = UNIXClientEndpoint(reactor, self._unix_socket, timeout=timeout)
        if uri.scheme == b"https":
            creator = self._policy.creatorForNetloc(uri.host, uri.port)
            endpoint = wrapClientTLS(creator, endpoint)
        return endpoint

    def close_idle(self) -> "Deferred[Any]":
        """Close idle connections; fires when they are closed."""
        closed: Deferred[Any] = self._pool.closeCachedConnections()
        return closed

    def retire(self) -> None:
        """Close idle connections; others are closed when they become idle."""
        self._pool.retire()

    async def close(self) -> None:
        """Abort every connection, used or idle, and wait until all are closed."""
        pooled = self._pool.retire()
        opened = list(self._opened)
        for connection in opened:
            connection.abortConnection()
        for connection in opened:
            await connection.closed
        await pooled


@implementer(IAgent)
@frozen
class ExchangeAgent:
    """Sends the request of one ``exchange`` for treq's client."""

    route: Route
    exchange: Exchange

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        parsed = URI.fromBytes(uri)
        sent = Headers() if headers is None else headers.copy()
        # Instead of treq's own value, which would accept what it decodes.
        sent.setRawHeaders(b"Accept-Encoding", [b"identity"])
        return self.route.send(self.exchange, method, parsed, parsed.originForm, sent, bodyProducer)
