"""Makes tasks from a config: each repository with its backend and its reader."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from attrs import evolve, frozen
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..concurrency.cooperative import at_once, in_turns
from ..config.document import Problems
from ..interfaces import BackendTools, IBackend, IBackendMaker, ISnapshotReader
from ..model.columns import Steps
from ..model.errors import ReadError, Reason
from ..model.repository import Config, Repository
from ..model.schemes import RESTIC_SCHEMES
from ..model.settings import BrokenSettings
from ..plugin.discovery import BrokenPlugin
from ..plugin.makers import in_one_line
from ..redaction.masks import redact
from ..secret_stores.lookup import Lookups
from .outcomes import plural
from .reader_choice import Readers
from .state import Task

_log = Logger()


@implementer(IBackend)
@frozen
class BrokenBackend:
    """Replaces a backend that its plugin failed to create: only its repository fails."""

    problem: str
    concurrent_loads: int = 1

    async def list(self, *_: Any, **__: Any) -> NoReturn:
        """Raise the problem as ``internal``."""
        raise ReadError(Reason.INTERNAL, self.problem)

    list_keys = load = list


@frozen
class TaskMaker:
    """
    Makes the tasks of one config.

    ``makers`` are by scheme. ``timeout`` (seconds) is for repositories without their own.
    ``broken`` are plugins that may have served unknown schemes. ``lookups`` has the secrets of
    the config; ``completed`` is called with each repository whose secrets were looked up.
    """

    makers: Mapping[str, IBackendMaker]
    tools: BackendTools
    readers: Readers
    timeout: float
    lookups: Lookups
    broken: Sequence[BrokenPlugin] = ()
    completed: Callable[[Repository], object] = lambda _: None

    def renewed(self) -> "TaskMaker":
        """Return the same for another config, without shared secrets and backend state."""
        return evolve(self, lookups=self.lookups.renewed(), tools=evolve(self.tools, shared={}))

    def tasks(self, config: Config) -> dict[str, Task]:
        """
        Return one task for each enabled repository, by label.

        :raises ConfigError: backends refuse their repositories, or no reader supports them.
        """
        return at_once(self._tasks(config))

    async def tasks_in_turns(self, config: Config) -> dict[str, Task]:
        """Return the same in short steps: ten thousand tasks would block the reactor."""
        return await in_turns(self.tools.reactor, self._tasks(config))

    def warnings(self, tasks: Mapping[str, Task]) -> list[str]:
        """Return warnings about programs that ``tasks`` need."""
        needed = any(
            task.reader is self.readers.restic or task.repository.upkeep.check is not None
            for task in tasks.values()
        )
        return [*(self.readers.warnings() if needed else ()), *restic_only_warnings(tasks)]

    async def complete(self, tasks: Sequence[Task]) -> Sequence[Task | ReadError]:
        """Look up the secrets of ``tasks``; return each complete task or its error."""
        outcomes = await self.lookups.complete(one.repository for one in tasks)
        return await in_turns(self.tools.reactor, self._complete(tasks, outcomes))

    def _tasks(self, config: Config) -> Steps[dict[str, Task]]:
        problems = Problems()
        tasks = {}
        for repository in config.repositories:
            yield
            try:
                reader = self.readers.reader_of(repository, self.makers.get(repository.scheme))
                tasks[repository.url] = self._task(repository, reader)
            except ValueError as error:
                problems.add(f"entry {repository.position}: {error}")
        problems.raise_any(config.name)
        return tasks

    def _complete(
        self, tasks: Sequence[Task], outcomes: Sequence[Repository | ReadError]
    ) -> Steps[list[Task | ReadError]]:
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
                result.append(ReadError(Reason.SECRET, f"{where}: {error}"))
        return result

    def _task(self, repository: Repository, reader: ISnapshotReader) -> Task:
        scheme = repository.scheme
        maker = self.makers.get(scheme)
        backend: IBackend | None = None
        only = repository.settings.restic_only
        if maker is not None and not (repository.materials or only):
            backend = _make_backend(maker, repository, self.tools)
        elif maker is None and scheme not in RESTIC_SCHEMES:
            plugins = "; ".join(map(str, self.broken))
            backend = BrokenBackend(
                f"unknown scheme {scheme!r}, or its plugin is broken: {plugins}"
            )
        name = scheme if maker is None else maker.name
        return Task(repository, name, backend, reader, repository.timeout or self.timeout)


def restic_only_warnings(tasks: Mapping[str, Task]) -> list[str]:
    """Return a warning for each reason why repositories are read by restic alone."""
    reasons = Counter(task.repository.settings.restic_only for task in tasks.values())
    del reasons[""]
    return [
        f"{count} {plural('repository', count)} read by restic alone: {reason}"
        for reason, count in reasons.items()
    ]


def _make_backend(maker: IBackendMaker, repository: Repository, tools: BackendTools) -> IBackend:
    """
    Return the backend of ``repository``, or a `BrokenBackend`.

    :raises ValueError: the maker refuses the repository.
    """
    if isinstance(repository.settings, BrokenSettings):
        return BrokenBackend(repository.settings.problem)
    failed = f"cannot create the backend {maker.name!r}"
    try:
        backend = maker.make(repository, tools)
    except ValueError as error:
        raise ValueError(f"repo: {redact(str(error), repository.secrets())}") from None
    except Exception as error:
        # Not as a failure event: a plugin's exceptions may contain secrets.
        _log.error(
            "cannot create the backend {name!r} for {url}\n{traceback}",
            name=maker.name,
            url=repository.url,
            traceback=redact(Failure().getTraceback(), repository.secrets()),
        )
        return BrokenBackend(f"{failed}: {in_one_line(error)}")
    if not IBackend.providedBy(backend):
        return BrokenBackend(f"{failed}: {type(backend).__name__!r} is not an IBackend")
    return backend
