"""Zones and times for the tests of schedules."""

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from restic_reporter.schedule.cron import next_due, parse_cron
from tests.doubles.local_time import local_time

UTC = ZoneInfo("UTC")


DAY = 86400


def instant(zone: ZoneInfo, *parts: int, fold: int = 0) -> float:
    """The Unix time of a wall time in ``zone``."""
    year, month, day, hour, minute = (*parts, 0, 0)[:5]
    return datetime(year, month, day, hour, minute, fold=fold, tzinfo=zone).timestamp()


def wall(moment: float, zone: ZoneInfo) -> datetime:
    """The wall time in ``zone``, without a zone."""
    return datetime.fromtimestamp(moment, zone).replace(tzinfo=None, fold=0)


def due_after(text: str, zone: ZoneInfo, after: float) -> float:
    """The first due instant where the local time is that of ``zone``."""
    with local_time(zone.key):
        return next_due(parse_cron(text), after)


def runs(text: str, zone: ZoneInfo, start: float, end: float) -> list[float]:
    """All due instants after ``start`` and up to ``end``."""
    expression = parse_cron(text)
    found = []
    with local_time(zone.key):
        moment = next_due(expression, start)
        while moment <= end:
            found.append(moment)
            moment = next_due(expression, moment)
    return found


def shown(moments: Iterable[float], zone: ZoneInfo) -> list[str]:
    """The instants as wall times with their UTC offset."""
    return [f"{datetime.fromtimestamp(m, zone):%m-%d %H:%M %z}" for m in moments]
