"""The cache for readers: runs off the reactor, and never makes a read fail."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from attrs import define, field
from twisted.logger import Logger

from ...concurrency.daemon_threads import in_daemon_thread
from ...concurrency.deadline import Deadline, within
from ...model.errors import ReadError
from .folder import CacheFolder, ForeignError

T = TypeVar("T")

# A disk that takes longer for a few files counts as hanging.
_DISK_TIMEOUT = 10.0

# The most files and bytes that one call loads.
_AT_ONCE = 128
_BUDGET = 16 * 2**20


@define(eq=False)
class SnapshotCache:
    """
    Encrypted snapshot files of all repositories, below the absolute path ``directory``.

    Logs each problem once; a failed call loads and stores nothing. While a call hangs, no
    other is made.
    """

    _log = Logger()

    _reactor: Any
    directory: str
    # The calls that have not returned, and whether each hangs.
    _calls: dict[object, bool] = field(factory=dict)
    _warned: set[str] = field(factory=set)

    async def load(
        self, repository: str, names: Sequence[str], limit: int, deadline: Deadline
    ) -> dict[str, bytes | None]:
        """
        Return the files ``names`` of the repository with this id; ``None`` for missing ones.

        May return only the first few of them, one at least: ask again for the rest. Each
        content matches its name and has at most ``limit`` bytes.
        """
        some = names[:_AT_ONCE]
        found = await self._call(deadline, self._folder().load, repository, some, limit, _BUDGET)
        return dict.fromkeys(some) if found is None else found

    async def store(self, repository: str, files: Mapping[str, bytes], deadline: Deadline) -> None:
        """Store some files."""
        await self._call(deadline, self._folder().store, repository, files)

    async def remove(self, repository: str, names: Collection[str], deadline: Deadline) -> None:
        """Remove the files ``names``."""
        await self._call(deadline, self._folder().remove, repository, names)

    async def keep_only(self, repository: str, names: Collection[str], deadline: Deadline) -> None:
        """Remove all files of a repository except ``names``."""
        await self._call(deadline, self._folder().keep_only, repository, names)

    def _folder(self) -> CacheFolder:
        return CacheFolder(self.directory)

    async def _call(
        self, deadline: Deadline, function: Callable[..., T], *arguments: object
    ) -> T | None:
        if any(self._calls.values()):
            return None
        call = object()

        def work() -> T:
            try:
                return function(*arguments)
            finally:
                self._reactor.callFromThread(self._calls.pop, call)

        async def in_thread() -> T:
            result = in_daemon_thread(self._reactor, work)
            self._calls[call] = False
            return await result

        try:
            return await within(deadline.sooner(_DISK_TIMEOUT), in_thread(), "the disk")
        except (OSError, ForeignError, RuntimeError) as error:
            self._warn(getattr(error, "strerror", None) or str(error))
        except ReadError as error:
            self._warn(error.message.partition(":")[0] + " does not respond")
        finally:
            if call in self._calls:
                self._calls[call] = True
        return None

    def _warn(self, problem: str) -> None:
        if problem not in self._warned:
            self._warned.add(problem)
            self._log.warn(
                "cannot use the cache in {directory!r}: {problem}",
                directory=self.directory,
                problem=problem,
            )
