"""Long work on the reactor, in short turns."""

import time
from collections.abc import Generator
from typing import TypeVar

from twisted.internet.interfaces import IReactorTime

from .deadline import sleep

T = TypeVar("T")

# The longest turn, in seconds.
TURN = 0.01


def at_once(steps: Generator[None, None, T]) -> T:
    """Run all ``steps`` without a pause; return their result."""
    try:
        while True:
            next(steps)
    except StopIteration as end:
        result: T = end.value
        return result


async def in_turns(clock: IReactorTime, steps: Generator[None, None, T]) -> T:
    """
    Run ``steps``, each of which is short, in turns; return their result.

    They block the reactor for about ten milliseconds at a time.
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
