"""
Due times of cron expressions, in Unix seconds, by the local time of the C library.

croniter computes wall times without a zone; this module maps them to instants on the days on
which the clocks change.
"""

import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import lru_cache

from attrs import evolve, field, frozen
from croniter import CroniterError, croniter

_FIELDS = (
    ("minute", "0-59"),
    ("hour", "0-23"),
    ("day of month", "1-31"),
    ("month", "1-12 or jan-dec"),
    ("day of week", "0-7 or sun-sat"),
)

# The weekdays repeat within this many years, leap days and 2100 included, so an expression
# without a match in them never has one. The search takes milliseconds.
_SEARCH_YEARS = 50
_SEARCH_START = datetime(2000, 1, 1)

# croniter reads "5-5" as the whole cycle; in cron it means 5.
_RANGE_OF_ONE = re.compile(r"\b(\w+)-\1\b(/[1-9]\d*)?", re.ASCII)


@frozen
class CronExpression:
    """
    A valid cron expression, from `parse_cron`.

    ``text`` is the expression as written. ``by_interval`` is set for an interval (the hour
    field begins with ``*`` and allows more than one hour) rather than certain hours.
    """

    text: str
    by_interval: bool = field(repr=False)
    _normal: str = field(repr=False)

    def walls_after(self, wall: datetime) -> Iterator[datetime]:
        """Yield all matching wall times later than ``wall`` in order, without a zone."""
        matches = croniter(
            self._normal, wall, ret_type=datetime, max_years_between_matches=_SEARCH_YEARS
        )
        while True:
            yield matches.get_next(datetime)

    def next_due(self, after: float) -> float:
        """Return the first due time later than ``after``, in Unix seconds: see `next_due`."""
        return next_due(self, after)

    def days_from(self, first: date) -> Iterator[date]:
        """Yield all matching days from ``first`` on in order."""
        days = evolve(self, normal=" ".join(["0", "0", *self._normal.split()[2:]]))
        start = datetime.combine(first, time()) - timedelta(seconds=1)
        return (wall.date() for wall in days.walls_after(start))

    @property
    def seconds_of_day(self) -> list[int]:
        """Return the matching times of a matching day, in seconds since midnight."""
        fields = croniter.expand(self._normal)[0]
        minutes, hours = (
            range(limit) if values == ["*"] else sorted(map(int, values))
            for values, limit in zip(fields[:2], (60, 24), strict=True)
        )
        return [3600 * hour + 60 * minute for hour in hours for minute in minutes]


# Ten thousand entries may share one from the defaults.
@lru_cache(maxsize=256)
def parse_cron(text: str) -> CronExpression:
    """
    Parse a cron expression: five fields, separated by white space.

    :raises ValueError: it is invalid or matches no date; the message names the expression
        and the error.
    """
    complaint = f"cron expression {text!r}:"
    fields = re.findall(r"\S+", text, re.ASCII)
    if len(fields) != len(_FIELDS):
        raise ValueError(
            f"{complaint} needs five fields (minute, hour, day of month, month, day of week),"
            f" not {len(fields)}"
        )
    fields = [_RANGE_OF_ONE.sub(r"\1", value) for value in fields]
    for position, (value, (name, allowed)) in enumerate(zip(fields, _FIELDS, strict=True)):
        if not _is_acceptable(position, value):
            raise ValueError(f"{complaint} invalid {name} {value!r} (allowed: {allowed})")
    normal = " ".join(fields)
    hours = croniter.expand(normal)[0][1]
    several = hours == ["*"] or len(hours) > 1
    expression = CronExpression(text, fields[1].startswith("*") and several, normal)
    try:
        next(expression.walls_after(_SEARCH_START))
    except CroniterError:
        raise ValueError(f"{complaint} matches no date") from None
    return expression


def _is_acceptable(position: int, value: str) -> bool:
    # croniter picks the times of H and R by hash or at random; a schedule must be readable.
    if value[0] in "hHrR" or not value.isascii():
        return False
    alone = ["*"] * len(_FIELDS)
    alone[position] = value
    return croniter.is_valid(" ".join(alone))


def next_due(expression: CronExpression, after: float) -> float:
    """
    Return the first due time of ``expression`` later than ``after``, in Unix seconds.

    An expression by interval is due whenever the local clock shows a matching time: twice in
    a repeated hour, never in a skipped one. Any other is due once for each matching time: a
    repeated time at its first occurrence, a skipped time at the end of the gap. A skipped
    whole day has no due times.
    """
    if expression.by_interval:
        return _next_shown(expression, after)
    walls = expression.walls_after(_wall_at(after))
    reached = ((wall, _first_reached(wall)) for wall in walls)
    return next(due for wall, due in reached if due > after and _is_on_a_day(wall))


def _next_shown(expression: CronExpression, after: float) -> float:
    now = _wall_at(after)
    # In a repeated hour, wall times up to now come again.
    repeated = max(0.0, _instant(now, 1) - after)
    first = _next_occurrence(expression, after, now, 0)
    last = _next_occurrence(expression, after, now - timedelta(seconds=repeated), 1)
    return min(first, last)


def _next_occurrence(expression: CronExpression, after: float, start: datetime, fold: int) -> float:
    """
    Return the first occurrence (``fold`` 0) or the last (1) of a matching wall time.

    The wall time is later than ``start``, the result later than ``after``.
    """
    while True:
        for wall in expression.walls_after(start):
            instant = _instant(wall, fold)
            if _wall_at(instant) != wall:
                # Continue after the gap: a whole day would be 1,440 minutes to try.
                start = _wall_at(_first_reached(wall)) - timedelta(seconds=1)
                break
            if instant > after:
                return instant


def _is_on_a_day(wall: datetime) -> bool:
    """Return whether the clocks ever show the date of ``wall``."""
    midnight = datetime.combine(wall, time())
    next_midnight = midnight + timedelta(days=1)
    return _first_reached(midnight) < _first_reached(next_midnight)


def _wall_at(instant: float) -> datetime:
    return datetime.fromtimestamp(instant).replace(fold=0)


def _instant(wall: datetime, fold: int) -> float:
    return wall.replace(fold=fold).timestamp()


def _first_reached(wall: datetime) -> float:
    """Return when clocks first show ``wall`` (a whole second) or any later time."""
    instant = _instant(wall, 0)
    if _wall_at(instant) == wall:
        return instant
    # In a gap, fold 1 uses the offset after it and gives a time before it, fold 0 the reverse.
    before, behind = int(_instant(wall, 1)), int(instant)
    while behind - before > 1:
        middle = (before + behind) // 2
        if _wall_at(middle) < wall:
            before = middle
        else:
            behind = middle
    return float(behind)
