"""Sample lines of one repository, kept until they change."""

from collections.abc import Iterable, Iterator
from copy import copy

from attrs import define, evolve

from ..collection.state import Locks, RepositoryStatus, Task
from ..model.columns import Steps
from ..model.labels import sanitise
from ..model.snapshots import Content
from . import definitions as f
from .exposition import Family, label_text, sample
from .set_samples import SET_FAMILIES, Sample, run_samples, set_samples, watched_sets
from .timed_lines import TimedLines, ages, overdue, retained_days, stale_locks

# The content of a repository changes seldom, the outcome of the read every time.
CONTENT_FAMILIES = (
    f.SNAPSHOT_COUNT,
    *SET_FAMILIES,
    *(f.REPOSITORY_INFO, f.LOCK_COUNT, f.OLDEST_LOCK),
    *(f.FUTURE_COUNT, f.INVALID_COUNT, f.SERIES_DROPPED),
)
READ_FAMILIES = (
    *(f.READ_ERROR_COUNT, f.READ_SUCCESS, f.READ_LAST_SUCCESS, f.READ_DURATION),
    *(f.READ_FAILURES, f.STORAGE_REQUESTS, f.STORAGE_BYTES, f.SET_RUNS_DUE, f.SET_RUNS_MET),
)
TIMED_FAMILIES = (f.DAYS_AGE, f.SET_OVERDUE, f.SET_RETAINED_DAYS, f.STALE_LOCK_COUNT)

# Samples rendered in one step.
_SLICE = 1000

# The lines of one repository in each of several families.
Lines = tuple[bytes, ...]


def read_samples(status: RepositoryStatus) -> Iterator[Sample]:
    """Yield the samples of `READ_FAMILIES`."""
    if status.success is not None:
        yield f.READ_ERROR_COUNT, int(not status.success), ""
        yield f.READ_SUCCESS, int(status.success), ""
    yield f.READ_LAST_SUCCESS, status.last_success, ""
    yield f.READ_DURATION, status.duration, ""
    for reason, count in status.failures.items():
        yield f.READ_FAILURES, count, label_text({"reason": reason})
    if status.content is not None:
        for operation, count in status.meter.requests.items():
            yield f.STORAGE_REQUESTS, count, label_text({"operation": operation})
        for operation, count in status.meter.received_bytes.items():
            yield f.STORAGE_BYTES, count, label_text({"operation": operation})
        if status.last_success is not None:
            freshness = status.task.repository.freshness
            yield from run_samples(status.content, freshness, status.last_success)


def content_samples(status: RepositoryStatus) -> Iterator[Sample]:
    """Yield the samples of `CONTENT_FAMILIES`."""
    content = status.content
    if content is None:
        return
    names = {"backend": status.task.backend_name, "reader": status.task.reader.name}
    yield f.REPOSITORY_INFO, 1, label_text({key: sanitise(name) for key, name in names.items()})
    yield f.SNAPSHOT_COUNT, content.snapshot_count, ""
    yield f.FUTURE_COUNT, content.future_count, ""
    yield f.INVALID_COUNT, content.invalid_count, ""
    yield f.SERIES_DROPPED, content.dropped_sets, ""
    if status.locks is not None:
        yield f.LOCK_COUNT, status.locks.count, ""
        yield f.OLDEST_LOCK, min(status.locks.times, default=None), ""
    yield from set_samples(content, status.task.repository.freshness)


def _lines(url: str, families: tuple[Family, ...], samples: Iterable[Sample]) -> Steps[Lines]:
    lines: dict[Family, list[str]] = {family: [] for family in families}
    for index, (family, value, labels) in enumerate(samples, 1):
        if value is not None:
            lines[family].append(sample(family, f"{url},{labels}" if labels else url, value))
        if not index % _SLICE:
            yield
    return tuple("".join(some).encode() for some in lines.values())


@define
class KeptLines:
    """
    The lines of one repository.

    ``content`` is valid for this ``task``, ``of_content`` and ``locks``; ``timed`` are
    those of `TIMED_FAMILIES`.
    """

    revision: int
    task: Task
    of_content: Content | None
    locks: Locks | None
    content: Lines
    read: Lines
    timed: tuple[TimedLines, ...]

    @classmethod
    def steps(cls, status: RepositoryStatus, before: "KeptLines | None") -> "Steps[KeptLines]":
        """
        Render ``status`` in short steps.

        The lines of the content are those from ``before`` if they are still valid.
        """
        # The status may change between two steps.
        revision, status = status.revision, copy(status)
        task, content, locks = status.task, status.content, status.locks
        url = label_text({"url": task.repository.url})
        read = yield from _lines(url, READ_FAMILIES, read_samples(status))
        if (
            before is not None
            and before.task is task
            and before.of_content is content
            and before.locks == locks
        ):
            return evolve(before, revision=revision, read=read)
        freshness = task.repository.freshness
        sets = watched_sets(content, freshness) if content is not None else []
        timed = [ages(url, sets), stale_locks(url, locks if content is not None else None)]
        yield
        timed.insert(1, overdue(url, sets, freshness))
        yield
        timed.insert(2, retained_days(url, sets))
        yield
        lines = yield from _lines(url, CONTENT_FAMILIES, content_samples(status))
        return cls(revision, task, content, locks, lines, read, tuple(timed))
