"""The state of all repositories to the metrics page."""

import platform
from collections.abc import Callable, Generator, Iterator, Mapping
from itertools import repeat

from attrs import define, field
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.metrics_core import Metric
from twisted.internet.interfaces import IReactorTime

import twisted

from .. import __version__
from ..collection.state import CollectionState, RepositoryStatus
from ..concurrency.cooperative import at_once, in_turns
from . import definitions as f
from .exposition import Family, label_text, page, sample
from .repository_samples import CONTENT_FAMILIES, READ_FAMILIES, KeptLines

# How many repositories are made up to date in one step.
_SOME = 64


@define
class MetricsPage:
    """
    Renders the page; keeps what has not changed.

    ``now`` is the wall clock; ``next_due`` tells when the next collection is due, and
    ``vault_token_expiry`` when Vault's token ends, all in Unix seconds. ``reactor_lag`` gives
    the longest that the reactor was held since it was asked last, in seconds;
    ``log_lines_dropped`` counts since the start. With ``one_run`` the page has nothing that
    only a daemon has: `definitions.OF_A_DAEMON`, and the metrics of the process.
    """

    _state: CollectionState
    _now: Callable[[], float]
    _next_due: Callable[[], float | None]
    shard: str = "0/1"
    vault_token_expiry: Callable[[], float | None] = lambda: None
    reactor_lag: Callable[[], float | None] = lambda: None
    log_lines_dropped: Callable[[], int] = lambda: 0
    one_run: bool = False
    _kept: dict[str, KeptLines] = field(factory=dict)
    _process: ProcessCollector = field(
        factory=lambda: ProcessCollector(registry=CollectorRegistry())
    )

    def render(self, openmetrics: bool) -> bytes:
        """The whole page in OpenMetrics 1.0 or in the text format 0.0.4, at once."""
        return at_once(self._steps(openmetrics))

    async def render_in_turns(self, clock: IReactorTime, openmetrics: bool) -> bytes:
        """
        The same page, while others have their turns: however long it is, it holds the
        reactor for some ten milliseconds at a time. All that it tells of one repository is
        from one moment, not before that of the call.
        """
        return await in_turns(clock, self._steps(openmetrics))

    def prepare(self, status: RepositoryStatus) -> None:
        """
        Render one repository's lines now, since it has just been read.

        Spread over a collection this work is not felt; all of it in the next scrape would be.
        """
        url = status.task.repository.url
        kept = self._kept[url] = KeptLines.of(status, self._kept.get(url))
        kept.age(self._now())

    def _steps(self, openmetrics: bool) -> Generator[None, None, bytes]:
        """Renders the page bit by bit."""
        yield from self._bring_up_to_date()
        now = self._now()
        # Nothing of these changes from here on. What came in a moment ago was never read.
        kept = [self._kept[url] for url in self._state.statuses if url in self._kept]
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
        if not self.one_run:
            families.extend(_process_families(self._process))
        return page(families, openmetrics)

    def _bring_up_to_date(self) -> Iterator[None]:
        """Prepare what `prepare` was not called for."""
        statuses = self._state.statuses
        for url in self._kept.keys() - statuses.keys():
            del self._kept[url]
        for index, (url, status) in enumerate(list(statuses.items())):
            kept = self._kept.get(url)
            if kept is None or kept.revision != status.revision:
                self.prepare(status)
            if not index % _SOME:
                yield

    def _job_samples(self) -> Iterator[tuple[Family, str, float]]:
        job, config = self._state.job, self._state.config
        values: Mapping[Family, float | None] = {
            f.JOB_LAST_SUCCESS: job.last_success,
            f.JOB_ERROR_COUNT: job.error_count,
            f.JOB_RUNNING: 1 if job.running else 0,
            f.JOB_DURATION: job.duration,
            f.JOB_NEXT: self._next_due(),
            f.JOB_SKIPPED: job.skipped,
            f.VAULT_TOKEN_EXPIRY: self.vault_token_expiry(),
            f.REACTOR_LAG: self.reactor_lag(),
            f.LOG_LINES_DROPPED: self.log_lines_dropped(),
            f.CONFIG_SUCCESS: 1 if config.successful else 0,
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


def _process_families(collector: ProcessCollector) -> Iterator[tuple[Family, list[bytes]]]:
    metric: Metric
    for metric in collector.collect():
        for one in metric.samples:
            family = Family(one.name, metric.type, metric.documentation)
            yield family, [sample(family, label_text(one.labels), one.value).encode()]
