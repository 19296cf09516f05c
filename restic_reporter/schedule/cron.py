"""
When a cron expression is due: pure functions over Unix seconds and a time zone.

croniter does the arithmetic of the calendar on wall times without a zone; what a wall time
means on the days on which the clocks change is decided here.
"""

import re
import struct
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time, timedelta, tzinfo
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

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

_NAME, _OFFSET = r"([A-Za-z]{3,}|<[A-Za-z0-9+-]{3,}>)", r"[+-]?\d{1,3}(:\d{1,2}){0,2}"
_POSIX_ZONE = re.compile(
    rf"{_NAME}{_OFFSET}(?P<summer>{_NAME}({_OFFSET})?)?(?P<rules>,[!-~]+)?", re.ASCII
)

# What the C library takes where a POSIX string names a summer time without its rules.
_DEFAULT_RULES = ",M3.2.0,M11.1.0"


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
            f"{complaint} five fields are needed (minute, hour, day of month, month, "
            f"day of week), not {len(fields)}"
        )
    fields = [_RANGE_OF_ONE.sub(r"\1", value) for value in fields]
    for position, (value, (name, allowed)) in enumerate(zip(fields, _FIELDS, strict=True)):
        if not _is_acceptable(position, value):
            raise ValueError(f"{complaint} {name} {value!r} is not acceptable ({allowed})")
    normal = " ".join(fields)
    hours = croniter.expand(normal)[0][1]
    several = hours == ["*"] or len(hours) > 1
    expression = CronExpression(text, fields[1].startswith("*") and several, normal)
    try:
        next(expression.walls_after(_SEARCH_START))
    except CroniterError:
        raise ValueError(f"{complaint} no date ever matches it") from None
    return expression


def _is_acceptable(position: int, value: str) -> bool:
    # croniter draws the time of H and R by hash or at random; a schedule must be readable.
    if value[0] in "hHrR" or not value.isascii():
        return False
    alone = ["*"] * len(_FIELDS)
    alone[position] = value
    return croniter.is_valid(" ".join(alone))


def next_due(expression: CronExpression, after: float, zone: tzinfo) -> float:
    """
    The first instant later than ``after`` at which ``expression`` is due in ``zone``; all
    in Unix seconds.

    An expression by interval is due whenever the clock on the wall shows a matching time:
    in both passes of a repeated hour, and not in an hour that the clocks skip. Any other is
    due once for each matching time: when a time is repeated, at the first, and when it is
    skipped, at the end of the gap. A whole day that is left out of the calendar has no due
    times.
    """
    if expression.by_interval:
        return _next_shown(expression, after, zone)
    walls = expression.walls_after(_wall_at(after, zone))
    reached = ((wall, _first_reached(wall, zone)) for wall in walls)
    return next(due for wall, due in reached if due > after and _is_on_a_day(wall, zone))


def _next_shown(expression: CronExpression, after: float, zone: tzinfo) -> float:
    now = _wall_at(after, zone)
    # Wall times up to now come again when now itself does: it is in a repeated hour.
    repeated = max(0.0, _instant(now, 1, zone) - after)
    first = _next_occurrence(expression, after, now, 0, zone)
    last = _next_occurrence(expression, after, now - timedelta(seconds=repeated), 1, zone)
    return min(first, last)


def _next_occurrence(
    expression: CronExpression, after: float, start: datetime, fold: int, zone: tzinfo
) -> float:
    """
    The first instant later than ``after`` that is the first (``fold`` 0) or last (1)
    occurrence of a matching wall time later than ``start``.
    """
    while True:
        for wall in expression.walls_after(start):
            instant = _instant(wall, fold, zone)
            if _wall_at(instant, zone) != wall:
                # Go on behind the gap: one of a whole day has 1,440 minutes to try.
                start = _wall_at(_first_reached(wall, zone), zone) - timedelta(seconds=1)
                break
            if instant > after:
                return instant


def _is_on_a_day(wall: datetime, zone: tzinfo) -> bool:
    """Whether clocks in ``zone`` ever show the date of ``wall``."""
    midnight = datetime.combine(wall, time())
    next_midnight = midnight + timedelta(days=1)
    return _first_reached(midnight, zone) < _first_reached(next_midnight, zone)


def _wall_at(instant: float, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(instant, zone).replace(tzinfo=None, fold=0)


def _instant(wall: datetime, fold: int, zone: tzinfo) -> float:
    return wall.replace(tzinfo=zone, fold=fold).timestamp()


def _first_reached(wall: datetime, zone: tzinfo) -> float:
    """When clocks first show ``wall``, a whole second, or anything later."""
    instant = _instant(wall, 0, zone)
    if _wall_at(instant, zone) == wall:
        return instant
    # In a gap, the offset after it (fold 1) leads to before it, and the other way round.
    before, behind = int(_instant(wall, 1, zone)), int(instant)
    while behind - before > 1:
        middle = (before + behind) // 2
        if _wall_at(middle, zone) < wall:
            before = middle
        else:
            behind = middle
    return float(behind)


def local_zone(environ: Mapping[str, str], localtime: Path = Path("/etc/localtime")) -> tzinfo:
    """
    The local time zone as the C library finds it: from ``TZ`` (a name such as
    ``Europe/Berlin``, the path of a tzfile, or a POSIX string such as
    ``CET-1CEST,M3.5.0,M10.5.0/3``; a colon before it is ignored, an empty value is UTC), else
    from the file ``localtime``, else UTC.

    :raises ValueError: for a ``TZ`` that is none of these, which the C library would take for
        UTC, and for an unusable ``localtime``.
    """
    if "TZ" not in environ:
        return _zone_of_file(localtime, str(localtime)) if localtime.exists() else UTC
    value = environ["TZ"].removeprefix(":")
    what = f"TZ: {environ['TZ']!r}"
    if not value:
        return UTC
    if value.startswith("/"):
        return _zone_of_file(Path(value), what)
    try:
        return ZoneInfo(value)
    except (ValueError, LookupError, OSError):
        pass
    posix = _POSIX_ZONE.fullmatch(value)
    if posix is None:
        raise ValueError(f"{what} is not a known time zone")
    if re.search(r",\d", posix["rules"] or ""):
        # zoneinfo is a day off in them.
        raise ValueError(f"{what}: rules by plain day number are not supported, use M or J")
    rules = _DEFAULT_RULES if posix["summer"] and not posix["rules"] else ""
    try:
        return _zone_of_rules(value + rules)
    except ValueError as error:
        raise ValueError(f"{what} is not a usable time zone: {error}") from None


def _zone_of_file(path: Path, what: str) -> tzinfo:
    try:
        with path.open("rb") as stream:
            return ZoneInfo.from_file(stream, key=str(path))
    except (ValueError, LookupError, OSError, EOFError, struct.error) as error:
        raise ValueError(f"{what} is not a usable time zone file: {error}") from None


def _zone_of_rules(rules: str) -> tzinfo:
    """The zone of a POSIX string: that of a tzfile with no transitions and this footer."""
    header = struct.pack(">4sc15x6l", b"TZif", b"2", 0, 0, 0, 0, 1, 1)
    block = header + struct.pack(">lbb", 0, 0, 0) + b"\0"
    return ZoneInfo.from_file(BytesIO(block * 2 + f"\n{rules}\n".encode()), key=rules)
