"""The state of all repositories to the metrics page."""

import math
import platform
from collections.abc import Callable, Iterator, Mapping

from attrs import define, field
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.metrics_core import Metric

import twisted

from . import __version__
from . import families as f
from .collection import Collector, JobStatus
from .exposition import Family, label_text, page, sample
from .labels import sanitise
from .model import BackupSet, Content
from .reading import RepositoryStatus

DAY = 86400

REPOSITORY_FAMILIES = (
    f.SNAPSHOT_COUNT,
    f.READ_ERROR_COUNT,
    f.NEWEST,
    f.READ_SUCCESS,
    f.READ_LAST_SUCCESS,
    f.READ_DURATION,
    f.READ_FAILURES,
    f.REPOSITORY_INFO,
    f.LOCK_COUNT,
    f.OLDEST_LOCK,
    f.SET_COUNT,
    f.OLDEST,
    f.FUTURE_COUNT,
    f.INVALID_COUNT,
    f.SERIES_DROPPED,
    f.STORAGE_REQUESTS,
    f.STORAGE_BYTES,
)

Lines = dict[Family, bytes]


def days_age(newest: float, now: float) -> int:
    """Whole days from ``newest`` to ``now``; 0 where a clock runs ahead a little."""
    return max(0, math.floor((now - newest) / DAY))


def repository_lines(status: RepositoryStatus) -> Lines:
    """The lines of one repository, all but those that depend on the time of the scrape."""
    url = label_text({"url": status.task.repository.url})
    lines: dict[Family, list[str]] = {}

    def add(family: Family, value: float | None, labels: str = "") -> None:
        if value is not None:
            text = f"{url},{labels}" if labels else url
            lines.setdefault(family, []).append(sample(family, text, value))

    if status.success is not None:
        add(f.READ_ERROR_COUNT, 0 if status.success else 1)
        add(f.READ_SUCCESS, 1 if status.success else 0)
    add(f.READ_LAST_SUCCESS, status.last_success)
    add(f.READ_DURATION, status.duration)
    for reason, count in status.failures.items():
        add(f.READ_FAILURES, count, label_text({"reason": reason}))
    if status.content is not None:
        _add_content(add, status, status.content)
    return {family: "".join(texts).encode() for family, texts in lines.items()}


def _add_content(add: Callable[..., None], status: RepositoryStatus, content: Content) -> None:
    names = {"backend": status.task.backend_name, "reader": status.task.reader.name}
    add(f.REPOSITORY_INFO, 1, label_text({key: sanitise(name) for key, name in names.items()}))
    add(f.SNAPSHOT_COUNT, content.snapshot_count)
    add(f.FUTURE_COUNT, content.future_count)
    add(f.INVALID_COUNT, content.invalid_count)
    add(f.SERIES_DROPPED, content.dropped_sets)
    if status.locks is not None:
        add(f.LOCK_COUNT, status.locks.count)
        add(f.OLDEST_LOCK, status.locks.oldest)
    for one in content.sets:
        labels = _set_labels(one)
        add(f.NEWEST, one.newest, labels)
        add(f.SET_COUNT, one.snapshot_count, labels)
        add(f.OLDEST, one.oldest, labels)
    for operation, count in status.meter.requests.items():
        add(f.STORAGE_REQUESTS, count, label_text({"operation": operation}))
    for operation, count in status.meter.received_bytes.items():
        add(f.STORAGE_BYTES, count, label_text({"operation": operation}))


def _set_labels(one: BackupSet) -> str:
    return label_text({"host": one.host, "user": one.user})


@define
class _Kept:
    """What was rendered of one repository, and how long it holds."""

    revision: int
    lines: Lines
    ages: tuple[tuple[str, float], ...]
    age_lines: bytes = b""
    age_holds: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def of(cls, status: RepositoryStatus) -> "_Kept":
        url = label_text({"url": status.task.repository.url})
        sets = status.content.sets if status.content is not None else ()
        ages = tuple(
            (f"{url},{_set_labels(one)}", one.newest) for one in sets if one.newest is not None
        )
        return cls(status.revision, repository_lines(status), ages)

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

    ``now`` is the wall clock; ``next_due`` tells when the next collection is due, both in
    Unix seconds.
    """

    _collector: Collector
    _now: Callable[[], float]
    _next_due: Callable[[], float | None]
    config_successful: bool = True
    config_success_time: float | None = None
    _kept: dict[str, _Kept] = field(factory=dict)
    _process: ProcessCollector = field(
        factory=lambda: ProcessCollector(registry=CollectorRegistry())
    )

    def render(self, openmetrics: bool) -> bytes:
        """The whole page in OpenMetrics 1.0 or in the text format 0.0.4."""
        now = self._now()
        kept = self._up_to_date()
        families: list[tuple[Family, list[bytes]]] = [
            *(
                (family, [sample(family, labels, value).encode()])
                for family, labels, value in self._job_samples()
            ),
            (f.DAYS_AGE, [one.age(now) for one in kept]),
        ]
        for family in REPOSITORY_FAMILIES:
            families.append((family, [one.lines[family] for one in kept if family in one.lines]))
        families.extend(_process_families(self._process))
        return page(families, openmetrics)

    def prepare(self, status: RepositoryStatus) -> None:
        """
        Render one repository's lines now, since it has just been read.

        Spread over a collection this work is not felt; all of it in the next scrape would be.
        """
        kept = self._kept[status.task.repository.url] = _Kept.of(status)
        kept.age(self._now())

    def _up_to_date(self) -> list[_Kept]:
        statuses = self._collector.statuses
        for url in self._kept.keys() - statuses.keys():
            del self._kept[url]
        for url, status in statuses.items():
            kept = self._kept.get(url)
            if kept is None or kept.revision != status.revision:
                self.prepare(status)
        return [self._kept[url] for url in statuses]

    def _job_samples(self) -> Iterator[tuple[Family, str, float]]:
        job: JobStatus = self._collector.job
        values: Mapping[Family, float | None] = {
            f.JOB_LAST_SUCCESS: job.last_success,
            f.JOB_ERROR_COUNT: job.error_count,
            f.JOB_RUNNING: 1 if job.running else 0,
            f.JOB_DURATION: job.duration,
            f.JOB_NEXT: self._next_due(),
            f.JOB_SKIPPED: job.skipped,
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
            "shard": "0/1",
        }
        yield f.BUILD_INFO, label_text(build), 1


def _process_families(collector: ProcessCollector) -> Iterator[tuple[Family, list[bytes]]]:
    metric: Metric
    for metric in collector.collect():
        for one in metric.samples:
            family = Family(one.name, metric.type, metric.documentation)
            yield family, [sample(family, label_text(one.labels), one.value).encode()]
