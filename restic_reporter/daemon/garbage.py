"""Keep Python's garbage collector from blocking the reactor."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Young collections before a full one, as a rule and inside of `long_lived`.
_USUAL, _NEVER = gc.get_threshold(), 2**30

# How many times `long_lived` is in use.
_uses: list[object] = []


def set_apart() -> None:
    """
    Collect all garbage, and exclude all living objects from later collections.

    With 10,000 repositories these are hundreds of thousands: each collection would block the
    reactor for a quarter of a second. Excluded objects are still freed, but not in a cycle. So
    call this at rest: work that fails leaves cycles of exceptions. Connections that may be open
    then break their cycles when they end.
    """
    gc.collect()
    gc.freeze()


@contextmanager
def long_lived(resting: Callable[[], object]) -> Iterator[None]:
    """
    Collect only young garbage inside, and exclude the new objects from later collections.

    They are not excluded after an exception, nor if work was going on: ``resting`` must return
    the same true value before and after.
    """
    before, use = resting(), object()
    _uses.append(use)
    gc.set_threshold(*_USUAL[:2], _NEVER)
    try:
        yield
    finally:
        _uses.remove(use)
        if not _uses:
            gc.set_threshold(*_USUAL)
    if before and resting() == before:
        gc.collect(1)
        gc.freeze()
