"""Keep Python's garbage collector from blocking the reactor."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Young collections before a full one.
_NEVER = 2**30


def set_apart() -> None:
    """
    Collect all garbage, and exclude all living objects from later collections.

    With 10,000 repositories these are hundreds of thousands: each collection would block the
    reactor for a quarter of a second. Excluded objects are still freed, but not in a cycle. So
    call this at rest: work that fails leaves cycles of exceptions.
    """
    gc.collect()
    gc.freeze()


@contextmanager
def long_lived(resting: Callable[[], object]) -> Iterator[None]:
    """
    Collect only young garbage inside, and exclude the new objects from later collections.

    They are not excluded after an exception, nor if work was going on: ``resting`` must return
    the same true value before and after. Not reentrant.
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
