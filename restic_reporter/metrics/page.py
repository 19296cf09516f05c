"""Renders the metrics page from the state of all repositories."""

import platform
from collections.abc import Callable, Iterator, Mapping

from attrs import define, field
from prometheus_client import PROCESS_COLLECTOR

import twisted

from .. import __version__
from ..collection.state import CollectionState, RepositoryStatus, StateHealth
from ..concurrency.cooperative import at_once
from ..model.columns import Steps
from ..model.compat import Compat
from . import definitions as f
from .exposition import Family, label_text, page, sample
from .repository_samples import TIMED_FAMILIES, KeptLines, content_families, read_families

# The number of repositories that one step updates.
_SLICE = 64

# The number of sets whose lines take a few milliseconds.
_FEW_SETS = 100


@define
class MetricsPage:
    """
    Renders the page; keeps the lines that have not changed.

    ``now`` returns the wall clock, ``next_due`` the time of the next collection and
    ``vault_token_expiry`` the end of Vault's token, all in Unix seconds. ``reactor_lag`` returns
    the longest time in seconds that the reactor was blocked since the previous call.
    ``state_health`` tells how writing the state goes, if there is a folder for it. With
    ``one_run`` the page omits `definitions.OF_A_DAEMON` and the metrics of the process. With
    ``compat`` it has the metrics of restic-exporter too.
    """

    _state: CollectionState
    _now: Callable[[], float]
    _next_due: Callable[[], float | None]
    shard: str = "0/1"
    vault_token_expiry: Callable[[], float | None] = lambda: None
    state_health: StateHealth | None = None
    reactor_lag: Callable[[], float | None] = lambda: None
    log_lines_dropped: Callable[[], int] = lambda: 0
    one_run: bool = False
    compat: Compat | None = None
    _kept: dict[str, KeptLines] = field(factory=dict)

    def prepare(self, status: RepositoryStatus) -> None:
        """Render the lines of one repository after its read, to keep the next scrape short."""
        # More would block the reactor; the next scrape renders them in turns.
        if status.content is None or len(status.content.sets) <= _FEW_SETS:
            at_once(self._prepare(status))

    def _prepare(self, status: RepositoryStatus) -> Steps[None]:
        url = status.task.repository.url
        results = self._state.results.get(url, {})
        kept = yield from KeptLines.steps(status, results, self._kept.get(url), self.compat)
        self._kept[url] = kept
        for place in range(len(TIMED_FAMILIES)):
            kept.at(place, self._now())
            yield

    def steps(self, openmetrics: bool) -> Steps[bytes]:
        """
        Render the page in OpenMetrics 1.0 or in the text format 0.0.4, in short steps.

        All lines of one repository are from one moment, not before the first step.
        """
        yield from self._update()
        now = self._now()
        # These lines no longer change. Repositories added since then have none yet.
        kept = [self._kept[url] for url in self._state.statuses if url in self._kept]
        families: list[tuple[Family, list[bytes]]] = [
            (family, [sample(family, labels, value).encode()])
            for family, labels, value in self._job_samples()
        ]
        for place, family in enumerate(TIMED_FAMILIES):
            pieces = []
            for index, one in enumerate(kept):
                pieces.append(one.at(place, now))
                if not index % _SLICE:
                    yield
            families.append((family, pieces))
        for index, family in enumerate(content_families(self.compat)):
            families.append((family, [b"".join([one.content[index] for one in kept])]))
            yield
        for index, family in enumerate(read_families(self.compat)):
            families.append((family, [b"".join([one.read[index] for one in kept])]))
            yield
        for metric in () if self.one_run else PROCESS_COLLECTOR.collect():
            for found in metric.samples:
                family = Family(found.name, metric.type, metric.documentation)
                line = sample(family, label_text(found.labels), found.value)
                families.append((family, [line.encode()]))
        return page(families, openmetrics)

    def _update(self) -> Iterator[None]:
        """Render the lines that `prepare` has not rendered."""
        statuses = self._state.statuses
        for url in self._kept.keys() - statuses.keys():
            del self._kept[url]
        for index, (url, status) in enumerate(list(statuses.items())):
            kept = self._kept.get(url)
            if kept is None or kept.revision != status.revision:
                yield from self._prepare(status)
            if not index % _SLICE:
                yield

    def _state_values(self) -> Mapping[Family, float | None]:
        health = self.state_health
        if health is None:
            return {}
        return {f.STATE_WRITE_SUCCESS: int(health.success), f.STATE_LAST_WRITE: health.last_write}

    def _job_samples(self) -> Iterator[tuple[Family, str, float]]:
        job, config = self._state.job, self._state.config
        values: Mapping[Family, float | None] = {
            f.JOB_LAST_SUCCESS: job.last_success,
            f.JOB_ERROR_COUNT: job.error_count,
            f.JOB_RUNNING: int(job.running),
            f.JOB_DURATION: job.duration,
            f.JOB_NEXT: self._next_due(),
            f.JOB_SKIPPED: job.skipped,
            f.VAULT_TOKEN_EXPIRY: self.vault_token_expiry(),
            f.REACTOR_LAG: self.reactor_lag(),
            f.LOG_LINES_DROPPED: self.log_lines_dropped(),
            **self._state_values(),
            f.CONFIG_SUCCESS: int(config.successful),
            f.CONFIG_SUCCESS_TIME: config.success_time,
        }
        for family, value in values.items():
            if value is not None and not (self.one_run and family in f.OF_A_DAEMON):
                yield family, "", value
        build = {
            "version": __version__,
            "python": platform.python_version(),
            "twisted": twisted.__version__,
            "shard": self.shard,
        }
        yield f.BUILD_INFO, label_text(build), 1
