"""What the tests of reading one repository share."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.collection.read_repository import read_repository
from restic_reporter.collection.state import Reading, RepositoryStatus
from restic_reporter.concurrency.deadline import Deadline
from restic_reporter.model.errors import ReadError
from tests.doubles.repositories import NOW, World


class ReadingTestCase(SynchronousTestCase):
    """A repository in memory, and its reads."""

    def setUp(self) -> None:
        self.world = World.make(snapshots=3)
        self.status = RepositoryStatus(self.world.task)
        self.clock = Clock()

    def start(self, now: float = NOW) -> "Deferred[Reading]":
        """Begin a read."""
        deadline = Deadline.after(self.clock, 300)
        return Deferred.fromCoroutine(
            read_repository(self.status.task, self.status, now, self.clock, deadline)
        )

    def read(self, now: float = NOW) -> Reading:
        """A good read, noted as the collection notes it."""
        reading = self.successResultOf(self.start(now))
        self.status.content = reading.content
        self.status.fingerprint = reading.fingerprint
        self.status.access = reading.access
        self.status.keys = reading.keys
        self.status.locks = reading.locks
        return reading

    def failed(self) -> ReadError:
        """The error of a read that fails."""
        error = self.failureResultOf(self.start(), ReadError).value
        assert isinstance(error, ReadError)
        return error

    def without_backend(self) -> None:
        """Go on with a repository that only its reader sees."""
        self.world = World.make(snapshots=3, listed=False)
        self.status = RepositoryStatus(self.world.task)
