"""Shares one piece of work between several callers."""

from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

T = TypeVar("T")


@define(eq=False)
class SingleFlight(Generic[T]):
    """
    Work that the first caller starts, and that callers who join meanwhile share.

    A caller after the end starts it again, unless ``keeps`` is set and the work succeeded. It
    is cancelled when the last caller cancels, unless ``outlives`` is set. ``after`` is called
    at its end, before the callers get the result.
    """

    _after: Callable[[], object] = lambda: None
    _outlives: bool = False
    _keeps: bool = False
    _kept: list[T] = field(factory=list, init=False)
    running: bool = field(default=False, init=False)
    _work: "Deferred[T] | None" = field(default=None, init=False)
    _waiting: "list[Deferred[T]]" = field(factory=list, init=False)

    def join(self, begin: Callable[[], Coroutine[Any, Any, T]]) -> "Deferred[T]":
        """
        Return the result of the running work, or start it with ``begin()``.

        Cancelling ends only this wait.
        """
        if self._kept:
            return succeed(self._kept[0])
        waiting: Deferred[T] = Deferred(self._leave)
        self._waiting.append(waiting)
        if not self.running:
            # Set before the start, as it may end at once.
            self.running = True
            work = self._work = Deferred.fromCoroutine(begin())
            work.addBoth(self._end, work)
        return waiting

    def stop(self, error: Exception) -> None:
        """Fail all callers with ``error``, and cancel the work."""
        self._notify(Failure(error))
        if self._work is not None:
            self._work.cancel()

    def _leave(self, waiting: "Deferred[T]") -> None:
        if waiting in self._waiting:
            self._waiting.remove(waiting)
        if not self._waiting and not self._outlives and self._work is not None:
            work, self._work, self.running = self._work, None, False
            work.cancel()

    def _end(self, outcome: T | Failure, work: "Deferred[T]") -> None:
        if self._work is not work:
            return  # this work was cancelled
        self._work, self.running = None, False
        if self._keeps and not isinstance(outcome, Failure):
            self._kept.append(outcome)
        self._after()
        self._notify(outcome)

    def _notify(self, outcome: T | Failure) -> None:
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if not one.called:
                one.callback(_copy(outcome) if isinstance(outcome, Failure) else outcome)


def _copy(failure: Failure) -> Failure:
    """Copy a failure for one of several callers: each adds its frames to the traceback."""
    return Failure(failure.value, failure.type, failure.getTracebackObject())
