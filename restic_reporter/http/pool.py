"""Where a request's connection comes from: a pool of bounded ones, or a new one."""

# Name resolution imports this at its first use; if no file descriptor is left then, Twisted's
# resolver never ends.
import encodings.idna  # noqa: F401
from collections.abc import Hashable
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint, wrapClientTLS
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.web.client import URI, Agent, HostnameCachingHTTPSPolicy, HTTPConnectionPool
from twisted.web.http_headers import Headers
from twisted.web.iweb import (
    IAgent,
    IBodyProducer,
    IPolicyForHTTPS,
    IResponse,
)
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
    """A pool that puts the connection it hands out under the exchange's limits."""

    cachedConnectionTimeout = _CACHED_CONNECTION_TIMEOUT
    # A retry of the pool's own would be neither counted nor bounded.
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
        """Close what is idle, and from now on what becomes idle; fires when the former is."""
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


class _RouteAgent(Agent):
    """Sends requests whose URI has been parsed already, each to an endpoint of its own."""

    def send(
        self,
        endpoint: BoundedEndpoint,
        method: bytes,
        path: bytes,
        headers: Headers,
        body: IBodyProducer | None,
    ) -> Deferred[IResponse]:
        """The answer to a request for ``path`` (and query)."""
        uri = endpoint.uri
        key = (uri.scheme, uri.host, uri.port)
        return self._requestWithEndpoint(key, endpoint, method, uri, headers, body, path)


class Route:
    """All that is kept of one `Transport`: its idle connections and TLS contexts."""

    def __init__(
        self,
        reactor: Any,
        transport: Transport,
        connections_per_host: int,
        connect_timeout: float,
    ) -> None:
        self.reactor = reactor
        self.connect_timeout = connect_timeout
        self._transport = transport
        self._policy: IPolicyForHTTPS = HostnameCachingHTTPSPolicy(
            TLSPolicy.for_transport(transport), _CONTEXTS
        )
        self._opened: set[BoundedConnection] = set()
        self._pool = BoundedPool(reactor)
        self._pool.maxPersistentPerHost = connections_per_host
        self._agent = _RouteAgent(reactor, self._policy, pool=self._pool)

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
        The answer to the one request of ``exchange``, as soon as its headers are there.

        ``uri`` tells the server, ``path`` (and query) what to ask it for. An answer whose
        body is not to be read is refused.
        """
        endpoint = BoundedEndpoint(exchange, self, uri)
        answer = self._agent.send(endpoint, method, path, headers, body)
        return answer.addCallback(exchange.check)

    def connect(self, uri: URI, factory: IProtocolFactory) -> Deferred[Any]:
        """A new connection to the server of ``uri``: a `BoundedConnection`."""

        def connected(connection: BoundedConnection) -> BoundedConnection:
            # Aborted for an answer that was whole, it has become idle before it closes.
            protocol = connection.wrappedProtocol
            connection.closed.addCallback(lambda _: self._pool.drop(protocol))
            return connection

        bounded = BoundedFactory(factory, self.reactor, self._opened)
        connecting: Deferred[Any] = self._endpoint(uri).connect(bounded)
        return connecting.addCallback(connected)

    def _endpoint(self, uri: URI) -> IStreamClientEndpoint:
        endpoint: IStreamClientEndpoint
        if self._transport.unix_socket is None:
            endpoint = HostnameEndpoint(
                self.reactor, uri.host, uri.port, timeout=self.connect_timeout
            )
        else:
            endpoint = UNIXClientEndpoint(
                self.reactor, self._transport.unix_socket, timeout=self.connect_timeout
            )
        if uri.scheme == b"https":
            creator = self._policy.creatorForNetloc(uri.host, uri.port)
            endpoint = wrapClientTLS(creator, endpoint)
        return endpoint

    def retire(self) -> None:
        """Close what is idle; connections in use go on until they are."""
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
    """What treq's client is given to send the one request of an exchange with."""

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
        # In place of treq's own, which would take what it decodes.
        sent.setRawHeaders(b"Accept-Encoding", [b"identity"])
        return self.route.send(self.exchange, method, parsed, parsed.originForm, sent, bodyProducer)
