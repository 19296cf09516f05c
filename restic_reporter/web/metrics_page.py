"""The page that Prometheus scrapes."""

# Much of Twisted has no types yet.
# mypy: allow-untyped-calls

from collections.abc import Callable

from attrs import Factory, define
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import INTERNAL_SERVER_ERROR, OK
from twisted.web.server import NOT_DONE_YET, Request

from .compression import Compressor
from .negotiate import accepts_gzip, prefers_openmetrics
from .pages import Page
from .response import respond, respond_text

TEXT_FORMAT = b"text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_FORMAT = b"application/openmetrics-text; version=1.0.0; charset=utf-8"

# How old, in seconds, a page may be that another scrape is given as well.
SHARED_FOR = 1.0


@define(eq=False)
class _Rendered:
    """
    A page as it was rendered at ``moment``, its compressed form once that was asked for,
    and how many responses are sending it.
    """

    body: bytes
    moment: float
    users: int = 0
    compressed: bytes | None = None
    waiting: list["Deferred[bytes]"] = Factory(list)


class MetricsPage(Page):
    """
    ``/metrics`` in either format, compressed where the client takes that.

    A scrape that comes while another one is being sent, and within a second of its
    rendering, is given the same bytes: fifty clients that ask at once and then do not read
    hold one page. A scrape that comes when no other is in progress always sees the
    latest state.
    """

    log = Logger()

    def __init__(
        self, clock: IReactorTime, render: Callable[[bool], bytes], compressor: Compressor
    ) -> None:
        super().__init__()
        self._clock = clock
        self._render_page = render
        self._compressor = compressor
        self._latest: dict[bool, _Rendered] = {}

    def render_GET(self, request: Request) -> int:
        """Answer with the page."""
        openmetrics = prefers_openmetrics(_header(request, "Accept"))
        gzip = accepts_gzip(_header(request, "Accept-Encoding"))
        try:
            page = self._page(openmetrics)
        except Exception:
            return self._fail(request, Failure())

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
        now = self._clock.seconds()
        page = self._latest.get(openmetrics)
        if page is None or not 0 <= now - page.moment < SHARED_FOR:
            page = _Rendered(self._render_page(openmetrics), now)
            self._latest[openmetrics] = page
        return page

    async def _send(self, request: Request, page: _Rendered, openmetrics: bool, gzip: bool) -> None:
        request.setHeader(b"Vary", b"Accept, Accept-Encoding")
        body = page.body
        if gzip:
            body = await self._compressed(page)
            request.setHeader(b"Content-Encoding", b"gzip")
        respond(request, OK, OPENMETRICS_FORMAT if openmetrics else TEXT_FORMAT, body)

    async def _compressed(self, page: _Rendered) -> bytes:
        if page.compressed is None:
            done: Deferred[bytes] = Deferred()
            page.waiting.append(done)
            if len(page.waiting) == 1:
                work = Deferred.fromCoroutine(self._compressor.compress(page.body))
                work.addBoth(self._deliver, page)
            return await done
        return page.compressed

    @staticmethod
    def _deliver(result: bytes | Failure, page: _Rendered) -> None:
        if isinstance(result, bytes):
            page.compressed = result
        waiting, page.waiting = page.waiting, []
        for done in waiting:
            if isinstance(result, Failure):
                done.errback(result)
            else:
                done.callback(result)

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
