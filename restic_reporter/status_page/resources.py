"""The resources of the status page for the web server, by path."""

from typing import Any

from twisted.web.resource import IResource
from twisted.web.server import Request

from ..web.html_page import HTMLPage
from ..web.shared_page import Document, SharedPage
from .assets import ASSET_HEADERS, ASSETS, Asset
from .pages import StatusPages


class AssetPage(SharedPage[None]):
    """A file that never changes, compressed where the client takes that."""

    headers = ASSET_HEADERS

    def __init__(self, reactor: Any, asset: Asset) -> None:
        super().__init__(reactor)
        self._asset = asset

    def key(self, request: Request) -> None:
        """Return the only key."""

    async def make(self, key: None) -> Document:
        """Return the file."""
        return Document(self._asset.content_type, self._asset.body)


def status_resources(reactor: Any, pages: StatusPages) -> dict[bytes, IResource]:
    """Return the pages, and what they need."""
    return {
        b"/": HTMLPage(reactor, pages.overview),
        b"/repositories": HTMLPage(reactor, pages.repositories),
        b"/copies": HTMLPage(reactor, pages.copies),
        b"/repository": HTMLPage(reactor, pages.repository),
        **{one.path: AssetPage(reactor, one) for one in ASSETS},
    }
