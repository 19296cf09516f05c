"""The resource tree: pages by whole path, with their methods."""

# Much of Twisted has no types yet.
# mypy: allow-untyped-calls

from collections.abc import Callable

from twisted.web.http import NOT_ALLOWED, NOT_FOUND, OK
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request

from .response import TEXT, respond, respond_text


class Page(Resource):
    """
    A resource at one path. A subclass has ``render_GET``, ``render_POST`` and so on.

    ``render_GET`` also serves HEAD: `respond` leaves the body out. Any other method gets a
    405.
    """

    isLeaf = True

    def render(self, request: Request) -> int:
        """Call the method's handler."""
        method = request.method.decode("ascii", "replace")
        handler = getattr(self, f"render_{'GET' if method == 'HEAD' else method}", None)
        # Resource has a render_HEAD of its own, which is not used here.
        if handler is None:
            allowed = sorted(
                name.removeprefix("render_") for name in dir(self) if name.startswith("render_")
            )
            if "GET" not in allowed:
                allowed.remove("HEAD")
            request.setHeader(b"Allow", ", ".join(allowed).encode("ascii"))
            return respond_text(request, NOT_ALLOWED, "405 Method Not Allowed")
        result: int = handler(request)
        return result


class StaticPage(Page):
    """A page whose ``body`` never changes, with ``headers`` of its own."""

    def __init__(
        self, content_type: bytes, body: bytes, headers: dict[bytes, bytes] | None = None
    ) -> None:
        super().__init__()
        self._content_type = content_type
        self._body = body
        self._headers = headers or {}

    def render_GET(self, request: Request) -> int:
        """Answer with the body."""
        for name, value in self._headers.items():
            request.setHeader(name, value)
        return respond(request, OK, self._content_type, self._body)


class TextPage(Page):
    """A page of plain text that ``text`` returns."""

    def __init__(self, text: Callable[[], bytes]) -> None:
        super().__init__()
        self._text = text

    def render_GET(self, request: Request) -> int:
        """Answer with the text of this moment."""
        return respond(request, OK, TEXT, self._text())


class Pages(Resource):
    """
    The root: finds the page by the whole path, as the client wrote it, less the query.

    ``paths`` may be extended at any time. Every other path gets a 404.
    """

    isLeaf = True

    def __init__(self, paths: dict[bytes, IResource]) -> None:
        super().__init__()
        self.paths = paths

    def render(self, request: Request) -> int:
        """Respond with the page of this path."""
        page = self.paths.get(request.path)
        if page is None:
            return respond_text(request, NOT_FOUND, "404 Not Found")
        result: int = page.render(request)
        return result
