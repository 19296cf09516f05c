"""Where a request's connection comes from: a pool of bounded ones, or a new one."""

# Name resolution imports this at its first use; if no file descriptor is left then, Twisted's
# resolver never ends.
import encodings.idna  # noqa: F401
from collections.abc import Callable, Hashable
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint, wrapClientTLS
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.web.client import URI, Agent, HostnameCachingHTTPSPolicy, HTTPConnectionPool
from twisted.web.http_headers import Headers
from twisted.web.iweb import (
    UNKNOWN_LENGTH,
    IAgent,
    IAgentEndpointFactory,
    IBodyProducer,
    IPolicyForHTTPS,
    IResponse,
)
from zope.interface import implementer

from ..errors import Reason
from .bounds import BoundedConnection, BoundedFactory, Exchange
from .places import describe_target
from .tls import TLSPolicy, Transport

# Long enough for the requests of one repository's read, shorter than what servers allow.
_CACHED_CONNECTION_TIMEOUT = 15
# TLS contexts kept for each Transport: one takes about 1 MB and 12 ms to make.
_CONTEXTS = 64


@implementer(IStreamClientEndpoint)
@frozen(repr=False)
class BoundedEndpoint:
    """Connects for one exchange, within the connect timeout (name look-up included)."""

    exchange: Exchange
    make_endpoint: Callable[[], IStreamClientEndpoint]
    clock: IReactorTime
    connect_timeout: float
    opened: set[BoundedConnection]

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        def timed_out(result: object, seconds: float) -> object:
            raise self.exchange.fail(Reason.TIMEOUT, f"no connection within {seconds:g} s")

        factory = BoundedFactory(protocolFactory, self.clock, self.opened)
        connecting: Deferred[Any] = self.make_endpoint().connect(factory)
        connecting.addTimeout(self.connect_timeout, self.clock, timed_out)
        return connecting.addCallback(lambda connection: connection.wrappedProtocol)


class BoundedPool(HTTPConnectionPool):
    """A pool that puts the connection it hands out under the exchange's limits."""

    cachedConnectionTimeout = _CACHED_CONNECTION_TIMEOUT
    # A retry of the pool's own would be neither counted nor bounded.
    retryAutomatically = False

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


class Route:
    """All that is kept of one `Transport`: its idle connections and TLS contexts."""

    def __init__(
        self,
        reactor: Any,
        transport: Transport,
        connections_per_host: int,
        connect_timeout: float,
    ) -> None:
        self._reactor = reactor
        self._transport = transport
        self._connect_timeout = connect_timeout
        self._policy: IPolicyForHTTPS = HostnameCachingHTTPSPolicy(
            TLSPolicy.for_transport(transport), _CONTEXTS
        )
        self._opened: set[BoundedConnection] = set()
        self._pool = BoundedPool(reactor)
        self._pool.maxPersistentPerHost = connections_per_host

    def agent(self, exchange: Exchange) -> IAgent:
        """What sends the one request of ``exchange``."""

        def endpoint_for(uri: URI) -> IStreamClientEndpoint:
            return BoundedEndpoint(
                exchange,
                lambda: self._endpoint(uri),
                self._reactor,
                self._connect_timeout,
                self._opened,
            )

        factory = _EndpointFactory(endpoint_for)
        return StrictAgent(Agent.usingEndpointFactory(self._reactor, factory, self._pool), exchange)

    def _endpoint(self, uri: URI) -> IStreamClientEndpoint:
        endpoint: IStreamClientEndpoint
        if self._transport.unix_socket is None:
            endpoint = HostnameEndpoint(
                self._reactor, uri.host, uri.port, timeout=self._connect_timeout
            )
        else:
            endpoint = UNIXClientEndpoint(
                self._reactor, self._transport.unix_socket, timeout=self._connect_timeout
            )
        if uri.scheme == b"https":
            creator = self._policy.creatorForNetloc(uri.host, uri.port)
            endpoint = wrapClientTLS(creator, endpoint)
        return endpoint

    async def close(self) -> None:
        """Abort every connection, used or idle, and wait until all are closed."""
        pooled = self._pool.closeCachedConnections()
        opened = list(self._opened)
        for connection in opened:
            connection.abortConnection()
        for connection in opened:
            await connection.closed
        await pooled


@implementer(IAgentEndpointFactory)
@frozen
class _EndpointFactory:
    _make: Callable[[URI], IStreamClientEndpoint]

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        return self._make(uri)


@implementer(IAgent)
@frozen
class StrictAgent:
    """
    Refuses, as soon as the headers are there, every answer whose body is not to be read.

    It sits below treq's own agents, which would decode what it refuses.
    """

    agent: IAgent
    exchange: Exchange

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        sent = Headers() if headers is None else headers.copy()
        sent.setRawHeaders(b"Accept-Encoding", [b"identity"])
        answer: Deferred[IResponse] = self.agent.request(method, uri, sent, bodyProducer)
        return answer.addCallback(self._check)

    def _check(self, response: IResponse) -> IResponse:
        self.exchange.in_body = True
        if 300 <= response.code < 400:
            target = describe_target(response.headers.getRawHeaders(b"Location"))
            raise self.exchange.fail(
                Reason.REDIRECT, f"refused to follow a redirect ({response.code}) to {target}"
            )
        encodings = response.headers.getRawHeaders(b"Content-Encoding", [])
        if b",".join(encodings).strip().lower() not in (b"", b"identity"):
            raise self.exchange.fail(
                Reason.PROTOCOL, "the answer has a Content-Encoding though none was accepted"
            )
        if response.length is not UNKNOWN_LENGTH and response.length > self.exchange.body_limit:
            raise self.exchange.fail(
                Reason.TOO_LARGE,
                f"a body of {response.length:.4g} bytes, {self.exchange.body_limit} are allowed",
            )
        return response
