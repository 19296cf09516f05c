"""Which backup sets must be how fresh. Pure."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from attrs import field, frozen

from ..schedule.cron import CronExpression, next_due
from ..schedule.due_times import due_times, met_count
from .labels import sanitise
from .snapshots import BackupSet

DEFAULT_GRACE = 6 * 3600.0

# For the counts of due times, which the label ``window`` calls 30d.
WINDOW = 30 * 86400.0


@frozen
class Limit:
    """
    When a set is overdue: by age, or by a schedule; durations in seconds.

    Exactly one of ``max_age`` and ``schedule`` is set. A backup must be made at each due time
    of the schedule or at most ``grace`` later.
    """

    max_age: float | None = None
    schedule: CronExpression | None = None
    grace: float = DEFAULT_GRACE

    def due(self, newest: float) -> float:
        """Return by when the backup after ``newest`` must have been made, in Unix seconds."""
        if self.schedule is not None:
            # Most schedules are due within a month, which all sets share.
            soon = due_times(self.schedule, newest + 1e-6, newest + WINDOW)
            return (soon[0] if soon else next_due(self.schedule, newest)) + self.grace
        return newest + (self.max_age or 0.0)

    def runs(
        self, made: Sequence[float], since: float | None, now: float
    ) -> tuple[int, int] | None:
        """
        Return how many due times of the last 30 days there were, and how many were met.

        ``made`` are the times of backups, in order, as far as known ``since``. A due time
        counts once its grace has passed. ``None`` without a schedule.
        """
        if self.schedule is None:
            return None
        since = max(now - WINDOW, now if since is None else since)
        due = due_times(self.schedule, since, now - self.grace)
        return len(due), met_count(due, self.grace, made)


def judged_until(success: bool | None, last_success: float | None) -> float:
    """
    Return the latest time at which sets may be judged by their own rhythm, in Unix seconds.

    ``success`` is of the repository's latest read, ``last_success`` the time of the last good one.
    Nobody knows of backups made since: with one collection a day, healthy daily sets would look
    late each evening. After a failed read the age goes on growing, without an end.
    """
    return math.inf if success is False or last_success is None else last_success


def _sanitised(name: str | None) -> str | None:
    return None if name is None else sanitise(name)


@frozen
class SetName:
    """A set of a config as label values; ``user`` is ``None`` for any user of the host."""

    host: str = field(converter=sanitise)
    user: str | None = field(default=None, converter=_sanitised)


@frozen
class Freshness:
    """
    What an entry says about the freshness of its sets.

    ``limit`` is that of all sets without one of their own. ``expected`` sets must exist, with
    a limit of their own or ``None``; ``retired`` ones are no longer backed up.
    """

    limit: Limit | None = None
    expected: Mapping[SetName, Limit | None] = field(factory=dict)
    retired: frozenset[SetName] = frozenset()

    def limit_of(self, host: str, user: str) -> Limit | None:
        """Return the limit of a set; that of its user goes before that of its host."""
        if not self.expected:
            return self.limit
        own = self.expected.get(SetName(host, user)) or self.expected.get(SetName(host))
        return own or self.limit

    def is_retired(self, host: str, user: str) -> bool:
        """Return whether a set is retired."""
        return not self.retired.isdisjoint((SetName(host, user), SetName(host)))

    def expects(self, host: str, user: str) -> bool:
        """Return whether a set is expected."""
        return SetName(host, user) in self.expected or SetName(host) in self.expected

    def expected_among(self, sets: Iterable[BackupSet]) -> Iterator[tuple[SetName, bool]]:
        """Yield each expected set, and whether it exists among the ``sets`` of a repository."""
        if self.expected:
            names = {SetName(one.host, user) for one in sets for user in (one.user, None)}
            for wanted in self.expected:
                yield wanted, wanted in names
