"""Pages for people, in HTML."""

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.web.server import Request

from .shared_page import Document, SharedPage

# Allows only what comes from the exporter itself; nothing inline, nothing external.
_POLICY = (
    b"default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    b"img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

_HEADERS = {
    b"Cache-Control": b"no-cache",
    b"Content-Security-Policy": _POLICY,
    b"Referrer-Policy": b"no-referrer",
}


class HTMLPage(SharedPage[bytes]):
    """
    A page whose form depends on the query of its URL.

    ``render`` gives the status code and the body for a query.
    """

    headers = _HEADERS

    def __init__(
        self, reactor: Any, render: Callable[[bytes], Awaitable[tuple[int, bytes]]]
    ) -> None:
        super().__init__(reactor)
        self._render = render

    def key(self, request: Request) -> bytes:
        """Return the query."""
        return bytes(request.uri.partition(b"?")[2])

    async def make(self, key: bytes) -> Document:
        """Render the page."""
        code, body = await self._render(key)
        return Document(b"text/html; charset=utf-8", body, code)
