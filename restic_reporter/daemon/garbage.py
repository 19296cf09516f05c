"""Python's garbage collector, which must not hold the reactor."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# So many collections of young garbage before one of all that is not set apart.
_NEVER = 2**30


def set_apart() -> None:
    """
    Collect all garbage, and leave what is alive now to no later collection.

    That is hundreds of thousands of objects with ten thousand repositories: each look through
    them would hold the reactor for a quarter of a second. What is set apart still goes when
    nothing refers to it, but not when it is part of a cycle. So call this at rest: what is at
    work, and may fail, leaves cycles of exceptions.
    """
    gc.collect()
    gc.freeze()


@contextmanager
def long_lived(resting: Callable[[], object]) -> Iterator[None]:
    """
    What is made in here stays: look for garbage only among what is young, then set all apart.

    Not so after an exception, nor unless ``resting`` returns the same true value before and
    after: that nothing was at work meanwhile. One at a time.
    """
    before = resting()
    thresholds = gc.get_threshold()
    gc.set_threshold(*thresholds[:2], _NEVER)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
    if before and resting() == before:
        gc.collect(1)
        gc.freeze()
