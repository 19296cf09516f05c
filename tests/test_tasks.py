"""Tests of `restic_reporter.tasks`."""

from collections.abc import Callable

from attrs import define, evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.plugin import IPlugin
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from restic_reporter.config import Config, ConfigError, Repository
from restic_reporter.deadline import Deadline
from restic_reporter.errors import ReadError, Reason
from restic_reporter.interfaces import BackendTools, IBackend, IBackendMaker
from restic_reporter.model import Meter
from restic_reporter.tasks import BrokenBackend, TaskMaker

from .repositories import MemoryBackend, MemoryReader, Storage, no_tools, repository


@implementer(IPlugin, IBackendMaker)
@define
class Maker:
    """Makes what it is told to make."""

    call: Callable[[Repository], IBackend]
    name: str = "memory"
    schemes: tuple[str, ...] = ("local",)

    def make(self, repository: Repository, tools: BackendTools) -> IBackend:
        """The backend of a repository."""
        return self.call(repository)


def refuse(repository: Repository) -> IBackend:
    """A plugin that wants another repository, and says so with a secret in it."""
    raise ValueError(f"cannot serve {repository.location.reveal()}")


def break_down(repository: Repository) -> IBackend:
    """A plugin with a bug."""
    raise ZeroDivisionError("bug")


class TaskMakerTests(SynchronousTestCase):
    """`TaskMaker`."""

    def setUp(self) -> None:
        self.backend = MemoryBackend(Storage())
        self.reader = MemoryReader(Storage())

    def make(self, call: Callable[[Repository], IBackend]) -> TaskMaker:
        """A task maker whose backend for local repositories is made by ``call``."""
        maker = Maker(call)
        self.assertTrue(verifyObject(IBackendMaker, maker))
        tools = no_tools()
        return TaskMaker({"local": maker}, tools, self.reader, 300.0)

    def test_tasks(self) -> None:
        """Each repository gets its backend, the reader, and its own or the common timeout."""
        slow = evolve(repository("/q"), timeout=7.0)
        tasks = self.make(lambda _: self.backend).tasks(Config((repository(), slow)))
        self.assertEqual(list(tasks), ["/p", "/q"])
        task = tasks["/p"]
        self.assertIs(task.backend, self.backend)
        self.assertIs(task.reader, self.reader)
        self.assertEqual((task.backend_name, task.timeout), ("memory", 300))
        self.assertEqual(tasks["/q"].timeout, 7)

    def test_without_backend(self) -> None:
        """A repository of a scheme that nobody lists is the reader's alone."""
        one = evolve(repository("sftp:h:p"), scheme="sftp")
        task = self.make(lambda _: self.backend).tasks(Config((one,)))["sftp:h:p"]
        self.assertIsNone(task.backend)
        self.assertEqual(task.backend_name, "sftp")

    def test_refused(self) -> None:
        """What backends refuse is told in one go, with file and entries, without secrets."""
        config = Config((repository("/p", position=2), repository("/q", position=5)), name="c.json")
        error = self.assertRaises(ConfigError, self.make(refuse).tasks, config)
        self.assertEqual(
            error.problems,
            (
                "c.json: entry 2: repo: cannot serve ***",
                "c.json: entry 5: repo: cannot serve ***",
            ),
        )

    def test_bug_in_a_maker(self) -> None:
        """A maker with a bug fails its repositories' reads, and no one else's config."""
        task = self.make(break_down).tasks(Config((repository(),)))["/p"]
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        assert task.backend is not None
        self.assertTrue(verifyObject(IBackend, task.backend))
        self.assertIsInstance(task.backend, BrokenBackend)
        listing = task.backend.list(Deadline.after(Clock(), 5), Meter())
        error = self.failureResultOf(
            Deferred.fromCoroutine(listing),  # type: ignore[arg-type]
            ReadError,
        ).value
        self.assertEqual(error.reason, Reason.INTERNAL)
        self.assertIn("'memory' cannot be made: ZeroDivisionError('bug')", error.message)
