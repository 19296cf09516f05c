"""What the tests of the collector share."""

from typing import cast

from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.collection.collector import Collector
from restic_reporter.collection.state import JobStatus, RepositoryStatus
from tests.doubles.repositories import NOW, World


class CollectorCase(SynchronousTestCase):
    """A collector with a clock of its own."""

    concurrency = 8

    def setUp(self) -> None:
        self.clock = Clock()
        self.make(self.concurrency)
        self.events: list[LogEvent] = []
        observer = cast(ILogObserver, self.events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def make(self, concurrency: int) -> None:
        """Make the collector anew."""
        self.collector = Collector(self.clock, lambda: NOW + self.clock.seconds(), concurrency)

    def use(self, *worlds: World) -> None:
        """Make these the config."""
        self.collector.set_tasks({world.task.repository.url: world.task for world in worlds})

    def worlds(self, number: int, timeout: float = 300.0) -> list[World]:
        """So many repositories, in use."""
        worlds = [World.make(f"/{index}", timeout=timeout) for index in range(number)]
        self.use(*worlds)
        return worlds

    @property
    def statuses(self) -> dict[str, RepositoryStatus]:
        """All that is known of the repositories."""
        return self.collector.state.statuses

    @property
    def job(self) -> JobStatus:
        """All that is known of the collections."""
        return self.collector.state.job

    def collect(self, labels: set[str] | None = None, complete: bool = True) -> None:
        """A whole collection."""
        self.assertIsNone(self.successResultOf(self.collector.collect(labels, complete)))

    def status(self, url: str = "/0") -> RepositoryStatus:
        """What is known of a repository."""
        return self.statuses[url]

    def logged(self) -> str:
        """All that was logged, but for debugging."""
        return "\n".join(
            str(event.get("log_format", "")).format(**event)
            for event in self.events
            if event.get("log_namespace", "").startswith("restic_reporter")
        )
