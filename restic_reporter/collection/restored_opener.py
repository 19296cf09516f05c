"""Opens restored repositories between collections, to find passwords that no longer fit."""

from collections import deque
from collections.abc import Callable, Iterable

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..concurrency.deadline import Deadline, within
from ..model.errors import ReadError, Reason
from .open_repository import open_repository
from .state import RepositoryStatus

# The repository is there, and cannot be opened. Anything else shows at the next collection.
_REFUSED = (Reason.AUTH, Reason.KEYS)


@define(eq=False)
class RestoredOpener:
    """
    Opens repositories one at a time, as deriving a key takes half a second of a processor.

    A collection of an unchanged repository opens nothing, so a password that was changed while
    the daemon was away would not show. ``on_refused`` is called with a repository that cannot be
    opened, the error and the seconds that the attempt took.
    """

    _log = Logger()

    _clock: IReactorTime
    _now: Callable[[], float]
    _on_refused: Callable[[RepositoryStatus, ReadError, float], None]
    _work: "Deferred[None] | None" = field(default=None, init=False)

    def start(self, statuses: Iterable[RepositoryStatus]) -> None:
        """Open those of ``statuses`` whose reader keeps keys and has not opened them yet."""
        waiting = deque(
            one for one in statuses if one.unopened and one.success and one.task.reader.incremental
        )
        if waiting and self._work is None:
            self._work = Deferred.fromCoroutine(self._open_all(waiting))
            self._work.addErrback(self._ended)

    def _ended(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self._log.failure("cannot open restored repositories: bug in restic-reporter", failure)

    async def stop(self) -> None:
        """Stop, until the next start; return when all work has stopped."""
        work, self._work = self._work, None
        if work is not None:
            work.cancel()
            await work

    async def _open_all(self, waiting: deque[RepositoryStatus]) -> None:
        while waiting:
            await self._open(waiting.popleft())
        self._work = None

    async def _open(self, status: RepositoryStatus) -> None:
        task = status.task
        if task.repository.materials:
            # Its secrets could not be looked up, which shows already.
            return
        started = self._clock.seconds()
        deadline = Deadline.after(self._clock, task.timeout)
        work = open_repository(task, status, self._now(), self._clock, deadline)
        try:
            await within(deadline, work, "opening the repository")
        except ReadError as error:
            if error.reason in _REFUSED:
                status.unopened = False
                self._on_refused(status, error, self._clock.seconds() - started)
        except CancelledError:
            raise
        except Exception:
            # A bug of a plugin, which shows when the repository is read.
            self._log.failure("cannot open {url}", url=task.repository.url)
            status.unopened = False
        else:
            status.unopened = False
