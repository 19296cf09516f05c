"""The local days of a year."""

import time
from array import array
from datetime import date, datetime, timedelta
from functools import lru_cache


def midnights(last: date, count: int) -> "array[float]":
    """Return when the ``count`` local days up to ``last`` begin, in Unix seconds, in order."""
    # Tests change the zone; a daemon never does.
    return _midnights(last, count, (time.timezone, time.tzname))


@lru_cache(maxsize=4)
def _midnights(last: date, count: int, zone: object) -> "array[float]":
    first = datetime.combine(last, datetime.min.time()) - timedelta(days=count - 1)
    return array("d", ((first + timedelta(days=number)).timestamp() for number in range(count)))
