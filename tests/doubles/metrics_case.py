"""A metrics page over repositories in memory, and what it says."""

from typing import Any

from attrs import evolve
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.collection.collector import Collector
from restic_reporter.concurrency.cooperative import at_once
from restic_reporter.metrics.page import MetricsPage
from tests.doubles.repositories import NOW, World


class PageCase(SynchronousTestCase):
    """A page over a collector of repositories in memory."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.now = NOW
        self.next_due: float | None = None
        self.collector = Collector(self.clock, lambda: self.now, 8)
        self.page = MetricsPage(self.collector.state, lambda: self.now, lambda: self.next_due)
        self.world = World.make("/p", snapshots=2)
        self.use(self.world)

    def use(self, *worlds: World) -> None:
        """Make these the config."""
        self.collector.set_tasks({world.task.repository.url: world.task for world in worlds})

    def collect(self) -> None:
        """A whole collection."""
        self.successResultOf(self.collector.collect())

    def samples(self, openmetrics: bool = False) -> list[Any]:
        """All samples of the page."""
        parse = parse_openmetrics if openmetrics else parse_text
        page = at_once(self.page.steps(openmetrics)).decode()
        return [one for family in parse(page) for one in family.samples]

    def values(self, name: str, **labels: str) -> list[float]:
        """The values of the samples of a name that have these labels."""
        return [
            one.value
            for one in self.samples()
            if one.name == name and labels.items() <= one.labels.items()
        ]

    def names(self, url: str = "/p") -> set[str]:
        """The names of all metrics of a repository."""
        return {one.name for one in self.samples() if one.labels.get("url") == url}


class FreshnessCase(PageCase):
    """A page over one repository whose entry can be changed."""

    def entry(self, **values: Any) -> None:
        """Change values of the entry, as a reload does."""
        task = self.world.task
        self.world.task = evolve(task, repository=evolve(task.repository, **values))
        self.use(self.world)

    def by_host(self, name: str) -> dict[str, float]:
        """The values of one metric by host."""
        return {one.labels["host"]: one.value for one in self.samples() if one.name == name}
