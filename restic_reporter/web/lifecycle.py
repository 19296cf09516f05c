"""Orders over HTTP: ``POST /-/reload`` and ``POST /-/collect``, like HUP and USR1."""

# Much of Twisted has no types yet.
# mypy: allow-untyped-calls

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from twisted.web.http import ACCEPTED, CONFLICT, INTERNAL_SERVER_ERROR, OK
from twisted.web.resource import IResource
from twisted.web.server import NOT_DONE_YET, Request

from .order import Lifecycle, Order, Parameters, bad_request, unknown_label
from .response import TEXT, respond, respond_text
from .results import ResultsPage
from .security.gate import Security

# Seconds that the response to a reload may take.
_RELOAD_TIMEOUT = 75.0


class _ReloadPage(Order):
    """``POST /-/reload``: the response comes when the reload has ended."""

    def follow(self, request: Request, lifecycle: Lifecycle, parameters: Parameters) -> int:
        """Reload the config."""
        if parameters:
            return bad_request(request, f"unknown parameter {parameters[0][0]!r}")
        self.note(request, "reload requested")
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


class _CollectPage(Order):
    """``POST /-/collect[?url=LABEL]``: the response comes when the collection has begun."""

    def follow(self, request: Request, lifecycle: Lifecycle, parameters: Parameters) -> int:
        """Collect one repository, or all."""
        labels = [value for name, value in parameters if name == "url"]
        unknown = [name for name, _ in parameters if name != "url"]
        if unknown:
            return bad_request(request, f"unknown parameter {unknown[0]!r}; only url is known")
        if len(labels) > 1:
            return bad_request(request, "more than one url")
        label = labels[0] if labels else None
        if label is not None and not lifecycle.knows(label):
            return unknown_label(request)
        self.note(request, "collection requested")
        if not lifecycle.collect(label):
            return respond_text(request, CONFLICT, "409 Conflict: a collection is running")
        return respond_text(request, ACCEPTED, "202 Accepted: the collection has started")


def lifecycle_pages(lifecycle: Lifecycle | None, security: Security) -> dict[bytes, IResource]:
    """Return the pages by path; without ``lifecycle`` they refuse all orders."""
    pages: dict[bytes, Any] = {
        b"/-/reload": _ReloadPage(lifecycle, security),
        b"/-/collect": _CollectPage(lifecycle, security),
        b"/-/results": ResultsPage(lifecycle, security),
    }
    return pages
