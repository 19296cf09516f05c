"""All due times of some weeks, fast: each of a thousand backup sets asks for them."""

import time
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache

from .cron import CronExpression, next_due

DAY = 86400

# Local days kept in one piece.
_DAYS = 32


def due_times(expression: CronExpression, since: float, until: float) -> "array[float]":
    """
    Return the due times from ``since`` to ``until`` in Unix seconds, both included.

    They are those of `next_due`.
    """
    first, last = (date.fromtimestamp(end).toordinal() // _DAYS for end in (since, until))
    # Tests change the zone; a daemon never does.
    zone = (time.timezone, time.tzname)
    result = array("d")
    for number in range(first, last + 1):
        result.extend(_piece(expression, number, zone))
    return result[bisect_left(result, since) : bisect_right(result, until)]


@lru_cache(maxsize=512)
def _piece(expression: CronExpression, number: int, zone: object) -> "array[float]":
    first = date.fromordinal(number * _DAYS)
    matching = expression.days_from(first)
    next_match = next(matching)
    result = array("d")
    for day in (first + timedelta(days=each) for each in range(_DAYS)):
        matches = next_match == day
        if matches:
            next_match = next(matching)
        begin, noon, end = (_at(day, hours) for hours in (0, 12, 24))
        if noon - begin != DAY / 2 or end - noon != DAY / 2:
            # The clocks change.
            result.extend(_one_by_one(expression, begin, end))
        elif matches:
            result.extend(begin + seconds for seconds in expression.seconds_of_day)
    return result


def _at(day: date, hours: int) -> float:
    return (datetime.combine(day, datetime.min.time()) + timedelta(hours=hours)).timestamp()


def _one_by_one(expression: CronExpression, begin: float, end: float) -> Iterator[float]:
    due = next_due(expression, begin - 1)
    while due < end:
        yield due
        due = next_due(expression, due)


def met_count(due: Sequence[float], grace: float, made: Sequence[float]) -> int:
    """
    Return how many of the ``due`` times were met: one of ``made`` is at most ``grace`` later.

    Both sequences are in order; all are seconds.
    """
    count = counted = 0
    for one in made:
        first = max(counted, bisect_left(due, one - grace))
        end = bisect_right(due, one)
        if end > first:
            count += end - first
            counted = end
    return count
