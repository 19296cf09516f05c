"""Long work on the reactor, in turns with all else."""

import time
from collections.abc import Generator
from typing import TypeVar

from twisted.internet.interfaces import IReactorTime

from .deadline import sleep

T = TypeVar("T")

# Seconds until others have their turn.
TURN = 0.01


def at_once(steps: Generator[None, None, T]) -> T:
    """Run ``steps`` to their end, where nobody waits; what they return."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


async def in_turns(clock: IReactorTime, steps: Generator[None, None, T]) -> T:
    """
    Run ``steps``, each of which is short, and let others have their turns; what they return.

    However many there are, they hold the reactor for some ten milliseconds at a time.
    """
    started = time.perf_counter()
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        if time.perf_counter() - started > TURN:
            await sleep(clock, 0)
            started = time.perf_counter()
