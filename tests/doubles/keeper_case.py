"""What the tests of the state's keeper share."""

from pathlib import Path

from twisted.internet.defer import Deferred

from restic_reporter.collection.collector import Collector
from restic_reporter.collection.state import CollectionState
from restic_reporter.state.folder import StateFolder
from restic_reporter.state.keeper import StateKeeper
from tests.doubles.collector_case import CollectorCase
from tests.doubles.repositories import NOW
from tests.doubles.threaded_clock import ThreadedClock


class KeeperCase(CollectorCase):
    """A collector whose reads are remembered, and its restarts."""

    def make(self, concurrency: int) -> None:
        """Make collector and keeper, as a process does at its start."""
        self.clock: ThreadedClock = ThreadedClock()
        self.path = Path(self.mktemp())
        self.begun = False
        self.restart()
        self.addCleanup(self.end)

    def restart(self, later: float = 0.0, look_after: float = 3600.0) -> None:
        """End the process, and start another that much later, with the same config."""
        tasks = self.collector._tasks if self.begun else {}
        if self.begun:
            self.end()
        self.begun = True
        self.clock.advance(later)
        self.folder = StateFolder(self.path)
        self.keeper = StateKeeper(
            self.clock, self.now, self.folder, CollectionState(), look_after=look_after
        )
        self.collector = Collector(
            self.clock,
            self.now,
            8,
            self.keeper._state,
            self.keeper.save,
            restore=self.keeper.restore,
        )
        self.collector.set_tasks(tasks)

    def now(self) -> float:
        """The wall clock."""
        return NOW + self.clock.seconds()

    def end(self) -> None:
        """Stop all."""
        self.clock.settle(Deferred.fromCoroutine(self.collector.stop()))
        self.clock.settle(Deferred.fromCoroutine(self.keeper.stop()))

    def restored(self) -> bool:
        """Restore; whether all repositories were."""
        work = Deferred.fromCoroutine(self.collector.restore())
        self.clock.settle(work)
        return self.successResultOf(work)

    def collect(self, labels: set[str] | None = None, complete: bool = True) -> None:
        """A whole collection, and what the daemon does at its end."""
        work = self.collector.collect(labels, complete)
        self.clock.settle(work)
        self.assertIsNone(self.successResultOf(work))
        self.keeper.save_job()

    def write(self, after: float = 0.5) -> None:
        """Let what is pending be written."""
        self.clock.advance(after)
        self.clock.until(lambda: self.keeper._writing is None)
