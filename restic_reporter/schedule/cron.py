"""
When a cron expression is due, in Unix seconds, by the local time of the C library.

croniter does the arithmetic of the calendar on wall times without a zone; what a wall time
means on the days on which the clocks change is decided here.
"""

import re
from collections.abc import Iterator
from datetime import datetime, time, timedelta

from attrs import field, frozen
from croniter import CroniterError, croniter

_FIELDS = (
    ("minute", "0-59"),
    ("hour", "0-23"),
    ("day of month", "1-31"),
    ("month", "1-12 or jan-dec"),
    ("day of week", "0-7 or sun-sat"),
)

# The calendar repeats its weekdays within this many years, leap days and 2100 included, so
# what has no match in it never has one. The search for such a match takes milliseconds.
_SEARCH_YEARS = 50
_SEARCH_START = datetime(2000, 1, 1)

# croniter reads "5-5" as the whole cycle; in cron it is 5.
_RANGE_OF_ONE = re.compile(r"\b(\w+)-\1\b(/[1-9]\d*)?", re.ASCII)


@frozen
class CronExpression:
    """
    A cron expression that `parse_cron` has found good.

    ``text`` is the expression as it was written. ``by_interval`` says that it means "every
    so often" (its hour field begins with ``*`` and allows more than one hour) rather than
    certain hours of the day.
    """

    text: str
    by_interval: bool = field(repr=False)
    _normal: str = field(repr=False)

    def walls_after(self, wall: datetime) -> Iterator[datetime]:
        """All matching wall times later than ``wall``, in order, all without a zone."""
        matches = croniter(
            self._normal, wall, ret_type=datetime, max_years_between_matches=_SEARCH_YEARS
        )
        while True:
            yield matches.get_next(datetime)


def parse_cron(text: str) -> CronExpression:
    """
    The expression that ``text`` holds: five fields, separated by white space.

    :raises ValueError: with a message that names the expression and what is wrong with it,
        also when no date can ever match.
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
    # croniter draws the time of H and R by hash or at random; a schedule must be readable.
    if value[0] in "hHrR" or not value.isascii():
        return False
    alone = ["*"] * len(_FIELDS)
    alone[position] = value
    return croniter.is_valid(" ".join(alone))


def next_due(expression: CronExpression, after: float) -> float:
    """
    The first instant later than ``after`` at which ``expression`` is due in local
    time; all in Unix seconds.

    An expression by interval is due whenever the clock on the wall shows a matching time:
    in both passes of a repeated hour, and not in an hour that the clocks skip. Any other is
    due once for each matching time: when a time is repeated, at the first, and when it is
    skipped, at the end of the gap. A whole day that is left out of the calendar has no due
    times.
    """
    if expression.by_interval:
        return _next_shown(expression, after)
    walls = expression.walls_after(_wall_at(after))
    reached = ((wall, _first_reached(wall)) for wall in walls)
    return next(due for wall, due in reached if due > after and _is_on_a_day(wall))


def _next_shown(expression: CronExpression, after: float) -> float:
    now = _wall_at(after)
    # Wall times up to now come again when now itself does: it is in a repeated hour.
    repeated = max(0.0, _instant(now, 1) - after)
    first = _next_occurrence(expression, after, now, 0)
    last = _next_occurrence(expression, after, now - timedelta(seconds=repeated), 1)
    return min(first, last)


def _next_occurrence(expression: CronExpression, after: float, start: datetime, fold: int) -> float:
    """
    The first instant later than ``after`` that is the first (``fold`` 0) or last (1)
    occurrence of a matching wall time later than ``start``.
    """
    while True:
        for wall in expression.walls_after(start):
            instant = _instant(wall, fold)
            if _wall_at(instant) != wall:
                # Go on behind the gap: one of a whole day has 1,440 minutes to try.
                start = _wall_at(_first_reached(wall)) - timedelta(seconds=1)
                break
            if instant > after:
                return instant


def _is_on_a_day(wall: datetime) -> bool:
    """Whether the clocks ever show the date of ``wall``."""
    midnight = datetime.combine(wall, time())
    next_midnight = midnight + timedelta(days=1)
    return _first_reached(midnight) < _first_reached(next_midnight)


def _wall_at(instant: float) -> datetime:
    return datetime.fromtimestamp(instant).replace(fold=0)


def _instant(wall: datetime, fold: int) -> float:
    return wall.replace(fold=fold).timestamp()


def _first_reached(wall: datetime) -> float:
    """When clocks first show ``wall``, a whole second, or anything later."""
    instant = _instant(wall, 0)
    if _wall_at(instant) == wall:
        return instant
    # In a gap, the offset after it (fold 1) leads to before it, and the other way round.
    before, behind = int(_instant(wall, 1)), int(instant)
    while behind - before > 1:
        middle = (before + behind) // 2
        if _wall_at(middle) < wall:
            before = middle
        else:
            behind = middle
    return float(behind)
