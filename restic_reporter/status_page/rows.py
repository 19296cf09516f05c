"""The backup sets of a repository, as rows whose states depend only on the time. Pure."""

import math
from collections.abc import Iterator
from enum import StrEnum

from attrs import define

from ..collection.state import RepositoryStatus
from ..model.freshness import Freshness, Limit, judged_until
from ..model.snapshots import BackupSet


class State(StrEnum):
    """The state of a backup set, the worst first."""

    LATE = "late"
    ABSENT = "absent"
    UNREADABLE = "unreadable"
    UNLIMITED = "unlimited"
    FINE = "fine"
    RETIRED = "retired"


SEVERITY = {state: place for place, state in enumerate(State)}


@define(slots=True, eq=False)
class SetRow:
    """
    One set, or one that is expected.

    ``url`` is the repository's label. ``user`` is empty for any user of a host. ``due`` (Unix
    seconds) is when the set is late, infinite if unknown. Without a ``limit`` in the config it was
    learned, and ``status`` is that of the repository. ``backups`` is ``None`` for an absent set.
    A row without ``host`` stands for a repository whose sets are unknown.
    """

    url: str
    host: str
    user: str
    kind: State
    due: float = math.inf
    limit: Limit | None = None
    backups: BackupSet | None = None
    status: RepositoryStatus | None = None
    _text: str = ""

    def text(self) -> str:
        """Return what a filter looks at, in lower case; it is kept for the next one."""
        if not self._text:
            latest = self.backups.latest if self.backups is not None else None
            tags = latest.tags if latest is not None else ""
            self._text = f"{self.host}\n{self.user}\n{self.url}\n{tags}".casefold()
        return self._text

    def state(self, now: float) -> State:
        """Return the state at ``now`` (Unix seconds)."""
        # A set that cannot be read just now is late all the same.
        may_be_late = self.kind in (State.FINE, State.UNREADABLE) and now > self.due
        return State.LATE if may_be_late and self.judged_at(now) > self.due else self.kind

    def judged_at(self, now: float) -> float:
        """Return the time as of which the set is late or not, at ``now`` (Unix seconds)."""
        if self.status is None:
            return now
        # Each read changes it, but not the row.
        return min(now, judged_until(self.status.success, self.status.last_success))


def repository_rows(status: RepositoryStatus) -> list[SetRow]:
    """Return the rows of one repository: its sets, and the expected ones that are absent."""
    repository = status.task.repository
    url, freshness = repository.url, repository.freshness
    unreadable = status.success is False
    rows = []
    for one in status.content.sets if status.content is not None else ():
        kind, due, limit = _standing(one, freshness)
        if unreadable and kind is not State.RETIRED:
            kind = State.UNREADABLE
        learned_from = status if limit is None and due != math.inf else None
        rows.append(SetRow(url, one.host, one.user, kind, due, limit, one, learned_from))
    # As `backup_set_expected` says, the last good read tells which are absent.
    if status.content is not None:
        rows.extend(_absent(status, State.ABSENT))
    elif unreadable:
        rows.extend(_absent(status, State.UNREADABLE))
    if unreadable and not rows:
        rows.append(SetRow(url, "", "", State.UNREADABLE))
    return rows


def _standing(one: BackupSet, freshness: Freshness) -> tuple[State, float, Limit | None]:
    # Names are compared only where the config has any: that takes longest.
    if freshness.retired and freshness.is_retired(one.host, one.user):
        return State.RETIRED, math.inf, None
    limit = freshness.limit_of(one.host, one.user)
    if limit is None:
        if one.newest is None or one.learned_max_age is None:
            return State.UNLIMITED, math.inf, None
        return State.FINE, one.newest + one.learned_max_age, None
    return State.FINE, -math.inf if one.newest is None else limit.due(one.newest), limit


def _absent(status: RepositoryStatus, kind: State) -> Iterator[SetRow]:
    repository = status.task.repository
    freshness = repository.freshness
    sets = status.content.sets if status.content is not None else ()
    for wanted, exists in freshness.expected_among(sets):
        if not exists:
            own = freshness.expected[wanted] or freshness.limit
            yield SetRow(repository.url, wanted.host, wanted.user or "", kind, limit=own)
