"""Orders over HTTP: who may give one, and what all of them have in common."""

# Much of Twisted has no types yet.
# mypy: allow-untyped-calls

from collections.abc import Awaitable, Sequence
from typing import Protocol
from urllib.parse import parse_qsl

from twisted.logger import Logger
from twisted.web.http import BAD_REQUEST, FORBIDDEN, NOT_FOUND, UNSUPPORTED_MEDIA_TYPE
from twisted.web.server import Request

from ..model.results import Result
from .pages import Page
from .response import respond_text
from .same_origin import is_cross_origin, is_form, is_rebindable
from .security.gate import Security

Parameters = list[tuple[str, str]]


class Lifecycle(Protocol):
    """The orders that the daemon follows."""

    def reload(self) -> Awaitable[Sequence[str]]:
        """Load the config again; return what is wrong with it, without secrets."""

    def knows(self, label: str) -> bool:
        """Return whether a repository has this label."""

    def collect(self, label: str | None) -> bool:
        """Start a collection of one repository or of all; return whether it was started."""

    def now(self) -> float:
        """Return the time in Unix seconds."""

    def add_result(self, label: str, result: Result) -> bool:
        """Note how a job ended; return whether no newer one of its kind is known."""


class Order(Page):
    """A path that takes POST alone, from no other site, where ``lifecycle`` is enabled."""

    log = Logger()

    def __init__(self, lifecycle: Lifecycle | None, security: Security) -> None:
        super().__init__()
        self._lifecycle = lifecycle
        self._security = security

    def render_POST(self, request: Request) -> int:
        """Follow the order, or say why not."""
        if self._lifecycle is None:
            return respond_text(request, FORBIDDEN, "403 Forbidden: needs --enable-lifecycle")
        if is_cross_origin(request.getHeader):
            return respond_text(request, FORBIDDEN, "403 Forbidden: sent by a page of another site")
        config = self._security.config
        if not (config.tls or config.users) and is_rebindable(request.getHeader):
            line = "403 Forbidden: in a browser, orders need TLS, a password, or an IP address"
            return respond_text(request, FORBIDDEN, line)
        if is_form(request.getHeader("Content-Type")):
            line = "415 Unsupported Media Type: send no body, and no Content-Type"
            return respond_text(request, UNSUPPORTED_MEDIA_TYPE, line)
        try:
            query = request.uri.partition(b"?")[2].decode("ascii")
            parameters = parse_qsl(query, keep_blank_values=True, errors="strict")
        except ValueError:
            return bad_request(request, "the query is not valid UTF-8")
        return self.follow(request, self._lifecycle, parameters)

    def follow(self, request: Request, lifecycle: Lifecycle, parameters: Parameters) -> int:
        """Follow an accepted order; each kind of order does it in its own way."""
        raise NotImplementedError

    def note(self, request: Request, what: str) -> None:
        """Log ``what`` was done, and who did it."""
        address = getattr(request.getClientAddress(), "host", None) or "a local client"
        self.log.info("{what} over HTTP by {address}", what=what, address=address)


def bad_request(request: Request, problem: str) -> int:
    """Respond that the order is not valid."""
    return respond_text(request, BAD_REQUEST, f"400 Bad Request: {problem}")


def unknown_label(request: Request) -> int:
    """Respond that there is no such repository."""
    return respond_text(request, NOT_FOUND, "404 Not Found: no repository has this url")
