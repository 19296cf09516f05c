"""The last 30 days of a backup set, day by day. Pure."""

from bisect import bisect_left
from datetime import date
from enum import Enum, auto

from ..model.freshness import WINDOW
from ..schedule.due_times import DAY, due_times
from .rows import SetRow, State

DAYS = 30


class Day(Enum):
    """The outcome of a day: a backup, none, or none at a due time of the schedule."""

    BACKUP = auto()
    NONE = auto()
    MISSED = auto()


def days_of(row: SetRow, now: float) -> tuple[Day, ...]:
    """Return the last 30 local days up to ``now`` (Unix seconds), the oldest first."""
    backups = row.backups
    if backups is None:
        return ()
    today = date.fromtimestamp(now).toordinal()
    missed = _missed_days(row, now)
    # Those that have been removed since count too.
    recent = backups.history[bisect_left(backups.history, now - WINDOW - DAY) :]
    made = {date.fromtimestamp(one).toordinal() for one in recent}
    return tuple(
        Day.MISSED if day in missed else Day.BACKUP if day in made else Day.NONE
        for day in range(today - DAYS + 1, today + 1)
    )


def runs_of(row: SetRow, now: float) -> tuple[int, int] | None:
    """Return how many due times of these days there were, and how many were met; see `Limit`."""
    if row.backups is None or row.limit is None:
        return None
    return row.limit.runs(row.backups.history, row.backups.known_since, _known_until(row, now))


def _known_until(row: SetRow, now: float) -> float:
    # Backups since the last successful read are unknown.
    newest = row.backups.newest if row.backups is not None else None
    return min(now, newest or now) if row.kind is State.UNREADABLE else now


def _missed_days(row: SetRow, now: float) -> set[int]:
    """Return the ordinals of the days on which a due run was missed."""
    backups, limit = row.backups, row.limit
    if backups is None or limit is None or limit.schedule is None or backups.known_since is None:
        return set()
    now = _known_until(row, now)
    missed: set[int] = set()
    since = max(now - WINDOW, backups.known_since)
    for due in due_times(limit.schedule, since, now - limit.grace):
        place = bisect_left(backups.history, due)
        if place == len(backups.history) or backups.history[place] > due + limit.grace:
            missed.add(date.fromtimestamp(due).toordinal())
    return missed
