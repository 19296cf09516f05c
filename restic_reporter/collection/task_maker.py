"""A config to tasks: which backend and which reader serve each repository."""

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import NoReturn

from attrs import evolve, frozen
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..concurrency.cooperative import at_once, in_turns
from ..concurrency.deadline import Deadline
from ..config.document import Problems
from ..interfaces import BackendTools, IBackend, IBackendMaker, ISnapshotReader
from ..model.errors import ReadError, Reason
from ..model.repository import Config, Repository
from ..model.schemes import RESTIC_SCHEMES
from ..model.settings import BrokenSettings
from ..model.snapshots import Meter
from ..plugin.discovery import BrokenPlugin
from ..plugin.makers import in_one_line
from ..redaction.masks import redact
from ..secret_stores.lookup import Lookups
from .reader_choice import Readers
from .state import Task

_log = Logger()


@implementer(IBackend)
@frozen
class BrokenBackend:
    """Stands in for one that a plugin failed to give us: its repository fails, no other."""

    problem: str
    concurrent_loads: int = 1

    async def list(self, deadline: Deadline, meter: Meter) -> NoReturn:
        """Always fails."""
        raise ReadError(Reason.INTERNAL, self.problem)

    async def list_keys(self, deadline: Deadline, meter: Meter) -> NoReturn:
        """Always fails."""
        raise ReadError(Reason.INTERNAL, self.problem)

    async def load(self, path: str, limit: int, deadline: Deadline, meter: Meter) -> NoReturn:
        """Always fails."""
        raise ReadError(Reason.INTERNAL, self.problem)


@frozen
class TaskMaker:
    """
    Makes the tasks of one config.

    ``makers`` are by scheme. ``timeout`` (seconds) is for repositories that have none of their
    own. ``broken`` are plugins that may have served the schemes that nobody serves.
    ``lookups`` has the secrets of the config; ``completed`` is told of each repository whose
    secrets have been looked up.
    """

    makers: Mapping[str, IBackendMaker]
    tools: BackendTools
    readers: Readers
    timeout: float
    lookups: Lookups
    broken: Sequence[BrokenPlugin] = ()
    completed: Callable[[Repository], object] = lambda _: None

    def renewed(self) -> "TaskMaker":
        """The task maker for another config, which shares nothing with the one before."""
        return evolve(self, lookups=self.lookups.renewed(), tools=evolve(self.tools, shared={}))

    def tasks(self, config: Config) -> dict[str, Task]:
        """
        One task for each enabled repository, by label.

        :raises ConfigError: backends refuse their repositories, or no reader can read them.
        """
        return at_once(self._steps(config))

    def warnings(self, tasks: Mapping[str, Task]) -> list[str]:
        """What is allowed but worth a look: sentences."""
        needed = any(task.reader is self.readers.restic for task in tasks.values())
        return self.readers.warnings() if needed else []

    async def tasks_in_turns(self, config: Config) -> dict[str, Task]:
        """The same, while others have their turns: ten thousand take their time."""
        return await in_turns(self.tools.reactor, self._steps(config))

    def _steps(self, config: Config) -> Generator[None, None, dict[str, Task]]:
        problems = Problems()
        tasks = {}
        for repository in config.repositories:
            yield
            where = f"entry {repository.position}"
            try:
                reader = self.readers.reader_of(repository, self.makers.get(repository.scheme))
            except ValueError as error:
                problems.add(f"{where}: reader: {error}")
                continue
            try:
                tasks[repository.url] = self._task(repository, reader)
            except ValueError as error:
                problems.add(f"{where}: repo: {redact(str(error), repository.secrets())}")
        problems.raise_any(config.name)
        return tasks

    def _task(self, repository: Repository, reader: ISnapshotReader) -> Task:
        maker = self.makers.get(repository.scheme)
        timeout = repository.timeout or self.timeout
        name = repository.scheme if maker is None else maker.name
        backend: IBackend | None = None
        if maker is not None and not repository.materials:
            backend = _made(maker, repository, self.tools)
        elif maker is None:
            backend = self._without_maker(repository.scheme)
        return Task(repository, name, backend, reader, timeout)

    async def complete(self, tasks: Sequence[Task]) -> Sequence[Task | ReadError]:
        """``tasks`` with the secrets that they lack, or why they cannot be had."""
        outcomes = await self.lookups.complete(one.repository for one in tasks)
        steps = self._completing(tasks, outcomes)
        return await in_turns(self.tools.reactor, steps)

    def _completing(
        self, tasks: Sequence[Task], outcomes: Sequence[Repository | ReadError]
    ) -> Generator[None, None, list[Task | ReadError]]:
        result: list[Task | ReadError] = []
        for task, outcome in zip(tasks, outcomes, strict=True):
            yield
            where = f"entry {task.repository.position}"
            if isinstance(outcome, ReadError):
                result.append(ReadError(outcome.reason, f"{where}: {outcome.message}"))
                continue
            self.completed(outcome)
            try:
                result.append(self._task(outcome, task.reader))
            except ValueError as error:
                problem = redact(str(error), outcome.secrets())
                result.append(ReadError(Reason.SECRET, f"{where}: repo: {problem}"))
        return result

    def _without_maker(self, scheme: str) -> IBackend | None:
        if scheme in RESTIC_SCHEMES:
            return None
        plugins = "; ".join(map(str, self.broken))
        return BrokenBackend(f"unknown scheme {scheme!r}, or its plugin is broken: {plugins}")


def _made(maker: IBackendMaker, repository: Repository, tools: BackendTools) -> IBackend:
    """
    The backend of ``repository``, or what stands in for it.

    :raises ValueError: the maker refuses the repository.
    """
    name = maker.name
    if isinstance(repository.settings, BrokenSettings):
        return BrokenBackend(repository.settings.problem)
    try:
        backend = maker.make(repository, tools)
    except ValueError:
        raise
    except Exception as error:
        # Not as a failure event: nobody knows what a plugin puts into its exceptions.
        _log.error(
            "cannot create the backend {name!r} for {url}\n{traceback}",
            name=name,
            url=repository.url,
            traceback=redact(Failure().getTraceback(), repository.secrets()),
        )
        return BrokenBackend(f"cannot create the backend {name!r}: {in_one_line(error)}")
    if not IBackend.providedBy(backend):
        return BrokenBackend(
            f"cannot create the backend {name!r}: {type(backend).__name__!r} is not an IBackend"
        )
    return backend
