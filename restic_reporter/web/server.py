"""The site: its pages, and how it serves them."""

# Much of Twisted has no types yet.
# mypy: allow-untyped-calls

from collections.abc import Awaitable, Callable, Mapping
from io import BytesIO
from typing import Any

from twisted.logger import Logger
from twisted.web.http import Request
from twisted.web.resource import IResource
from twisted.web.server import Site

from .channel import BoundedChannel
from .connections import DEFAULT_LIMITS, Connections, Limits
from .lifecycle import lifecycle_pages
from .metrics_page import MetricsPage
from .order import Lifecycle
from .pages import Pages, TextPage
from .request import BoundedRequest
from .security.gate import Gate, Security


class BoundedSite(Site):
    """
    A site for HTTP/1.0 and 1.1, with ``limits`` on its `Connections`.

    It writes no access log; a request is a log event at level debug.
    """

    # Not the proxy of Twisted's own site, which changes to HTTP/2.
    protocol = BoundedChannel  # type: ignore[assignment]
    requestFactory = BoundedRequest
    noisy = False
    events = Logger()

    def __init__(
        self, reactor: Any, resource: IResource, limits: Limits, security: Security
    ) -> None:
        super().__init__(resource, reactor=reactor)
        self._gate = Gate(security, resource)
        self.connections = Connections(reactor, limits)
        self.security = security

    def getResourceFor(self, request: Request) -> IResource:
        """Return the gate, in front of every path."""
        return self._gate

    def acceptableProtocols(self) -> list[bytes]:
        """Return only HTTP/1.1: HTTP/2 would have other limits."""
        return [b"http/1.1"]

    def startFactory(self) -> None:
        """Do nothing: Twisted's own opens an access log, and wakes up each second."""

    def stopFactory(self) -> None:
        """Do nothing, likewise."""

    def log(self, request: Request) -> None:
        """Log one request at level debug."""
        self.events.debug(
            "{method!r} {path!r}: {code}",
            method=request.method,
            path=request.path,
            code=request.code,
        )

    def getContentFile(self, length: int | None) -> BytesIO:
        """Keep a request's body in memory: Twisted's temporary files have no limit."""
        return BytesIO()


_OK = b"OK\n"


def make_site(
    reactor: Any,
    render: Callable[[bool], bytes | Awaitable[bytes]],
    pages: Mapping[bytes, IResource],
    limits: Limits = DEFAULT_LIMITS,
    security: Security | None = None,
    lifecycle: Lifecycle | None = None,
    ready: Callable[[], bytes] = lambda: _OK,
) -> BoundedSite:
    """
    Make the daemon's site.

    :param reactor: for time and for calls from threads.
    :param render: makes the metrics page: OpenMetrics 1.0 if its argument is true, else text
        format 0.0.4. It is called on the reactor's thread and must be fast.
    :param pages: other pages by path, such as the status page.
    :param security: who may use the site; by default everybody.
    :param lifecycle: follows orders; without it they are refused.
    :param ready: returns the text of ``/-/ready``.
    """
    security = security or Security(reactor)
    every = Pages(
        {
            **pages,
            b"/metrics": MetricsPage(reactor, render),
            b"/-/healthy": TextPage(lambda: _OK),
            b"/-/ready": TextPage(ready),
            **lifecycle_pages(lifecycle, security),
        }
    )
    return BoundedSite(reactor, every, limits, security)
