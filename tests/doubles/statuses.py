"""Statuses of repositories, as a collection leaves them."""

from array import array
from collections.abc import Sequence
from datetime import date
from typing import Any

from attrs import evolve

from restic_reporter.collection.state import CollectionState, RepositoryStatus, Task
from restic_reporter.model.freshness import Freshness
from restic_reporter.model.snapshots import BackupDays, BackupSet, Content, Latest, Summary
from tests.doubles.repositories import NOW, name, repository

DAY = 86400.0


def backups(host: str, *ages: float, user: str = "root", **summary: Any) -> BackupSet:
    """A set whose snapshots have these ages in days."""
    times = sorted(NOW - age * DAY for age in ages)
    ordinals = {date.fromtimestamp(time).toordinal() for time in times}
    last = max(ordinals, default=0)
    return BackupSet(
        host,
        user,
        len(times),
        times[-1] if times else None,
        times[0] if times else None,
        Latest(name(7), "daily", "restic 0.18", Summary(**summary)) if times else None,
        BackupDays(last, sum(1 << (last - day) for day in ordinals)),
        array("I", map(int, times)),
    )


def status(
    url: str = "/p",
    *sets: BackupSet,
    freshness: Freshness | None = None,
    success: bool | None = True,
) -> RepositoryStatus:
    """A repository that was read, or not."""
    no_reader: Any = None
    entry = evolve(repository(url), freshness=freshness or Freshness())
    content = Content(sum(one.snapshot_count for one in sets), 0, 0, sets, 0, None)
    return RepositoryStatus(
        Task(entry, "local", None, no_reader, 60.0),
        content=content if success or sets else None,
        success=success,
        last_success=NOW if success else None,
        unread=success is None,
    )


def state_of(statuses: Sequence[RepositoryStatus]) -> CollectionState:
    """The state of these repositories."""
    return CollectionState({one.task.repository.url: one for one in statuses})
