"""The state of all repositories to the metrics page."""

import math
import platform
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from itertools import repeat

from attrs import define, evolve, field
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.metrics_core import Metric
from twisted.internet.interfaces import IReactorTime

import twisted

from . import __version__
from . import families as f
from .collection import Collector, JobStatus
from .deadline import sleep
from .exposition import Family, label_text, page, sample
from .labels import sanitise
from .model import BackupSet, Content
from .reading import Locks, RepositoryStatus, Task

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

# Seconds that a page may hold the reactor at one time, and how many repositories are made
# up to date between two looks at the clock.
_AT_ONCE = 0.01
_SOME = 64


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
class _Kept:
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
    def of(cls, status: RepositoryStatus, before: "_Kept | None") -> "_Kept":
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


@define
class MetricsPage:
    """
    Renders the page; keeps what has not changed.

    ``now`` is the wall clock; ``next_due`` tells when the next collection is due, and
    ``vault_token_expiry`` when Vault's token ends, all in Unix seconds. ``reactor_lag`` gives
    the longest that the reactor was held since it was asked last, in seconds.
    """

    _collector: Collector
    _now: Callable[[], float]
    _next_due: Callable[[], float | None]
    shard: str = "0/1"
    vault_token_expiry: Callable[[], float | None] = lambda: None
    reactor_lag: Callable[[], float | None] = lambda: None
    config_successful: bool = True
    config_success_time: float | None = None
    _kept: dict[str, _Kept] = field(factory=dict)
    _process: ProcessCollector = field(
        factory=lambda: ProcessCollector(registry=CollectorRegistry())
    )

    def render(self, openmetrics: bool) -> bytes:
        """The whole page in OpenMetrics 1.0 or in the text format 0.0.4, at once."""
        steps = self._steps(openmetrics)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                body: bytes = end.value
                return body

    async def render_in_turns(self, clock: IReactorTime, openmetrics: bool) -> bytes:
        """
        The same page, while others have their turns: however long it is, it holds the
        reactor for some ten milliseconds at a time. All that it tells of one repository is
        from one moment, not before that of the call.
        """
        steps = self._steps(openmetrics)
        started = time.perf_counter()
        while True:
            try:
                next(steps)
            except StopIteration as end:
                body: bytes = end.value
                return body
            if time.perf_counter() - started > _AT_ONCE:
                await sleep(clock, 0)
                started = time.perf_counter()

    def prepare(self, status: RepositoryStatus) -> None:
        """
        Render one repository's lines now, since it has just been read.

        Spread over a collection this work is not felt; all of it in the next scrape would be.
        """
        url = status.task.repository.url
        kept = self._kept[url] = _Kept.of(status, self._kept.get(url))
        kept.age(self._now())

    def _steps(self, openmetrics: bool) -> Generator[None, None, bytes]:
        """Renders the page bit by bit."""
        yield from self._bring_up_to_date()
        now = self._now()
        # Nothing of these changes from here on. What came in a moment ago was never read.
        kept = [self._kept[url] for url in self._collector.statuses if url in self._kept]
        families: list[tuple[Family, list[bytes]]] = [
            (family, [sample(family, labels, value).encode()])
            for family, labels, value in self._job_samples()
        ]
        ages = []
        for index, one in enumerate(kept):
            ages.append(one.age(now))
            if not index % _SOME:
                yield
        families.append((f.DAYS_AGE, ages))
        for names, lines in (
            (CONTENT_FAMILIES, [one.content for one in kept]),
            (READ_FAMILIES, [one.read for one in kept]),
        ):
            columns = zip(*lines, strict=True) if lines else repeat((), len(names))
            for family, column in zip(names, columns, strict=True):
                families.append((family, [b"".join(column)]))
                yield
        families.extend(_process_families(self._process))
        return page(families, openmetrics)

    def _bring_up_to_date(self) -> Iterator[None]:
        """Prepare what `prepare` was not called for."""
        statuses = self._collector.statuses
        for url in self._kept.keys() - statuses.keys():
            del self._kept[url]
        for index, (url, status) in enumerate(list(statuses.items())):
            kept = self._kept.get(url)
            if kept is None or kept.revision != status.revision:
                self.prepare(status)
            if not index % _SOME:
                yield

    def _job_samples(self) -> Iterator[tuple[Family, str, float]]:
        job: JobStatus = self._collector.job
        values: Mapping[Family, float | None] = {
            f.JOB_LAST_SUCCESS: job.last_success,
            f.JOB_ERROR_COUNT: job.error_count,
            f.JOB_RUNNING: 1 if job.running else 0,
            f.JOB_DURATION: job.duration,
            f.JOB_NEXT: self._next_due(),
            f.JOB_SKIPPED: job.skipped,
            f.VAULT_TOKEN_EXPIRY: self.vault_token_expiry(),
            f.REACTOR_LAG: self.reactor_lag(),
            f.CONFIG_SUCCESS: 1 if self.config_successful else 0,
            f.CONFIG_SUCCESS_TIME: self.config_success_time,
        }
        for family, value in values.items():
            if value is not None:
                yield family, "", value
        build = {
            "version": __version__,
            "python": platform.python_version(),
            "twisted": twisted.__version__,
            "shard": self.shard,
        }
        yield f.BUILD_INFO, label_text(build), 1


def _process_families(collector: ProcessCollector) -> Iterator[tuple[Family, list[bytes]]]:
    metric: Metric
    for metric in collector.collect():
        for one in metric.samples:
            family = Family(one.name, metric.type, metric.documentation)
            yield family, [sample(family, label_text(one.labels), one.value).encode()]
