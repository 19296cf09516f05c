"""The page that Prometheus scrapes."""

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.web.server import Request

from .compression import Compressor
from .negotiate import prefers_openmetrics
from .shared_page import Document, SharedPage, header

TEXT_FORMAT = b"text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_FORMAT = b"application/openmetrics-text; version=1.0.0; charset=utf-8"


class MetricsPage(SharedPage[bool]):
    """
    ``/metrics`` in either format; the key is whether that is OpenMetrics.

    ``render`` gives the page in OpenMetrics or not, at once or in turns.
    """

    vary = b"Accept, Accept-Encoding"

    def __init__(self, reactor: Any, render: Callable[[bool], bytes | Awaitable[bytes]]) -> None:
        super().__init__(reactor)
        self._render = render
        self._compressor = Compressor()

    def compress(self, body: bytes) -> bytes:
        """Compress what has changed since the previous scrape."""
        return self._compressor.compress(body)

    def key(self, request: Request) -> bool:
        """Return whether the client prefers OpenMetrics."""
        return prefers_openmetrics(header(request, "Accept"))

    async def make(self, key: bool) -> Document:
        """Render the metrics."""
        rendering = self._render(key)
        body = rendering if isinstance(rendering, bytes) else await rendering
        return Document(OPENMETRICS_FORMAT if key else TEXT_FORMAT, body)
