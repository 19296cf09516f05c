"""The HTTP client: attempts, retries and deadlines."""

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from random import random as default_random
from typing import Any, TypeVar

from attrs import define, field
from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.web.http_headers import Headers

from ..concurrency.deadline import Deadline, sleep, within
from ..model.errors import ReadError, Reason
from ..model.repository import DEFAULT_TRANSPORT, Transport
from ..model.snapshots import Meter
from .body import Answer, BytesProducer
from .errors import BrokenConnectionError, UnavailableError
from .limits import Exchange
from .pool import ExchangeAgent, Route
from .responses import Response
from .retries import BROKEN_WAITS, STATUS_WAITS, backoff, is_retryable, retry_after
from .urls import Place, is_plain, place_of, split

T = TypeVar("T")

DEFAULT_BODY_LIMIT = 16 * 1024 * 1024
# Servers whose names are kept parsed.
_PLACES = 1024
# Methods that are safe to retry.
_IDEMPOTENT = frozenset({"GET", "HEAD"})


@define(eq=False)
class BoundedHTTPClient:
    """
    Sends requests, each within its deadline and limits, over persistent connections.

    :param reactor: time, TCP, UNIX sockets and name resolution.
    :param connections_per_host: idle connections kept for each host.
    :param random: from 0 to below 1, for the jitter of the backoff.
    :param now: the wall clock in Unix seconds, for a Retry-After that is a date.
    :param connect_timeout: seconds for a connection, name look-up included.
    :param idle_timeout: seconds that a server may send nothing.
    """

    _reactor: Any
    _connections_per_host: int = field(default=8, kw_only=True)
    _random: Callable[[], float] = field(default=default_random, kw_only=True)
    _now: Callable[[], float] = field(default=time.time, kw_only=True)
    _connect_timeout: float = field(default=10.0, kw_only=True)
    _idle_timeout: float = field(default=30.0, kw_only=True)
    _routes: dict[Transport, Route] = field(factory=dict, init=False)
    _places: dict[tuple[str, Transport], Place] = field(factory=dict, init=False)
    _waiting: "set[Deferred[Any]]" = field(factory=set, init=False)
    _closed: bool = field(default=False, init=False)

    async def request(
        self,
        method: str,
        url: str,
        *,
        transport: Transport = DEFAULT_TRANSPORT,
        headers: Mapping[str, str] = {},
        body: bytes | None = None,
        deadline: Deadline,
        body_limit: int = DEFAULT_BODY_LIMIT,
        meter: Meter,
        operation: str,
        idempotent: bool | None = None,
        idle_timeout: float | None = None,
        stream: Callable[[], Callable[[bytes], object]] | None = None,
    ) -> Response:
        """
        Send one request; retry if that can help; return the response.

        Retries twice after a broken connection, if the request is ``idempotent`` (by default:
        GET or HEAD), and three times after a status of 429 or 5xx, when Retry-After allows.
        Never follows redirects, never decodes encoded bodies. Cancelling closes the
        connection.

        :param url: without credentials: these go into ``headers``.
        :param operation: ``list``, ``load`` or ``auth``; ``meter`` counts each attempt by it,
            and error messages begin with it.
        :param idle_timeout: that of this request, which a server may need for a long response.
        :param stream: called for each attempt, it returns what is given the body of status 200
            in pieces; that of the response is empty then. It may raise a `ReadError`.
        :raises ReadError: network, timeout, tls, redirect, protocol, too_large; unavailable as an
            `UnavailableError`.
        :raises ValueError: for an invalid URL or PEM.
        """
        origin, rest = split(url)
        place = self._place(origin, transport)
        what = f"{operation} at {place.shown}"
        if idempotent is None:
            idempotent = method.upper() in _IDEMPOTENT
        sent = Headers({name: [value] for name, value in headers.items()})
        sent.setRawHeaders(b"Accept-Encoding", [b"identity"])

        def attempt() -> Deferred[Response]:
            if self._closed:
                raise _closed(what)
            exchange = Exchange(what, body_limit, idle_timeout or self._idle_timeout)
            meter.count_request(operation)
            route = self._route(transport)
            sending: Deferred[Any]
            if place.uri is not None and is_plain(rest) and (body is None or place.ipv6):
                # The same request as treq's, without its layers.
                producer = None if body is None else BytesProducer(body)
                sending = route.send(
                    exchange, method.upper().encode(), place.uri, rest.encode(), sent, producer
                )
            else:
                agent = ExchangeAgent(route, exchange)
                sending = maybeDeferred(
                    HTTPClient(agent, data_to_body_producer=BytesProducer).request,
                    method,
                    url,
                    headers=sent,
                    data=body,
                    allow_redirects=False,
                    unbuffered=True,
                    reactor=self._reactor,
                )
            count = partial(meter.count_bytes, operation)
            return Answer(exchange, count, sending, None if stream is None else stream()).whole

        return await within(deadline, self._tries(attempt, deadline, idempotent, what), what)

    async def _tries(
        self,
        attempt: Callable[[], "Deferred[Response]"],
        deadline: Deadline,
        idempotent: bool,
        what: str,
    ) -> Response:
        broken = refused = 0
        while True:
            error: ReadError
            wait: float | None
            try:
                response = await self._unless_closed(attempt(), what)
            except BrokenConnectionError as e:
                error = e
                wait = backoff(BROKEN_WAITS, broken, self._random) if idempotent else None
                broken += 1
            else:
                if not is_retryable(response.status):
                    return response
                message = f"{what}: unavailable (status {response.status})"
                error = UnavailableError(message, response)
                wait = backoff(STATUS_WAITS, refused, self._random)
                refused += 1
                asked = retry_after(response.headers, self._now())
                if wait is not None and asked is not None:
                    wait = asked
            if wait is None or wait >= deadline.remaining():
                raise error
            await self._unless_closed(sleep(self._reactor, wait), what)

    async def _unless_closed(self, waiting: "Deferred[T]", what: str) -> T:
        """Await ``waiting``, which `close` ends."""
        self._waiting.add(waiting)
        try:
            return await waiting
        except CancelledError:
            if self._closed:
                raise _closed(what) from None
            raise
        finally:
            self._waiting.discard(waiting)

    def _place(self, origin: str, transport: Transport) -> Place:
        place = self._places.get((origin, transport))
        if place is None:
            if len(self._places) >= _PLACES:
                self._places.clear()
            place = self._places[origin, transport] = place_of(origin, transport)
        return place

    def _route(self, transport: Transport) -> Route:
        if transport not in self._routes:
            self._routes[transport] = Route(
                self._reactor, transport, self._connections_per_host, self._connect_timeout
            )
        return self._routes[transport]

    def keep_only(self, transports: Iterable[Transport]) -> None:
        """
        Forget all other transports, with their certificates and idle connections.

        Requests in flight go on.
        """
        kept = {DEFAULT_TRANSPORT, *transports}
        for transport in self._routes.keys() - kept:
            self._routes.pop(transport).retire()
        self._places = {key: one for key, one in self._places.items() if key[1] in kept}

    async def close_idle(self) -> None:
        """Close the connections that no request uses, and wait until they are closed."""
        for route in list(self._routes.values()):
            await route.close_idle()

    async def close(self) -> None:
        """Close all connections and wait until they are closed; requests in flight fail."""
        self._closed = True
        for waiting in list(self._waiting):
            waiting.cancel()
        for route in self._routes.values():
            await route.close()


def _closed(what: str) -> ReadError:
    return ReadError(Reason.NETWORK, f"{what}: the HTTP client is closed")
