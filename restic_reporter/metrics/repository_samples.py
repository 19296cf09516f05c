"""What the metrics page says of one repository, kept for as long as it holds."""

import math

from attrs import define, evolve, field

from ..collection.state import Locks, RepositoryStatus, Task
from ..model.labels import sanitise
from ..model.snapshots import BackupSet, Content
from . import definitions as f
from .exposition import Family, label_text, sample

DAY = 86400

# What a repository holds, which seldom changes, and how reading it went, which always does.
CONTENT_FAMILIES = (
    f.SNAPSHOT_COUNT,
    f.NEWEST,
    f.REPOSITORY_INFO,
    f.LOCK_COUNT,
    f.OLDEST_LOCK,
    f.SET_COUNT,
    f.OLDEST,
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
)

# The lines of one repository in each of several families.
Lines = tuple[bytes, ...]


def days_age(newest: float, now: float) -> int:
    """Whole days from ``newest`` to ``now``; 0 where a clock runs ahead a little."""
    return max(0, math.floor((now - newest) / DAY))


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
        sheet.add(f.OLDEST_LOCK, status.locks.oldest)
    for one in content.sets:
        labels = _set_labels(one)
        sheet.add(f.NEWEST, one.newest, labels)
        sheet.add(f.SET_COUNT, one.snapshot_count, labels)
        sheet.add(f.OLDEST, one.oldest, labels)
    return sheet.of_families(CONTENT_FAMILIES)


def _set_labels(one: BackupSet) -> str:
    return label_text({"host": one.host, "user": one.user})


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
    ages: tuple[tuple[str, float], ...]
    age_lines: bytes = b""
    age_holds: tuple[float, float] = (0.0, 0.0)

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
        sets = content.sets if content is not None else ()
        ages = tuple(
            (f"{url},{_set_labels(one)}", one.newest) for one in sets if one.newest is not None
        )
        return cls(status.revision, task, content, locks, content_lines(status), read, ages)

    def age(self, now: float) -> bytes:
        """The lines of the ages, made anew only when a day has passed for one of the sets."""
        since, until = self.age_holds
        if not since <= now < until:
            days = [(labels, newest, days_age(newest, now)) for labels, newest in self.ages]
            self.age_lines = "".join(
                sample(f.DAYS_AGE, labels, age) for labels, _, age in days
            ).encode()
            until = min((newest + (age + 1) * DAY for _, newest, age in days), default=math.inf)
            self.age_holds = (now, until)
        return self.age_lines
