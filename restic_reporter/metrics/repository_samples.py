"""What the metrics page says of one repository, kept for as long as it holds."""

from attrs import define, evolve, field

from ..collection.state import Locks, RepositoryStatus, Task
from ..model.labels import sanitise
from ..model.snapshots import Content
from . import definitions as f
from .exposition import Family, label_text, sample
from .set_samples import SET_FAMILIES, run_samples, set_samples, watched_sets
from .timed_lines import TimedLines, ages, overdue, retained_days, stale_locks

# What a repository holds, which seldom changes, and how reading it went, which always does.
CONTENT_FAMILIES = (
    f.SNAPSHOT_COUNT,
    *SET_FAMILIES,
    f.REPOSITORY_INFO,
    f.LOCK_COUNT,
    f.OLDEST_LOCK,
    f.FUTURE_COUNT,
    f.INVALID_COUNT,
    f.SERIES_DROPPED,
)
READ_FAMILIES = (
    f.READ_ERROR_COUNT,
    f.READ_SUCCESS,
    f.READ_LAST_SUCCESS,
    f.READ_DURATION,
    f.READ_FAILURES,
    f.STORAGE_REQUESTS,
    f.STORAGE_BYTES,
    f.SET_RUNS_DUE,
    f.SET_RUNS_MET,
)
TIMED_FAMILIES = (f.DAYS_AGE, f.SET_OVERDUE, f.SET_RETAINED_DAYS, f.STALE_LOCK_COUNT)

# The lines of one repository in each of several families.
Lines = tuple[bytes, ...]


@define
class _Sheet:
    """The lines of one repository, family by family, as they are added."""

    url: str
    lines: dict[Family, str] = field(factory=dict)

    @classmethod
    def of(cls, status: RepositoryStatus) -> "_Sheet":
        return cls(label_text({"url": status.task.repository.url}))

    def add(self, family: Family, value: float | None, labels: str = "") -> None:
        """One more line, unless ``value`` is ``None``."""
        if value is not None:
            text = f"{self.url},{labels}" if labels else self.url
            self.lines[family] = self.lines.get(family, "") + sample(family, text, value)

    def of_families(self, families: tuple[Family, ...]) -> Lines:
        """What was added, in this order."""
        return tuple(self.lines.get(family, "").encode() for family in families)


def read_lines(status: RepositoryStatus) -> Lines:
    """The lines that tell how reading went, by `READ_FAMILIES`."""
    sheet = _Sheet.of(status)
    if status.success is not None:
        sheet.add(f.READ_ERROR_COUNT, 0 if status.success else 1)
        sheet.add(f.READ_SUCCESS, 1 if status.success else 0)
    sheet.add(f.READ_LAST_SUCCESS, status.last_success)
    sheet.add(f.READ_DURATION, status.duration)
    for reason, count in status.failures.items():
        sheet.add(f.READ_FAILURES, count, label_text({"reason": reason}))
    if status.content is not None:
        for operation, count in status.meter.requests.items():
            sheet.add(f.STORAGE_REQUESTS, count, label_text({"operation": operation}))
        for operation, count in status.meter.received_bytes.items():
            sheet.add(f.STORAGE_BYTES, count, label_text({"operation": operation}))
        if status.last_success is not None:
            freshness = status.task.repository.freshness
            for family, labels, value in run_samples(
                status.content, freshness, status.last_success
            ):
                sheet.add(family, value, labels)
    return sheet.of_families(READ_FAMILIES)


def content_lines(status: RepositoryStatus) -> Lines:
    """
    The lines that tell what the repository holds, by `CONTENT_FAMILIES`; all but those that
    depend on the time of the scrape.
    """
    sheet = _Sheet.of(status)
    content = status.content
    if content is None:
        return sheet.of_families(CONTENT_FAMILIES)
    names = {"backend": status.task.backend_name, "reader": status.task.reader.name}
    labels = label_text({key: sanitise(name) for key, name in names.items()})
    sheet.add(f.REPOSITORY_INFO, 1, labels)
    sheet.add(f.SNAPSHOT_COUNT, content.snapshot_count)
    sheet.add(f.FUTURE_COUNT, content.future_count)
    sheet.add(f.INVALID_COUNT, content.invalid_count)
    sheet.add(f.SERIES_DROPPED, content.dropped_sets)
    if status.locks is not None:
        sheet.add(f.LOCK_COUNT, status.locks.count)
        sheet.add(f.OLDEST_LOCK, min(status.locks.times, default=None))
    for family, labels, value in set_samples(content, status.task.repository.freshness):
        sheet.add(family, value, labels)
    return sheet.of_families(CONTENT_FAMILIES)


@define
class KeptLines:
    """What was rendered of one repository, and how long it holds."""

    revision: int
    # What the lines of the content were made of.
    task: Task
    of_content: Content | None
    locks: Locks | None
    content: Lines
    read: Lines
    timed: tuple[TimedLines, ...]

    @classmethod
    def of(cls, status: RepositoryStatus, before: "KeptLines | None") -> "KeptLines":
        """``before`` is what was kept of the same repository so far."""
        task, content, locks = status.task, status.content, status.locks
        read = read_lines(status)
        if (
            before is not None
            and before.task is task
            and before.of_content is content
            and before.locks == locks
        ):
            return evolve(before, revision=status.revision, read=read)
        url = label_text({"url": status.task.repository.url})
        freshness = task.repository.freshness
        sets = watched_sets(content, freshness) if content is not None else []
        timed = (
            ages(url, sets),
            overdue(url, sets, freshness),
            retained_days(url, sets),
            stale_locks(url, locks if content is not None else None),
        )
        return cls(status.revision, task, content, locks, content_lines(status), read, timed)
