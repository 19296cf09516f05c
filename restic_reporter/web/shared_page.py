"""Pages that take long to make: made in turns, shared by clients, compressed in a thread."""

# Much of Twisted has no types yet.
# mypy: allow-untyped-calls

import gzip
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Mapping
from typing import Any, Generic, TypeVar

from attrs import define, evolve, field, frozen
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import INTERNAL_SERVER_ERROR, OK
from twisted.web.server import NOT_DONE_YET, Request

from ..concurrency.daemon_threads import in_daemon_thread
from ..concurrency.single_flight import SingleFlight
from .negotiate import accepts_gzip
from .pages import Page
from .response import respond, respond_text

K = TypeVar("K", bound=Hashable)

# How old, in seconds, a page may be that another scrape is given as well.
SHARED_FOR = 1.0

# Level 1 compresses this much in about a millisecond.
INLINE = 256 * 1024


def compressed(body: bytes) -> bytes:
    """Compress ``body`` as gzip, at the fastest level."""
    return gzip.compress(body, compresslevel=1, mtime=0)


@frozen
class Document:
    """The parts of a response."""

    content_type: bytes
    body: bytes
    code: int = OK


@define(eq=False)
class _Rendered:
    """
    A page, plain and compressed, each made at the first request for it.

    Its rendering began at ``moment``. ``users`` responses wait for it or send it.
    """

    _render: Callable[[], Coroutine[Any, Any, Document]]
    _compress: Callable[[bytes], Awaitable[bytes]]
    moment: float
    users: int = 0
    _plain: SingleFlight[Document] = field(factory=lambda: SingleFlight(outlives=True, keeps=True))
    _gzip: SingleFlight[Document] = field(factory=lambda: SingleFlight(outlives=True, keeps=True))

    async def document(self, gzip: bool) -> Document:
        """Return the page as soon as it is made."""
        flight, make = (self._gzip, self._compressed) if gzip else (self._plain, self._render)
        return await flight.join(make)

    async def _compressed(self) -> Document:
        plain = await self._plain.join(self._render)
        return evolve(plain, body=await self._compress(plain.body))


class SharedPage(Page, Generic[K]):
    """
    A page in several forms, each named by a key, compressed where the client takes that.

    A request that comes while another one of the same key is in progress, and within a second
    of its beginning, is given the same bytes: fifty clients that ask at once and then do not
    read hold one page. A request that comes when no other is in progress always sees the
    latest state.
    """

    log = Logger()
    headers: Mapping[bytes, bytes] = {}
    vary = b"Accept-Encoding"

    def __init__(self, reactor: Any) -> None:
        super().__init__()
        self._reactor = reactor
        self._threads = DeferredSemaphore(2)
        self._latest: dict[K, _Rendered] = {}

    def compress(self, body: bytes) -> bytes:
        """Compress ``body`` as gzip; may be called in several threads."""
        return compressed(body)

    def key(self, request: Request) -> K:
        """Return the key of the form that the client asks for."""
        raise NotImplementedError

    async def make(self, key: K) -> Document:
        """Make the page."""
        raise NotImplementedError

    def render_GET(self, request: Request) -> int:
        """Answer with the page."""
        key = self.key(request)
        gzip = accepts_gzip(header(request, "Accept-Encoding"))
        page = self._page(key)

        def release(_: object) -> None:
            # A client that has left must not be answered when the compression ends.
            sending.cancel()
            page.users -= 1
            if not page.users and self._latest.get(key) is page:
                del self._latest[key]

        def failed(failure: Failure) -> None:
            if not failure.check(CancelledError):
                self._fail(request, failure)

        page.users += 1
        finished = request.notifyFinish()
        sending = Deferred.fromCoroutine(self._send(request, page, gzip))
        sending.addErrback(failed)
        finished.addBoth(release)
        return NOT_DONE_YET

    def _page(self, key: K) -> _Rendered:
        now = self._reactor.seconds()
        page = self._latest.get(key)
        if page is None or not 0 <= now - page.moment < SHARED_FOR:
            page = _Rendered(lambda: self.make(key), self._compress, now)
            self._latest[key] = page
        return page

    async def _compress(self, body: bytes) -> bytes:
        """
        Compress ``body``: a large one in a thread, at most two at a time.

        Not in the reactor's threads, which may be busy for seconds.
        """
        if len(body) <= INLINE:
            return self.compress(body)
        return await self._threads.run(in_daemon_thread, self._reactor, self.compress, body)

    async def _send(self, request: Request, page: _Rendered, gzip: bool) -> None:
        document = await page.document(gzip)
        for name, value in {**self.headers, b"Vary": self.vary}.items():
            request.setHeader(name, value)
        if gzip:
            request.setHeader(b"Content-Encoding", b"gzip")
        respond(request, document.code, document.content_type, document.body)

    def _fail(self, request: Request, failure: Failure) -> int:
        self.log.failure("cannot make the page {path!r}", failure=failure, path=request.path)
        if request.startedWriting:
            request.loseConnection()
            return NOT_DONE_YET
        for name in (*self.headers, b"Vary", b"Content-Encoding"):
            request.responseHeaders.removeHeader(name)
        return respond_text(request, INTERNAL_SERVER_ERROR, "500 Internal Server Error")


def header(request: Request, name: str) -> str | None:
    """Return all values of a header as one list, ``None`` if the client sent none."""
    values = request.requestHeaders.getRawHeaders(name.encode("ascii"))
    return None if values is None else b",".join(values).decode("latin-1")
