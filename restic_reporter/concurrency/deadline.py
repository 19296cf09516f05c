"""Deadlines: limits on the time of a piece of work."""

from collections.abc import Coroutine
from typing import Any, TypeVar

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime

from ..model.errors import ReadError, Reason

T = TypeVar("T")

# The longest allowed timeout in seconds; a longer one is a typing mistake.
LONGEST_TIMEOUT = 365 * 86400


@frozen
class Deadline:
    """A time of the reactor's clock at which some work must end."""

    clock: IReactorTime
    moment: float

    @classmethod
    def after(cls, clock: IReactorTime, seconds: float) -> "Deadline":
        """Return the deadline ``seconds`` from now."""
        return cls(clock, clock.seconds() + seconds)

    def remaining(self) -> float:
        """Return the seconds left, never below zero."""
        return max(0.0, self.moment - self.clock.seconds())

    def sooner(self, seconds: float) -> "Deadline":
        """Return this deadline, or the one ``seconds`` from now if that is sooner."""
        return Deadline(self.clock, min(self.moment, self.clock.seconds() + seconds))


def sleep(clock: IReactorTime, seconds: float) -> "Deferred[None]":
    """Return a Deferred that fires after ``seconds`` and may be cancelled."""
    waiting: Deferred[None] = Deferred(lambda _: call.cancel())
    call = clock.callLater(seconds, waiting.callback, None)
    return waiting


async def within(deadline: Deadline, work: Coroutine[Any, Any, T], what: str) -> T:
    """
    Await ``work``; cancel it when the deadline passes.

    :raises ReadError: ``timeout``, with a message that begins with ``what``. A `ReadError`
        from the cancelled work takes precedence.
    """
    started = deadline.clock.seconds()
    task = Deferred.fromCoroutine(work)
    expired = False

    def expire() -> None:
        nonlocal expired
        expired = True
        task.cancel()

    call = deadline.clock.callLater(deadline.remaining(), expire)
    try:
        return await task
    except CancelledError:
        if not expired:
            raise
        taken = deadline.clock.seconds() - started
        raise ReadError(Reason.TIMEOUT, f"{what}: timed out after {taken:.1f} s") from None
    finally:
        if call.active():
            call.cancel()
