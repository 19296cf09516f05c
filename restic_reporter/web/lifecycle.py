"""Orders over HTTP: ``POST /-/reload`` and ``POST /-/collect``, like HUP and USR1."""

# Much of Twisted has no types yet.
# mypy: allow-untyped-calls

from collections.abc import Awaitable, Sequence
from typing import Any, Protocol
from urllib.parse import parse_qsl

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import (
    ACCEPTED,
    BAD_REQUEST,
    CONFLICT,
    FORBIDDEN,
    INTERNAL_SERVER_ERROR,
    NOT_FOUND,
    OK,
    UNSUPPORTED_MEDIA_TYPE,
)
from twisted.web.resource import IResource
from twisted.web.server import NOT_DONE_YET, Request

from .pages import Page
from .response import TEXT, respond, respond_text
from .same_origin import is_cross_origin, is_form, is_rebindable
from .security.gate import Security

# Seconds that the response to a reload may take.
_RELOAD_TIMEOUT = 75.0


class Lifecycle(Protocol):
    """The orders that the daemon follows."""

    def reload(self) -> Awaitable[Sequence[str]]:
        """Load the config again; return what is wrong with it, without secrets."""

    def knows(self, label: str) -> bool:
        """Return whether a repository has this label."""

    def collect(self, label: str | None) -> bool:
        """Start a collection of one repository or of all; return whether it was started."""


class _Order(Page):
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
            return _bad(request, "the query is not valid UTF-8")
        return self.follow(request, self._lifecycle, parameters)

    def follow(
        self, request: Request, lifecycle: Lifecycle, parameters: list[tuple[str, str]]
    ) -> int:
        """Follow an accepted order; each kind of order does it in its own way."""
        raise NotImplementedError

    def note(self, request: Request, what: str) -> None:
        """Log who gives the order."""
        address = getattr(request.getClientAddress(), "host", None) or "a local client"
        self.log.info("{what} requested over HTTP by {address}", what=what, address=address)


class _ReloadPage(_Order):
    """``POST /-/reload``: the response comes when the reload has ended."""

    def follow(
        self, request: Request, lifecycle: Lifecycle, parameters: list[tuple[str, str]]
    ) -> int:
        """Reload the config."""
        if parameters:
            return _bad(request, f"unknown parameter {parameters[0][0]!r}")
        self.note(request, "reload")
        channel: Any = request.channel
        channel.extend(_RELOAD_TIMEOUT)

        async def reload() -> None:
            problems = await lifecycle.reload()
            if problems:
                body = "".join(f"{problem}\n" for problem in problems).encode()
                respond(request, INTERNAL_SERVER_ERROR, TEXT, body)
            else:
                respond_text(request, OK, "OK")

        def failed(failure: Failure) -> None:
            if not failure.check(CancelledError):
                request.processingFailed(failure)

        reloading = Deferred.fromCoroutine(reload())
        reloading.addErrback(failed)
        # A client that has left gets no response; the reload goes on.
        request.notifyFinish().addErrback(lambda _: reloading.cancel())
        return NOT_DONE_YET


class _CollectPage(_Order):
    """``POST /-/collect[?url=LABEL]``: the response comes when the collection has begun."""

    def follow(
        self, request: Request, lifecycle: Lifecycle, parameters: list[tuple[str, str]]
    ) -> int:
        """Collect one repository, or all."""
        labels = [value for name, value in parameters if name == "url"]
        unknown = [name for name, _ in parameters if name != "url"]
        if unknown:
            return _bad(request, f"unknown parameter {unknown[0]!r}; only url is known")
        if len(labels) > 1:
            return _bad(request, "more than one url")
        label = labels[0] if labels else None
        if label is not None and not lifecycle.knows(label):
            return respond_text(request, NOT_FOUND, "404 Not Found: no repository has this url")
        self.note(request, "collection")
        if not lifecycle.collect(label):
            return respond_text(request, CONFLICT, "409 Conflict: a collection is running")
        return respond_text(request, ACCEPTED, "202 Accepted: the collection has started")


def _bad(request: Request, problem: str) -> int:
    return respond_text(request, BAD_REQUEST, f"400 Bad Request: {problem}")


def lifecycle_pages(lifecycle: Lifecycle | None, security: Security) -> dict[bytes, IResource]:
    """Return the pages by path; without ``lifecycle`` they refuse all orders."""
    pages: dict[bytes, Any] = {
        b"/-/reload": _ReloadPage(lifecycle, security),
        b"/-/collect": _CollectPage(lifecycle, security),
    }
    return pages
