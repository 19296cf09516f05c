"""Tests of `restic_reporter.collection.task_maker`."""

from collections.abc import Callable
from typing import Any

from attrs import define, evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.plugin import IPlugin
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from restic_reporter.collection.reader_choice import Readers
from restic_reporter.collection.state import Task
from restic_reporter.collection.task_maker import BrokenBackend, TaskMaker
from restic_reporter.concurrency import cooperative
from restic_reporter.concurrency.deadline import Deadline
from restic_reporter.interfaces import BackendTools, IBackend, IBackendMaker
from restic_reporter.model.errors import ConfigError, ReadError, Reason
from restic_reporter.model.repository import Config, Repository
from restic_reporter.model.settings import BackendSettings, Key, OwnKeys
from restic_reporter.model.snapshots import Meter
from restic_reporter.model.upkeep import Check, Upkeep
from restic_reporter.plugin.discovery import BrokenPlugin
from restic_reporter.schedule.cron import parse_cron
from restic_reporter.secret_stores.lookup import Lookups
from restic_reporter.testing import MemoryBackend, MemoryReader
from tests.doubles.repositories import no_tools, repository


@implementer(IPlugin, IBackendMaker)
@define
class Maker:
    """Makes what it is told to make."""

    call: Callable[[Repository], IBackend]
    name: str = "memory"
    schemes: tuple[str, ...] = ("local",)
    locates: bool = False
    keys: tuple[Key, ...] = ()

    def configure(self, own: OwnKeys) -> BackendSettings:
        """Nothing of its own."""
        return BackendSettings()

    def make(self, repository: Repository, tools: BackendTools) -> IBackend:
        """The backend of a repository."""
        return self.call(repository)


def refuse(repository: Repository) -> IBackend:
    """A plugin that wants another repository, and says so with a secret in it."""
    raise ValueError(f"cannot serve {repository.location.reveal()}")


def break_down(repository: Repository) -> IBackend:
    """A plugin with a bug."""
    raise ZeroDivisionError(f"bug with {repository.location.reveal()}")


