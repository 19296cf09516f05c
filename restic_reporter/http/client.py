"""The client: tries, retries, deadlines, and what comes back."""

import time
from collections.abc import Callable, Mapping
from random import random as default_random
from typing import Any

from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers

from ..deadline import Deadline, sleep, within
from ..errors import ReadError, Reason
from ..model import Meter
from .bodies import BytesProducer, Collector
from .bounds import Exchange
from .connecting import Route
from .failures import BrokenConnectionError, explain
from .places import place_of
from .responses import Response
from .retries import BROKEN_WAITS, STATUS_WAITS, backoff, is_retryable, retry_after
from .tls import DEFAULT_TRANSPORT, Transport

DEFAULT_BODY_LIMIT = 16 * 1024 * 1024
# Methods that may be repeated without harm.
_IDEMPOTENT = frozenset({"GET", "HEAD"})


class BoundedHTTPClient:
    """
    Sends requests, each within its deadline and limits, over connections that are kept.

    :param reactor: time, TCP, UNIX sockets and name resolution.
    :param connections_per_host: idle connections kept for each host.
    :param random: from 0 to below 1, spreads the waits between tries.
    :param now: the wall clock in Unix seconds, for a Retry-After that is a date.
    :param connect_timeout: seconds until a connection must stand, name look-up included.
    :param idle_timeout: seconds that a server may be silent.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        connections_per_host: int = 8,
        random: Callable[[], float] = default_random,
        now: Callable[[], float] = time.time,
        connect_timeout: float = 10.0,
        idle_timeout: float = 30.0,
    ) -> None:
        self._reactor = reactor
        self._connections_per_host = connections_per_host
        self._random = random
        self._now = now
        self._connect_timeout = connect_timeout
        self._idle_timeout = idle_timeout
        self._routes: dict[Transport, Route] = {}
        self._closed = False

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
    ) -> Response:
        """
        The answer to one request, tried again where that can help.

        A broken connection is tried again twice, if the request is ``idempotent`` (by
        default: GET or HEAD); an answer of 429 or 5xx three times, as Retry-After asks.
        Redirects are never followed, encoded bodies never decoded. Cancelling closes the
        connection.

        :param url: without credentials: these go into ``headers``.
        :param operation: ``list``, ``load`` or ``auth``: what ``meter`` counts, try by try,
            and what error messages begin with.
        :raises ReadError: network, timeout, tls, redirect, protocol, too_large, unavailable.
        :raises ValueError: for a URL or PEM that cannot be used.
        """
        what = f"{operation} at {place_of(url, transport)}"
        if idempotent is None:
            idempotent = method.upper() in _IDEMPOTENT
        sent = Headers({name: [value] for name, value in headers.items()})

        async def attempt() -> Response:
            if self._closed:
                raise ReadError(Reason.NETWORK, f"{what}: the HTTP client is closed")
            exchange = Exchange(what, body_limit, self._idle_timeout)
            meter.count_request(operation)
            exchanging = Deferred.fromCoroutine(
                self._exchange(
                    exchange,
                    self._route(transport),
                    (method, url, sent, body),
                    lambda size: meter.count_bytes(operation, size),
                )
            )
            try:
                return await _cancellable(exchanging)
            except Exception as error:
                raise explain(error, exchange) from None
            finally:
                exchange.end()

        return await within(deadline, self._tries(attempt, deadline, idempotent, what), what)

    async def _tries(
        self,
        attempt: Callable[[], Any],
        deadline: Deadline,
        idempotent: bool,
        what: str,
    ) -> Response:
        broken = refused = 0
        while True:
            error: ReadError
            wait: float | None
            try:
                response: Response = await attempt()
            except BrokenConnectionError as e:
                error = e
                wait = backoff(BROKEN_WAITS, broken, self._random) if idempotent else None
                broken += 1
            else:
                if not is_retryable(response.status):
                    return response
                message = f"{what}: unavailable (status {response.status})"
                error = ReadError(Reason.UNAVAILABLE, message)
                wait = backoff(STATUS_WAITS, refused, self._random)
                refused += 1
                asked = retry_after(response.headers, self._now())
                if wait is not None and asked is not None:
                    wait = asked
            if wait is None or wait >= deadline.remaining():
                raise error
            await sleep(self._reactor, wait)

    async def _exchange(
        self,
        exchange: Exchange,
        route: Route,
        request: tuple[str, str, Headers, bytes | None],
        count: Callable[[int], None],
    ) -> Response:
        method, url, headers, body = request
        # A client for one request: its agent carries the exchange's limits.
        client = HTTPClient(route.agent(exchange), data_to_body_producer=BytesProducer)
        try:
            answer = await client.request(
                method,
                url,
                headers=headers,
                data=body,
                allow_redirects=False,
                unbuffered=True,
                reactor=self._reactor,
            )
            collector = Collector(exchange, count)
            answer.deliverBody(collector)
            return Response(answer.code, answer.headers, await collector.whole)
        except BaseException:
            exchange.abort()
            raise

    def _route(self, transport: Transport) -> Route:
        if transport not in self._routes:
            self._routes[transport] = Route(
                self._reactor, transport, self._connections_per_host, self._connect_timeout
            )
        return self._routes[transport]

    async def close(self) -> None:
        """Close every connection and wait for that; requests in flight fail."""
        self._closed = True
        for route in self._routes.values():
            await route.close()


def _cancellable(work: "Deferred[Response]") -> "Deferred[Response]":
    """``work``, but when cancelled always failing so, whatever ``work`` itself makes of it."""
    cancelled = False

    def cancel(_: "Deferred[Response]") -> None:
        nonlocal cancelled
        cancelled = True
        work.cancel()

    outer: Deferred[Response] = Deferred(cancel)

    def succeeded(response: Response) -> None:
        if not cancelled:
            outer.callback(response)

    def failed(reason: Failure) -> None:
        if not cancelled:
            outer.errback(reason)

    work.addCallbacks(succeeded, failed)
    return outer
