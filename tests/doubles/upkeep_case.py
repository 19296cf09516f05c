"""What the tests of checks and sizes share: a service with a clock and repositories in memory."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

from attrs import define, evolve, field
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.collection.result_book import ResultBook
from restic_reporter.collection.state import CollectionState, RepositoryStatus, Task
from restic_reporter.concurrency.deadline import Deadline
from restic_reporter.interfaces import IBackendMaker
from restic_reporter.model.errors import ReadError
from restic_reporter.model.repository import Repository
from restic_reporter.model.results import Result
from restic_reporter.model.upkeep import Check, Upkeep
from restic_reporter.schedule.cron import parse_cron
from restic_reporter.testing import MemoryBackend, MemoryReader
from restic_reporter.upkeep.checks import Checks
from restic_reporter.upkeep.service import UpkeepService
from restic_reporter.upkeep.sizes import Sizes
from tests.doubles.local_time import local_time
from tests.doubles.repositories import repository

HOUR, DAY = 3600.0, 86400.0

# A Monday, and schedules from then on.
START = datetime(2026, 6, 1, tzinfo=UTC).timestamp()
HOURLY, DAILY = "0 * * * *", "0 0 * * *"


@define
class Run:
    """A check that was asked for; ``end`` fires or fails to end it."""

    url: str
    location: str
    subset: str | None
    end: "Deferred[None]" = field(factory=Deferred)
    cancelled: bool = False


class UpkeepCase(SynchronousTestCase):
    """A running service, whose checks end when a test says so."""

    def setUp(self) -> None:
        self.enterContext(local_time("UTC"))
        self.clock = Clock()
        self.state = CollectionState()
        self.runs: list[Run] = []
        self.backends: dict[str, Any] = {}
        self.makers: dict[str, IBackendMaker] = {}
        self.told: list[str] = []
        self.errors: dict[str, ReadError] = {}
        # What cancelled checks wait for.
        self.lingers: Deferred[None] = succeed(None)
        book = ResultBook(self.state)
        self.service = UpkeepService(
            self.clock,
            self.now,
            self.state,
            self.makers,
            Checks(self.clock, self.state, self.now, self._check, book.add),
            Sizes(
                self.clock,
                self.state,
                self.now,
                lambda status: self.told.append(status.task.repository.url),
            ),
        )
        self.service.startService()
        self.events: list[LogEvent] = []
        observer = cast(ILogObserver, self.events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def now(self) -> float:
        """The wall clock."""
        return START + self.clock.seconds()

    async def _check(self, repository: Repository, subset: str | None, deadline: Deadline) -> None:
        run = Run(repository.url, repository.location.reveal(), subset)
        self.runs.append(run)
        try:
            await run.end
        except CancelledError:
            run.cancelled = True
            await self.lingers
            raise

    def task(self, url: str, check: str | None = None, size: str | None = None) -> Task:
        """A repository with these schedules."""
        upkeep = Upkeep(
            None if check is None else Check(parse_cron(check), "5%", 2 * HOUR),
            None if size is None else parse_cron(size),
        )
        backend = self.backends.setdefault(url, MemoryBackend({"config": b""}))
        entry = evolve(repository(url), upkeep=upkeep)
        return Task(entry, "memory", backend, MemoryReader(), 300.0)

    def use(self, *tasks: Task) -> None:
        """Make these the config."""

        async def complete(some: Sequence[Task]) -> list[Task | ReadError]:
            return [self.errors.get(one.repository.url, one) for one in some]

        self.service.use({one.repository.url: one for one in tasks}, complete)

    def read(self, *tasks: Task) -> None:
        """Give these a status, as after a collection."""
        for one in tasks:
            self.state.statuses[one.repository.url] = RepositoryStatus(one)

    def pass_time(self, seconds: float) -> None:
        """Let the time go on; each call is made at its own time."""
        end = self.clock.seconds() + seconds
        while self.clock.seconds() < end:
            calls = [call.getTime() for call in self.clock.getDelayedCalls()]
            step = min([end, *(time for time in calls if time > self.clock.seconds())])
            self.clock.advance(step - self.clock.seconds())

    @property
    def checked(self) -> list[str]:
        """The repositories whose checks were begun, in order."""
        return [one.url for one in self.runs]

    def result(self, url: str) -> Result | None:
        """The latest result of a check."""
        return self.state.results.get(url, {}).get("check")

    def logged(self) -> str:
        """All that was logged by the program."""
        return "\n".join(
            formatEvent(event)
            for event in self.events
            if event.get("log_namespace", "").startswith("restic_reporter")
        )
