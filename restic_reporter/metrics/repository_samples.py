"""Sample lines of one repository, kept until they change."""

import math
from collections.abc import Iterable, Iterator

from attrs import define, evolve

from ..collection.state import Locks, RepositoryStatus, Task
from ..model.labels import sanitise
from ..model.snapshots import BackupSet, Content
from . import definitions as f
from .exposition import Family, label_text, sample

DAY = 86400

# The content of a repository changes seldom, the outcome of the read every time.
CONTENT_FAMILIES = (
    *(f.SNAPSHOT_COUNT, f.NEWEST, f.REPOSITORY_INFO, f.LOCK_COUNT, f.OLDEST_LOCK, f.SET_COUNT),
    *(f.OLDEST, f.FUTURE_COUNT, f.INVALID_COUNT, f.SERIES_DROPPED),
)
READ_FAMILIES = (
    *(f.READ_ERROR_COUNT, f.READ_SUCCESS, f.READ_LAST_SUCCESS, f.READ_DURATION),
    *(f.READ_FAILURES, f.STORAGE_REQUESTS, f.STORAGE_BYTES),
)

# The lines of one repository in each of several families.
Lines = tuple[bytes, ...]

# A sample of one repository; the labels lack the URL. Without a value there is no line.
_Sample = tuple[Family, float | None, str]


def days_age(newest: float, now: float) -> int:
    """Return the whole days from ``newest`` to ``now``; 0 if a clock is slightly ahead."""
    return max(0, math.floor((now - newest) / DAY))


def read_samples(status: RepositoryStatus) -> Iterator[_Sample]:
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


def content_samples(status: RepositoryStatus) -> Iterator[_Sample]:
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
        yield f.OLDEST_LOCK, status.locks.oldest, ""
    for one in content.sets:
        labels = _set_labels(one)
        yield f.NEWEST, one.newest, labels
        yield f.SET_COUNT, one.snapshot_count, labels
        yield f.OLDEST, one.oldest, labels


def _set_labels(one: BackupSet) -> str:
    return label_text({"host": one.host, "user": one.user})


def _lines(url: str, families: tuple[Family, ...], samples: Iterable[_Sample]) -> Lines:
    texts = dict.fromkeys(families, "")
    for family, value, labels in samples:
        if value is not None:
            texts[family] += sample(family, f"{url},{labels}" if labels else url, value)
    return tuple(text.encode() for text in texts.values())


@define
class KeptLines:
    """
    The lines of one repository.

    ``content`` is valid for this ``task``, ``of_content`` and ``locks``; ``age_lines`` at the
    times in ``age_holds``.
    """

    revision: int
    task: Task
    of_content: Content | None
    locks: Locks | None
    content: Lines
    read: Lines
    ages: tuple[tuple[str, float], ...]
    age_lines: bytes = b""
    age_holds: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def of(cls, status: RepositoryStatus, before: "KeptLines | None") -> "KeptLines":
        """Render ``status``; reuse the content's lines from ``before`` if they are still valid."""
        task, content, locks = status.task, status.content, status.locks
        url = label_text({"url": task.repository.url})
        read = _lines(url, READ_FAMILIES, read_samples(status))
        if (
            before is not None
            and before.task is task
            and before.of_content is content
            and before.locks == locks
        ):
            return evolve(before, revision=status.revision, read=read)
        sets = content.sets if content is not None else ()
        ages = tuple(
            (f"{url},{_set_labels(one)}", one.newest) for one in sets if one.newest is not None
        )
        lines = _lines(url, CONTENT_FAMILIES, content_samples(status))
        return cls(status.revision, task, content, locks, lines, read, ages)

    def age(self, now: float) -> bytes:
        """Return the lines of the ages; render them only if a set's age has changed."""
        since, until = self.age_holds
        if not since <= now < until:
            days = [(labels, newest, days_age(newest, now)) for labels, newest in self.ages]
            lines = (sample(f.DAYS_AGE, labels, age) for labels, _, age in days)
            self.age_lines = "".join(lines).encode()
            until = min((newest + (age + 1) * DAY for _, newest, age in days), default=math.inf)
            self.age_holds = (now, until)
        return self.age_lines
