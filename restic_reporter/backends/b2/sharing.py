"""One piece of work for all who wait for it."""

from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from attrs import Factory, define
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ...model.errors import ReadError

T = TypeVar("T")


@define(eq=False)
class SharedWork(Generic[T]):
    """
    Work that is begun when somebody waits for it, and goes on as long as anybody does.

    Nothing is kept of it: who waits after its end begins it anew.
    """

    _work: "Deferred[T] | None" = None
    _waiting: "list[Deferred[T]]" = Factory(list)

    def wait(self, begin: Callable[[], Coroutine[Any, Any, T]]) -> "Deferred[T]":
        """
        The outcome of the work under way, or of ``begin()`` if there is none.

        Cancelling gives up only this wait; the work is cancelled with the last of them.
        """
        waiting: Deferred[T] = Deferred(self._leave)
        self._waiting.append(waiting)
        if self._work is None:
            work = self._work = Deferred.fromCoroutine(begin())
            work.addBoth(self._end, work)
        return waiting

    def _leave(self, waiting: "Deferred[T]") -> None:
        if waiting not in self._waiting:
            return
        self._waiting.remove(waiting)
        if not self._waiting and self._work is not None:
            work, self._work = self._work, None
            work.cancel()

    def _end(self, outcome: T | Failure, work: "Deferred[T]") -> None:
        if self._work is not work:
            return  # Nobody waits: this is the end of what was cancelled.
        self._work = None
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if not one.called:
                one.callback(_own(outcome))


def _own(outcome: T | Failure) -> T | Failure:
    """``outcome`` for one of several: an exception of its own, as each adds a traceback."""
    if isinstance(outcome, Failure) and isinstance(outcome.value, ReadError):
        return Failure(ReadError(outcome.value.reason, outcome.value.message))
    return outcome
