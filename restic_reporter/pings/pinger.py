"""Sends the pings."""

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..collection.state import PastRead, RepositoryStatus
from ..concurrency.deadline import Deadline
from ..http import BoundedHTTPClient, raise_for_status
from ..http.urls import split
from ..model.errors import ReadError, Reason
from ..model.snapshots import Meter
from ..redaction.masks import redact
from .problems import problems_text

# Seconds for one ping, retries included.
PING_TIMEOUT = 10.0

# A service that hangs delays no other one, and has few of our connections.
_AT_ONCE = 4

_BODY_LIMIT = 2**20


def fail_url(url: str) -> str:
    """Return ``url`` with ``/fail`` at the end of its path."""
    path, mark, query = url.partition("?")
    return f"{path.rstrip('/')}/fail{mark}{query}"


@define(eq=False)
class Pinger:
    """
    Pings the ``ping_url`` of an entry after each read of its repository.

    Never in the way of collections: at most four requests are sent to a service at one time, and
    of a repository only the latest state. ``now`` returns Unix seconds.
    """

    _log = Logger()

    _reactor: Any
    _now: Callable[[], float]
    _http: BoundedHTTPClient
    # The latest read that was pinged for, by label.
    _pinged: dict[str, PastRead | None] = field(factory=dict, init=False)
    # The state to ping for, and the work on it, by label.
    _due: dict[str, RepositoryStatus] = field(factory=dict, init=False)
    _working: "dict[str, Deferred[None]]" = field(factory=dict, init=False)
    _gates: dict[str, DeferredSemaphore] = field(factory=dict, init=False)
    # Why the latest ping has failed, by label.
    _failed: dict[str, Reason] = field(factory=dict, init=False)
    _stopped: bool = field(default=False, init=False)

    def note(self, status: RepositoryStatus) -> None:
        """Ping for a repository if it was read since the last time, and has a ``ping_url``."""
        repository = status.task.repository
        label = repository.url
        read = status.reads[-1] if status.reads else None
        if self._stopped or repository.ping_url is None or read is self._pinged.get(label):
            return
        # A status also changes by itself, as by the result of a check.
        self._pinged[label] = read
        self._due[label] = status
        if label not in self._working:
            origin, _ = split(repository.ping_url.reveal())
            gate = self._gates.setdefault(origin, DeferredSemaphore(_AT_ONCE))
            work = Deferred.fromCoroutine(self._work(label, gate))
            work.addErrback(self._note_bug)
            self._working[label] = work
            work.addCallback(self._note_end, label)

    def stop(self) -> None:
        """Send no more; give up those under way."""
        self._stopped = True
        for work in list(self._working.values()):
            work.cancel()

    def _note_end(self, _: None, label: str) -> None:
        del self._working[label]

    def _note_bug(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self._log.failure("cannot ping: bug in restic-reporter", failure)

    async def _work(self, label: str, gate: DeferredSemaphore) -> None:
        while label in self._due:
            async with gate:
                await self._ping(self._due.pop(label))

    async def _ping(self, status: RepositoryStatus) -> None:
        repository = status.task.repository
        if repository.ping_url is None:
            return
        text = redact(problems_text(status, self._now()), repository.secrets())
        label, url = repository.url, repository.ping_url.reveal()
        try:
            await self._send(url, text)
        except ReadError as error:
            if self._failed.get(label) is not error.reason:
                self._failed[label] = error.reason
                self._log.warn(
                    "cannot send the ping of {url}: {error} ({reason})",
                    url=label,
                    error=redact(error.message, repository.secrets()),
                    reason=error.reason,
                )
        else:
            if self._failed.pop(label, None) is not None:
                self._log.info("the ping of {url} was sent again", url=label)

    async def _send(self, url: str, text: str) -> None:
        """
        Send one ping; with a ``text``, that of a failure.

        :raises ReadError: it was not accepted.
        """
        response = await self._http.request(
            "POST" if text else "GET",
            fail_url(url) if text else url,
            headers={"Content-Type": "text/plain; charset=utf-8"} if text else {},
            body=text.encode("utf-8", "replace") if text else None,
            deadline=Deadline.after(self._reactor, PING_TIMEOUT),
            body_limit=_BODY_LIMIT,
            meter=Meter(),
            operation="ping",
            idempotent=True,
        )
        raise_for_status(response, "ping_url")
