"""The resources of the status page for the web server, by path."""

from typing import Any

from twisted.web.resource import IResource

from ..web.html_page import HTMLPage
from ..web.pages import StaticPage
from .assets import ASSET_HEADERS, ASSETS
from .pages import StatusPages


def status_resources(reactor: Any, pages: StatusPages) -> dict[bytes, IResource]:
    """Return the pages, and what they need."""
    return {
        b"/": HTMLPage(reactor, pages.overview),
        b"/repositories": HTMLPage(reactor, pages.repositories),
        b"/repository": HTMLPage(reactor, pages.repository),
        **{one.path: StaticPage(one.content_type, one.body, ASSET_HEADERS) for one in ASSETS},
    }
