"""Numbers as people read them. Pure."""

from datetime import UTC, datetime

from ..collection.outcomes import plural

MINUTE, HOUR, DAY = 60, 3600, 86400

# Beyond these, the smaller unit no longer matters.
_WHOLE_DAYS, _WHOLE_HOURS = 10 * DAY, 20 * HOUR

_SIZES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def count(number: int, noun: str) -> str:
    """Return the number with its noun: ``1 set``, ``1,200 sets``, ``2 repositories``."""
    return f"{number:,} {plural(noun, number)}"


def duration(seconds: float) -> str:
    """Return a duration of one or two units, such as ``2 days 3 h`` or ``12 s``."""
    seconds = max(0.0, seconds)
    if 0 < seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < MINUTE:
        return f"{seconds:.0f} s"
    if seconds < HOUR:
        return f"{seconds // MINUTE:.0f} min"
    if seconds < DAY:
        return _two(seconds, HOUR, "h", MINUTE, "min", seconds >= _WHOLE_HOURS)
    days = int(seconds // DAY)
    return _two(seconds, DAY, "day" if days == 1 else "days", HOUR, "h", seconds >= _WHOLE_DAYS)


def _two(seconds: float, large: int, name: str, small: int, unit: str, whole: bool) -> str:
    first, rest = divmod(int(seconds), large)
    second = 0 if whole else rest // small
    return f"{first:,} {name} {second} {unit}" if second else f"{first:,} {name}"


def size(number: float) -> str:
    """Return a number of bytes, such as ``12.3 GiB``."""
    place = 0
    while number >= 999.5 and place < len(_SIZES) - 1:
        number /= 1024
        place += 1
    digits = 0 if not place or number >= 99.95 else 1
    return f"{number:,.{digits}f} {_SIZES[place]}"


def local_time(moment: float) -> str:
    """Return a moment in Unix seconds as local time, such as ``Tue 14 Nov 2023, 23:13 CET``."""
    return _at(moment).strftime("%a %d %b %Y, %H:%M %Z")


def machine_time(moment: float) -> str:
    """Return a moment in Unix seconds for the attribute ``datetime`` of HTML."""
    return _at(moment).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_minute(moment: float) -> str:
    """Return a moment in Unix seconds as local time, such as ``2023-11-14T23:13``."""
    return _at(moment).replace(tzinfo=None).isoformat(timespec="minutes")


def _at(moment: float) -> datetime:
    # A snapshot may have any time; year 9999 and year 1 are as good as those beyond.
    return datetime.fromtimestamp(min(max(moment, -62_000_000_000), 253_300_000_000)).astimezone()
