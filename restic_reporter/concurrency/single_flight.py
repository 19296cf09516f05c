"""One piece of work for all who wait for it."""

from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

T = TypeVar("T")


@define(eq=False)
class SingleFlight(Generic[T]):
    """
    Work that the first who joins begins, and all who join meanwhile wait for.

    Nothing is kept of it: who joins after its end begins it anew. It is cancelled when nobody
    waits for it any more, unless it ``outlives`` them. ``after`` is called at its end, before
    those who wait learn of it.
    """

    _after: Callable[[], object] = lambda: None
    _outlives: bool = False
    running: bool = field(default=False, init=False)
    _work: "Deferred[T] | None" = field(default=None, init=False)
    _waiting: "list[Deferred[T]]" = field(factory=list, init=False)

    def join(self, begin: Callable[[], Coroutine[Any, Any, T]]) -> "Deferred[T]":
        """
        The outcome of the work under way, or of ``begin()`` if there is none.

        Cancelling gives up only this wait.
        """
        waiting: Deferred[T] = Deferred(self._leave)
        self._waiting.append(waiting)
        if not self.running:
            # Known before it begins, since it may end at once.
            self.running = True
            work = self._work = Deferred.fromCoroutine(begin())
            work.addBoth(self._end, work)
        return waiting

    def stop(self, error: Exception) -> None:
        """Fail all who wait with ``error``, and cancel the work."""
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
            return  # the end of what was cancelled
        self._work, self.running = None, False
        self._after()
        self._notify(outcome)

    def _notify(self, outcome: T | Failure) -> None:
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if isinstance(outcome, Failure) and outcome.value is not None:
                # A failure for each, as each adds its frames to the traceback.
                outcome = Failure(outcome.value.with_traceback(None))
            if not one.called:
                one.callback(outcome)
