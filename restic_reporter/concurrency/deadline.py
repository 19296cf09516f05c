"""How long a piece of work may still take."""

from collections.abc import Coroutine
from typing import Any, TypeVar

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime

from ..model.errors import ReadError, Reason

T = TypeVar("T")

# The longest time limit that can be meant; a longer one is a slip of the keys.
LONGEST_TIMEOUT = 365 * 86400


@frozen
class Deadline:
    """A moment on the clock of the reactor by which something must have ended."""

    clock: IReactorTime
    moment: float

    @classmethod
    def after(cls, clock: IReactorTime, seconds: float) -> "Deadline":
        """The deadline that lies ``seconds`` from now."""
        return cls(clock, clock.seconds() + seconds)

    def remaining(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self.moment - self.clock.seconds())

    def sooner(self, seconds: float) -> "Deadline":
        """This deadline, or the one ``seconds`` from now if that is sooner."""
        return Deadline(self.clock, min(self.moment, self.clock.seconds() + seconds))


def sleep(clock: IReactorTime, seconds: float) -> "Deferred[None]":
    """A Deferred that fires after ``seconds`` and may be cancelled."""
    waiting: Deferred[None] = Deferred(lambda _: call.cancel())
    call = clock.callLater(seconds, waiting.callback, None)
    return waiting


async def within(deadline: Deadline, work: Coroutine[Any, Any, T], what: str) -> T:
    """
    Await ``work``, cancelling it when the deadline passes.

    :raises ReadError: with reason ``timeout`` and a message that begins with ``what``; but
        a `ReadError` that the cancelled work raises itself counts, as it knows better.
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
