"""Sample lines of one repository, kept until they change."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from itertools import chain

from attrs import define, evolve

from ..collection.state import CopyStatus, Locks, RepositoryStatus, Task
from ..model.access import KeyFacts
from ..model.columns import Steps
from ..model.compat import Compat
from ..model.freshness import judged_until
from ..model.labels import sanitise
from ..model.results import Results
from ..model.snapshots import Content
from . import definitions as f
from .compat_samples import (
    COMPAT_CONTENT_FAMILIES,
    COMPAT_READ_FAMILIES,
    compat_content_samples,
    compat_read_samples,
)
from .copy_samples import COPY_FAMILIES, copy_samples
from .exposition import Family, label_text, sample
from .set_samples import SET_FAMILIES, Labelled, Sample, run_samples, set_samples, watched_sets
from .timed_lines import TimedLines, ages, due_times_of, late, retained_days, stale_locks

# The content of a repository changes seldom, the outcome of reads and of other jobs often.
CONTENT_FAMILIES = (
    f.SNAPSHOT_COUNT,
    *SET_FAMILIES,
    *COPY_FAMILIES,
    *(f.REPOSITORY_INFO, f.LOCK_COUNT, f.OLDEST_LOCK, f.KEY_COUNT, f.NEWEST_KEY),
    *(f.FUTURE_COUNT, f.INVALID_COUNT, f.BACKDATED_COUNT, f.SERIES_DROPPED),
)
READ_FAMILIES = (
    *(f.READ_ERROR_COUNT, f.READ_SUCCESS, f.READ_LAST_SUCCESS, f.READ_DURATION),
    *(f.READ_FAILURES, f.STORAGE_REQUESTS, f.STORAGE_BYTES, f.SET_RUNS_DUE, f.SET_RUNS_MET),
    *(f.REMOVED, f.LAST_REMOVAL, f.RESULT_SUCCESS, f.RESULT_TIME),
    *(f.STORED_BYTES, f.PACK_COUNT),
)
TIMED_FAMILIES = (f.DAYS_AGE, f.SET_OVERDUE, f.SET_LATE, f.SET_RETAINED_DAYS, f.STALE_LOCK_COUNT)

# Samples rendered in one step.
_SLICE = 1000

# The lines of one repository in each of several families.
Lines = tuple[bytes, ...]


def content_families(compat: Compat | None) -> tuple[Family, ...]:
    """Return the families of `KeptLines.content`."""
    return CONTENT_FAMILIES if compat is None else CONTENT_FAMILIES + COMPAT_CONTENT_FAMILIES


def read_families(compat: Compat | None) -> tuple[Family, ...]:
    """Return the families of `KeptLines.read`."""
    return READ_FAMILIES if compat is None else READ_FAMILIES + COMPAT_READ_FAMILIES


def read_samples(url: str, status: RepositoryStatus) -> Iterator[Sample]:
    """Yield the samples of `READ_FAMILIES`; ``url`` is the first label as text."""
    if status.success is not None:
        yield f.READ_ERROR_COUNT, int(not status.success), url
        yield f.READ_SUCCESS, int(status.success), url
    yield f.READ_LAST_SUCCESS, status.last_success, url
    yield f.READ_DURATION, status.duration, url
    for reason, count in status.failures.items():
        yield f.READ_FAILURES, count, f"{url},{label_text({'reason': reason})}"
    if status.content is not None:
        yield f.REMOVED, status.removed, url
        yield f.LAST_REMOVAL, status.last_removal, url
        for operation, count in status.meter.requests.items():
            yield f.STORAGE_REQUESTS, count, f"{url},{label_text({'operation': operation})}"
        for operation, count in status.meter.received_bytes.items():
            yield f.STORAGE_BYTES, count, f"{url},{label_text({'operation': operation})}"
        if status.size is not None:
            yield f.STORED_BYTES, status.size.size.bytes, url
            yield f.PACK_COUNT, status.size.size.packs, url
        if status.last_success is not None:
            freshness = status.task.repository.freshness
            yield from run_samples(url, status.content, freshness, status.last_success)


def result_samples(url: str, results: Results) -> Iterator[Sample]:
    """Yield the samples about the jobs of the repository; ``url`` is as in `read_samples`."""
    for kind, result in results.items():
        labels = f"{url},{label_text({'kind': kind})}"
        yield f.RESULT_SUCCESS, int(result.success), labels
        yield f.RESULT_TIME, result.time, labels


def content_samples(
    url: str, status: RepositoryStatus, watched: Sequence[Labelled]
) -> Iterator[Sample]:
    """Yield the samples of `CONTENT_FAMILIES`."""
    content = status.content
    if content is None:
        return
    backend, reader = sanitise(status.task.backend_name), sanitise(status.task.reader.name)
    info = label_text({"backend": backend, "reader": reader, "version": status.keys.version})
    yield f.REPOSITORY_INFO, 1, f"{url},{info}"
    yield f.SNAPSHOT_COUNT, content.snapshot_count, url
    yield f.FUTURE_COUNT, content.future_count, url
    yield f.INVALID_COUNT, content.invalid_count, url
    yield f.BACKDATED_COUNT, content.backdated_count, url
    yield f.SERIES_DROPPED, content.dropped_sets, url
    if status.locks is not None:
        yield f.LOCK_COUNT, status.locks.count, url
        yield f.OLDEST_LOCK, min(status.locks.times, default=None), url
    yield f.KEY_COUNT, status.keys.count, url
    yield f.NEWEST_KEY, status.keys.newest, url
    yield from set_samples(url, content, status.task.repository.freshness, watched)
    yield from copy_samples(status, watched)


def _lines(families: tuple[Family, ...], samples: Iterable[Sample]) -> Steps[Lines]:
    lines: dict[Family, list[str]] = {family: [] for family in families}
    for index, (family, value, labels) in enumerate(samples, 1):
        if value is not None:
            lines[family].append(sample(family, labels, value))
        if not index % _SLICE:
            yield
    return tuple("".join(some).encode() for some in lines.values())


@define
class KeptLines:
    """
    The lines of one repository.

    ``content`` is valid for this ``task``, ``of_content``, ``locks``, ``keys`` and ``copies``;
    ``timed`` are those of `TIMED_FAMILIES`, without the sets that are judged by their own rhythm.
    These are in ``by_rhythm``, and judged until ``judged_until`` (Unix seconds).
    """

    revision: int
    task: Task
    of_content: Content | None
    locks: Locks | None
    keys: KeyFacts
    copies: Mapping[str, CopyStatus]
    content: Lines
    read: Lines
    timed: tuple[TimedLines, ...]
    by_rhythm: TimedLines
    judged_until: float

    def at(self, place: int, now: float) -> bytes:
        """Return the lines of this one of `TIMED_FAMILIES` as of ``now`` (Unix seconds)."""
        lines = self.timed[place].at(now)
        if TIMED_FAMILIES[place] is f.SET_LATE:
            lines += self.by_rhythm.at(min(now, self.judged_until))
        return lines

    @classmethod
    def steps(
        cls,
        status: RepositoryStatus,
        results: Results,
        before: "KeptLines | None",
        compat: Compat | None = None,
    ) -> "Steps[KeptLines]":
        """
        Render ``status`` and ``results`` in short steps.

        The lines of the content are those from ``before`` if they are still valid.
        """
        # The status may change between two steps.
        revision, status = status.revision, copy(status)
        task, content = status.task, status.content
        locks, keys, copies = status.locks, status.keys, status.copies
        url = label_text({"url": task.repository.url})
        until = judged_until(status.success, status.last_success)
        outcomes = chain(read_samples(url, status), result_samples(url, results))
        if compat is not None:
            outcomes = chain(outcomes, compat_read_samples(url, status, results, compat))
        read = yield from _lines(read_families(compat), outcomes)
        if (
            before is not None
            and before.task is task
            and before.of_content is content
            and before.locks == locks
            and before.keys == keys
            and before.copies is copies
        ):
            return evolve(before, revision=revision, read=read, judged_until=until)
        freshness = task.repository.freshness
        sets = watched_sets(url, content, freshness) if content is not None else []
        timed = [ages(sets)]
        yield
        by_limit, by_rhythm = due_times_of(sets, freshness)
        timed += [late(f.SET_OVERDUE, by_limit), late(f.SET_LATE, by_limit)]
        yield
        timed.append(retained_days(sets))
        yield
        timed.append(stale_locks(url, locks if content is not None else None))
        samples: Iterable[Sample] = content_samples(url, status, sets)
        if compat is not None and content is not None:
            samples = chain(samples, compat_content_samples(url, content, locks, compat))
        lines = yield from _lines(content_families(compat), samples)
        return cls(
            *(revision, task, content, locks, keys, copies, lines, read, tuple(timed)),
            late(f.SET_LATE, by_rhythm),
            until,
        )
