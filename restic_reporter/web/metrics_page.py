"""The page that Prometheus scrapes."""

# Much of Twisted has no types yet.
# mypy: allow-untyped-calls

import gzip
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import INTERNAL_SERVER_ERROR, OK
from twisted.web.server import NOT_DONE_YET, Request

from ..concurrency.daemon_threads import in_daemon_thread
from ..concurrency.single_flight import SingleFlight
from .negotiate import accepts_gzip, prefers_openmetrics
from .pages import Page
from .response import respond, respond_text

TEXT_FORMAT = b"text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_FORMAT = b"application/openmetrics-text; version=1.0.0; charset=utf-8"

# How old, in seconds, a page may be that another scrape is given as well.
SHARED_FOR = 1.0

# Level 1 compresses this much in about a millisecond.
INLINE = 256 * 1024


def compressed(body: bytes) -> bytes:
    """Compress ``body`` as gzip, at the fastest level."""
    return gzip.compress(body, compresslevel=1, mtime=0)


@define(eq=False)
class _Rendered:
    """
    A page, plain and compressed, each made at the first request for it.

    Its rendering began at ``moment``. ``users`` responses wait for it or send it.
    """

    _render: Callable[[], Coroutine[Any, Any, bytes]]
    _compress: Callable[[bytes], Awaitable[bytes]]
    moment: float
    users: int = 0
    _plain: SingleFlight[bytes] = field(factory=lambda: SingleFlight(outlives=True, keeps=True))
    _gzip: SingleFlight[bytes] = field(factory=lambda: SingleFlight(outlives=True, keeps=True))

    async def body(self, gzip: bool) -> bytes:
        """Return the page as soon as it is made."""
        flight, make = (self._gzip, self._compressed) if gzip else (self._plain, self._render)
        return await flight.join(make)

    async def _compressed(self) -> bytes:
        return await self._compress(await self._plain.join(self._render))


class MetricsPage(Page):
    """
    ``/metrics`` in either format, compressed where the client takes that.

    A scrape that comes while another one is in progress, and within a second of its
    beginning, is given the same bytes: fifty clients that ask at once and then do not read
    hold one page. A scrape that comes when no other is in progress always sees the
    latest state.

    ``render`` gives the page in OpenMetrics or not, at once or in turns.
    """

    log = Logger()

    def __init__(self, reactor: Any, render: Callable[[bool], bytes | Awaitable[bytes]]) -> None:
        super().__init__()
        self._reactor = reactor
        self._render_page = render
        self._threads = DeferredSemaphore(2)
        self._latest: dict[bool, _Rendered] = {}

    def render_GET(self, request: Request) -> int:
        """Answer with the page."""
        openmetrics = prefers_openmetrics(_header(request, "Accept"))
        gzip = accepts_gzip(_header(request, "Accept-Encoding"))
        page = self._page(openmetrics)

        def release(_: object) -> None:
            # A client that has left must not be answered when the compression ends.
            sending.cancel()
            page.users -= 1
            if not page.users and self._latest.get(openmetrics) is page:
                del self._latest[openmetrics]

        def failed(failure: Failure) -> None:
            if not failure.check(CancelledError):
                self._fail(request, failure)

        page.users += 1
        finished = request.notifyFinish()
        sending = Deferred.fromCoroutine(self._send(request, page, openmetrics, gzip))
        sending.addErrback(failed)
        finished.addBoth(release)
        return NOT_DONE_YET

    def _page(self, openmetrics: bool) -> _Rendered:
        now = self._reactor.seconds()
        page = self._latest.get(openmetrics)
        if page is None or not 0 <= now - page.moment < SHARED_FOR:
            page = _Rendered(lambda: self._rendered(openmetrics), self._compress, now)
            self._latest[openmetrics] = page
        return page

    async def _rendered(self, openmetrics: bool) -> bytes:
        rendering = self._render_page(openmetrics)
        return rendering if isinstance(rendering, bytes) else await rendering

    async def _compress(self, body: bytes) -> bytes:
        """
        Compress ``body``: a large one in a thread, at most two at a time.

        Not in the reactor's threads, which may be busy for seconds.
        """
        if len(body) <= INLINE:
            return compressed(body)
        return await self._threads.run(in_daemon_thread, self._reactor, compressed, body)

    async def _send(self, request: Request, page: _Rendered, openmetrics: bool, gzip: bool) -> None:
        body = await page.body(gzip)
        request.setHeader(b"Vary", b"Accept, Accept-Encoding")
        if gzip:
            request.setHeader(b"Content-Encoding", b"gzip")
        respond(request, OK, OPENMETRICS_FORMAT if openmetrics else TEXT_FORMAT, body)

    def _fail(self, request: Request, failure: Failure) -> int:
        self.log.failure("the metrics page could not be made", failure=failure)
        if request.startedWriting:
            request.loseConnection()
            return NOT_DONE_YET
        for name in (b"Vary", b"Content-Encoding"):
            request.responseHeaders.removeHeader(name)
        return respond_text(request, INTERNAL_SERVER_ERROR, "500 Internal Server Error")


def _header(request: Request, name: str) -> str | None:
    """All values of a header as one list, or None where the client sent none."""
    values = request.requestHeaders.getRawHeaders(name.encode("ascii"))
    return None if values is None else b",".join(values).decode("latin-1")
