"""A config to tasks: which backend and which reader serve each repository."""

from collections.abc import Mapping
from typing import NoReturn

from attrs import evolve, frozen
from twisted.logger import Logger
from zope.interface import implementer

from .config import Config, ConfigError, Repository
from .deadline import Deadline
from .errors import ReadError, Reason
from .interfaces import BackendTools, IBackend, IBackendMaker, ISnapshotReader
from .model import Meter
from .reading import Task
from .secret import redact

_log = Logger()


@implementer(IBackend)
@frozen
class BrokenBackend:
    """Stands in for a backend that a plugin failed to make: its repository fails, no other."""

    problem: str

    async def list(self, deadline: Deadline, meter: Meter) -> NoReturn:
        """Always fails."""
        raise ReadError(Reason.INTERNAL, self.problem)

    async def load(self, path: str, limit: int, deadline: Deadline, meter: Meter) -> NoReturn:
        """Always fails."""
        raise ReadError(Reason.INTERNAL, self.problem)


@frozen
class TaskMaker:
    """
    Makes the tasks of a config.

    ``makers`` are by scheme. ``reader`` reads every repository; ``timeout`` (seconds) is
    for those that have none of their own.
    """

    makers: Mapping[str, IBackendMaker]
    tools: BackendTools
    reader: ISnapshotReader
    timeout: float

    def tasks(self, config: Config) -> dict[str, Task]:
        """
        One task for each enabled repository, by label.

        :raises ConfigError: backends refuse their repositories.
        """
        problems: list[str] = []
        tasks = {}
        tools = evolve(self.tools, shared={})
        for repository in config.repositories:
            try:
                tasks[repository.url] = self._task(repository, tools)
            except ValueError as error:
                problem = redact(str(error), repository.secrets())
                problems.append(f"{config.name}: entry {repository.position}: repo: {problem}")
        if problems:
            raise ConfigError(problems)
        return tasks

    def _task(self, repository: Repository, tools: BackendTools) -> Task:
        maker = self.makers.get(repository.scheme)
        backend: IBackend | None = None
        name = repository.scheme
        if maker is not None:
            name = maker.name
            try:
                backend = maker.make(repository, tools)
            except ValueError:
                raise
            except Exception as error:
                _log.failure("the backend {name!r} cannot be made", name=name)
                backend = BrokenBackend(f"the backend {name!r} cannot be made: {error!r}")
        return Task(repository, name, backend, self.reader, repository.timeout or self.timeout)
