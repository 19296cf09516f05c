"""Lines that depend on the time of the scrape, rendered again only when they change."""

import math
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta

from attrs import define

from ..collection.state import Locks
from ..model.freshness import Freshness
from . import definitions as f
from .exposition import Family, sample
from .set_samples import Labelled

DAY = 86400

# restic's own limit.
STALE_LOCK_AGE = 1800.0

# The labels of sets, and by when their next backups must have been made, in Unix seconds.
DueTimes = list[tuple[str, float]]

# The text of the lines, and until when it holds, in Unix seconds.
Rendered = tuple[str, float]


@define
class TimedLines:
    """The lines of one family and one repository."""

    _render: Callable[[float], Rendered]
    _lines: bytes = b""
    _since: float = 0.0
    _until: float = 0.0

    def at(self, now: float) -> bytes:
        """Return the lines as of ``now`` (Unix seconds)."""
        if not self._since <= now < self._until:
            text, self._until = self._render(now)
            self._lines, self._since = text.encode(), now
        return self._lines


NO_LINES = TimedLines(lambda now: ("", math.inf))


def days_age(newest: float, now: float) -> int:
    """Return the whole days from ``newest`` to ``now``; 0 if a clock is a little fast."""
    return max(0, math.floor((now - newest) / DAY))


def ages(sets: Sequence[Labelled]) -> TimedLines:
    """Return the ages of ``sets``."""
    known = [(labels, one.newest) for labels, one in sets if one.newest is not None]

    def render(now: float) -> Rendered:
        days = [(labels, newest, days_age(newest, now)) for labels, newest in known]
        until = min((newest + (age + 1) * DAY for _, newest, age in days), default=math.inf)
        return "".join(sample(f.DAYS_AGE, labels, age) for labels, _, age in days), until

    return TimedLines(render) if known else NO_LINES


def due_times_of(sets: Sequence[Labelled], freshness: Freshness) -> tuple[DueTimes, DueTimes]:
    """
    Return the due times of ``sets`` by the limits of the config, and of the others by their rhythm.

    Sets with a limit and without a newest are always late.
    """
    by_limit, by_rhythm = DueTimes(), DueTimes()
    for labels, one in sets:
        limit = freshness.limit_of(one.host, one.user)
        if limit is not None:
            moment = -math.inf if one.newest is None else limit.due(one.newest)
            by_limit.append((labels, moment))
        elif one.newest is not None and one.learned_max_age is not None:
            by_rhythm.append((labels, one.newest + one.learned_max_age))
    return by_limit, by_rhythm


def late(family: Family, due: DueTimes) -> TimedLines:
    """Return the lines of ``family``: 1 for each set whose due time has passed, else 0."""

    def render(now: float) -> Rendered:
        text = "".join(sample(family, labels, int(now > moment)) for labels, moment in due)
        # Just after the moment, as the limit itself is still kept.
        coming = (math.nextafter(moment, math.inf) for _, moment in due if moment >= now)
        return text, min(coming, default=math.inf)

    return TimedLines(render) if due else NO_LINES


_WINDOWS = (("7d", 7), ("30d", 30), ("365d", 365))


def retained_days(sets: Sequence[Labelled]) -> TimedLines:
    """Return how many local days of each window have a snapshot, for each of ``sets``."""
    known = [(labels, one.days) for labels, one in sets]

    def render(now: float) -> Rendered:
        today = date.fromtimestamp(now)
        midnight = datetime.combine(today + timedelta(days=1), time()).timestamp()
        day = today.toordinal()
        lines = (
            sample(f.SET_RETAINED_DAYS, f'{labels},window="{window}"', days.count(number, day))
            for labels, days in known
            for window, number in _WINDOWS
        )
        return "".join(lines), midnight

    return TimedLines(render) if known else NO_LINES


def stale_locks(url: str, locks: Locks | None) -> TimedLines:
    """Return the number of stale locks, if the locks' times are known."""
    if locks is None or (locks.count and not locks.times):
        return NO_LINES
    stale_at = [time + STALE_LOCK_AGE for time in locks.times]

    def render(now: float) -> Rendered:
        count = sum(moment < now for moment in stale_at)
        coming = (math.nextafter(moment, math.inf) for moment in stale_at if moment >= now)
        return sample(f.STALE_LOCK_COUNT, url, count), min(coming, default=math.inf)

    return TimedLines(render)
