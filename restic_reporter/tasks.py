"""A config to tasks: which backend and which reader serve each repository."""

from collections.abc import Mapping, Sequence
from typing import NoReturn

from attrs import evolve, frozen
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from .config import Config, ConfigError, Repository
from .config.location import RESTIC_SCHEMES
from .deadline import Deadline
from .errors import ReadError, Reason
from .installed import BrokenPlugin
from .interfaces import BackendTools, IBackend, IBackendMaker, ISnapshotReader
from .model import Meter
from .plugin import in_one_line
from .reading import Task
from .secret import redact

_log = Logger()


@implementer(IBackend)
@frozen
class BrokenBackend:
    """Stands in for one that a plugin failed to give us: its repository fails, no other."""

    problem: str

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
    Makes the tasks of a config.

    ``makers`` are by scheme. ``reader`` reads every repository; ``timeout`` (seconds) is
    for those that have none of their own. ``broken`` are plugins that may have served the
    schemes that nobody serves.
    """

    makers: Mapping[str, IBackendMaker]
    tools: BackendTools
    reader: ISnapshotReader
    timeout: float
    broken: Sequence[BrokenPlugin] = ()

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
        timeout = repository.timeout or self.timeout
        if maker is None:
            name, backend = repository.scheme, self._without_maker(repository.scheme)
        else:
            name, backend = maker.name, _made(maker, repository, tools)
        return Task(repository, name, backend, self.reader, timeout)

    def _without_maker(self, scheme: str) -> IBackend | None:
        if scheme in RESTIC_SCHEMES:
            return None
        plugins = "; ".join(map(str, self.broken))
        return BrokenBackend(f"no plugin that works serves the scheme {scheme!r}: {plugins}")


def _made(maker: IBackendMaker, repository: Repository, tools: BackendTools) -> IBackend:
    """
    The backend of ``repository``, or what stands in for it.

    :raises ValueError: the maker refuses the repository.
    """
    scheme, name = repository.scheme, maker.name
    if not maker.locates and scheme not in RESTIC_SCHEMES:
        return BrokenBackend(
            f"restic does not know the scheme {scheme!r}, and the backend {name!r} does not tell"
            " where restic finds the snapshots; this version has no other reader"
        )
    try:
        backend = maker.make(repository, tools)
    except ValueError:
        raise
    except Exception as error:
        # Not as a failure event: nobody knows what a plugin puts into its exceptions.
        _log.error(
            "the backend {name!r} cannot be made for {url}\n{traceback}",
            name=name,
            url=repository.url,
            traceback=redact(Failure().getTraceback(), repository.secrets()),
        )
        return BrokenBackend(f"the backend {name!r} cannot be made: {in_one_line(error)}")
    if not IBackend.providedBy(backend):
        return BrokenBackend(
            f"the backend {name!r} cannot be made: {type(backend).__name__!r} is no IBackend"
        )
    return backend
