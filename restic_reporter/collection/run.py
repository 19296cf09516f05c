"""The state of a running collection."""

from collections import deque
from collections.abc import Callable, Coroutine
from itertools import islice
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime

from ..concurrency.deadline import Deadline
from .state import Reading, RepositoryStatus, Task

# So many of the repositories that are being read are named.
_SHOWN = 3

# As `read_repository`.
ReadOne = Callable[
    [Task, RepositoryStatus, float, IReactorTime, Deadline], Coroutine[Any, Any, Reading]
]


@frozen
class Progress:
    """
    How far a collection is: the number of repositories ``left`` to read, and those at work
    for ``longest``, each with its seconds.
    """

    left: int
    longest: tuple[tuple[str, float], ...]


@define
class Run:
    """
    One collection.

    ``incomplete`` are the repositories whose secrets are being looked up; ``looked_up`` fires
    when that is done. ``reading`` has the URLs that are being read and their start times,
    oldest first.
    """

    queue: deque[RepositoryStatus]
    incomplete: list[RepositoryStatus]
    looked_up: "Deferred[None]" = field(factory=Deferred)
    reading: dict[str, float] = field(factory=dict)
    cancelled: bool = False

    def longest(self, now: float) -> tuple[tuple[str, float], ...]:
        """Return the first of ``reading``, with their seconds until ``now`` (reactor's clock)."""
        return tuple((url, now - began) for url, began in islice(self.reading.items(), _SHOWN))


class Workers(DeferredList):  # type: ignore[misc,valid-type]
    """Waits for all workers of a run; cancelling it ends them and their queue."""

    def __init__(self, workers: list["Deferred[None]"], run: Run) -> None:
        super().__init__(workers, consumeErrors=True)
        self._run = run

    def cancel(self) -> None:
        """Cancel the run."""
        self._run.cancelled = True
        super().cancel()
