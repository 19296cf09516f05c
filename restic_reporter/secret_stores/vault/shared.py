"""Work that many wait for and that is done once."""

from collections.abc import Callable, Coroutine
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure


@define(eq=False)
class Shared:
    """
    Runs ``work`` for all who join while it goes on, and calls ``after`` at its end.

    One who waits may be cancelled; the work goes on for the others.
    """

    _work: Callable[[], Coroutine[Any, Any, None]]
    _after: Callable[[], None] = lambda: None
    _waiters: list["Deferred[None]"] = field(factory=list)
    _running: bool = False
    _task: "Deferred[None] | None" = None

    @property
    def running(self) -> bool:
        """Whether it goes on now."""
        return self._running

    def join(self) -> "Deferred[None]":
        """Start the work unless it runs; fires, or fails, when it ends."""
        waiter: Deferred[None] = Deferred(self._waiters.remove)
        self._waiters.append(waiter)
        if not self._running:
            # Known before it begins, since it may end at once.
            self._running = True
            task = Deferred.fromCoroutine(self._work())
            self._task = task
            task.addBoth(self._ended)
        return waiter

    def stop(self, failure: BaseException) -> None:
        """Fail all who wait, and cancel the work."""
        self._fire(Failure(failure))
        if self._running and self._task is not None:
            self._task.cancel()

    def _ended(self, outcome: "Failure | None") -> None:
        self._running = False
        self._after()
        self._fire(outcome)

    def _fire(self, outcome: "Failure | None") -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.called:
                waiter.callback(outcome)
