"""A clock that a test moves on, for work in real threads."""

import queue
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.doubles.programs import PATIENCE


class ThreadedClock(Clock):
    """Time goes on as a test says; results of threads are events that it waits for."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: queue.Queue[tuple[Callable[..., object], Any, Any]] = queue.Queue()

    def callFromThread(self, call: Callable[..., object], *arguments: Any, **named: Any) -> None:
        """Have the test make this call."""
        self._calls.put((call, arguments, named))

    def until(self, holds: Callable[[], object]) -> None:
        """Make the calls that are due, and those of threads, until something holds."""
        while not holds():
            if any(call.getTime() <= self.seconds() for call in self.getDelayedCalls()):
                self.advance(0)
                continue
            call, arguments, named = self._calls.get(timeout=PATIENCE)
            call(*arguments, **named)

    def settle(self, work: "Deferred[Any]") -> None:
        """Make the calls of threads until ``work`` has ended."""
        self.until(lambda: work.called and not work.paused)