class TaskMakerTests(SynchronousTestCase):
    """`TaskMaker`."""

    def setUp(self) -> None:
        # The clock stands still, so a busy machine must not cause a pause.
        self.patch(cooperative, "TURN", float("inf"))
        self.backend = MemoryBackend()
        self.reader = MemoryReader()
        self.native = MemoryReader(name="native")

    def make(self, call: Callable[[Repository], IBackend], **options: Any) -> TaskMaker:
        """A task maker whose backend, by default for local repositories, is made by ``call``."""
        maker = Maker(call, **options)
        self.assertTrue(verifyObject(IBackendMaker, maker))
        makers = dict.fromkeys(maker.schemes, maker)
        broken = (BrokenPlugin("a_dropin", "SyntaxError: bug"),)
        readers = Readers(self.reader, self.native, "auto", lambda: True)
        return TaskMaker(makers, no_tools(), readers, 300.0, Lookups(Clock(), {}, {}), broken)

    def problem(self, maker: TaskMaker, repository: Repository) -> str:
        """Why each look at a repository fails, where something in a plugin is broken."""
        backend = maker.tasks(Config((repository,)))[repository.url].backend
        assert isinstance(backend, BrokenBackend)
        self.assertTrue(verifyObject(IBackend, backend))
        deadline, meter = Deadline.after(Clock(), 5), Meter()
        messages = set()
        for call in (
            backend.list(deadline, meter),
            backend.list_keys(deadline, meter),
            backend.load("config", 9, deadline, meter),
        ):
            looking: Any = Deferred.fromCoroutine(call)
            error = self.failureResultOf(looking, ReadError).value
            self.assertEqual(error.reason, Reason.INTERNAL)
            messages.add(error.message)
        (message,) = messages
        return str(message)

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

    def test_complete(self) -> None:
        """A task is completed with a backend of its own, beside the one in use."""
        maker = self.make(lambda _: MemoryBackend())
        (task,) = maker.tasks(Config((repository(),))).values()
        (other,) = self.successResultOf(Deferred.fromCoroutine(maker.complete([task])))
        assert isinstance(other, Task)
        self.assertEqual(other.repository, task.repository)
        self.assertIsNot(other.backend, task.backend)

    def test_checks_need_restic(self) -> None:
        """Without restic, a check is a reason for a warning."""
        self.reader.name = "restic"
        checked = evolve(repository(), upkeep=Upkeep(Check(parse_cron("0 3 * * *"))))
        for entry, count in ((repository(), 0), (checked, 1)):
            maker = self.make(lambda _: self.backend)
            maker = evolve(maker, readers=evolve(maker.readers, has_restic=lambda: False))
            tasks = maker.tasks(Config((entry,)))
            self.assertIs(tasks[entry.url].reader, self.native)
            self.assertEqual(len(maker.warnings(tasks)), count)

    def test_without_backend(self) -> None:
        """A repository of a scheme that nobody lists is the reader's alone."""
        one = evolve(repository("sftp:h:p"), scheme="sftp")
        task = self.make(lambda _: self.backend).tasks(Config((one,)))["sftp:h:p"]
        self.assertIsNone(task.backend)
        self.assertEqual(task.backend_name, "sftp")

    def test_only_restic(self) -> None:
        """A repository that only restic can read gets no backend; a warning counts those alike."""
        role = BackendSettings(restic_only="a role")
        config = Config(
            (
                repository(),
                *(evolve(repository(url), settings=role) for url in ("/q", "/r")),
            )
        )
        maker = self.make(lambda _: self.backend)
        tasks = maker.tasks(config)
        self.assertEqual([one.backend for one in tasks.values()], [self.backend, None, None])
        self.assertEqual({one.reader.name for one in tasks.values()}, {self.reader.name})
        self.assertEqual(maker.warnings(tasks), ["2 repositories read by restic alone: a role"])

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
        with capturedLogs() as events:
            problem = self.problem(self.make(break_down), repository())
        self.assertEqual(
            problem, "cannot create the backend 'memory': ZeroDivisionError: bug with local:/p"
        )
        (text,) = map(formatEvent, events)
        self.assertIn("cannot create the backend 'memory' for /p\nTraceback", text)
        self.assertIn("ZeroDivisionError: bug with ***", text)
        self.assertNotIn("local:/p", text)

    def test_no_backend_made(self) -> None:
        """A maker that gives something else is broken too."""
        maker = self.make(lambda _: "not one")  # type: ignore[arg-type,return-value]
        self.assertIn(
            "cannot create the backend 'memory': 'str' is not an IBackend",
            self.problem(maker, repository()),
        )

    def test_restic_is_missing(self) -> None:
        """Where a repository needs restic and there is none, a warning names the program."""
        for has_restic, reader, warned in (
            (False, "restic", True),
            (False, "native", False),
            (True, "restic", False),
        ):
            readers = Readers(
                self.reader,
                self.native,
                reader,
                lambda has=has_restic: has,  # type: ignore[misc]
                program="nosuch",
            )
            maker = evolve(self.make(lambda _: self.backend), readers=readers)
            found = maker.warnings(maker.tasks(Config((repository(),))))
            warning = "cannot find the program 'nosuch'; repositories that need it will fail"
            self.assertEqual(found, [warning] if warned else [], (has_restic, reader))

    def test_readers(self) -> None:
        """Each repository gets the reader that can read it; where there is none, it is refused."""
        one = evolve(repository("x:y"), scheme="x")
        maker = self.make(lambda _: self.backend, schemes=("x",))
        self.assertIs(maker.tasks(Config((one,)))["x:y"].reader, self.native)
        maker = self.make(lambda _: self.backend, schemes=("x",), locates=True)
        self.assertIs(maker.tasks(Config((one,)))["x:y"].reader, self.reader)
        config = Config((evolve(repository(position=3), scheme="s3", reader="native"),))
        error = self.assertRaises(ConfigError, maker.tasks, config)
        self.assertEqual(
            error.problems,
            ("config: entry 3: reader: 'native' does not support 's3'; use 'restic' or 'auto'",),
        )

    def test_scheme_that_nobody_serves(self) -> None:
        """A scheme that a broken plugin may have served fails, and tells which are broken."""
        one = evolve(repository("x:y"), scheme="x")
        self.assertEqual(
            self.problem(self.make(lambda _: self.backend), one),
            "unknown scheme 'x', or its plugin is broken:"
            " a_dropin cannot be used: SyntaxError: bug",
        )
