"""A backend with a repository in memory."""

from collections.abc import Awaitable, Callable, Collection, Mapping

from attrs import Factory, define
from zope.interface import implementer

from ..concurrency.deadline import Deadline, within
from ..interfaces import IBackend, IMeasurable
from ..model.errors import ReadError, Reason
from ..model.snapshots import Listing, Meter
from ..model.upkeep import Size
from ..redaction.secret import Secret
from ..restic_format.file_hash import check_content
from ..restic_format.file_names import is_file_name


@implementer(IBackend, IMeasurable)
@define
class MemoryBackend:
    """
    Has ``files`` by path; without a file ``config`` the repository is missing.

    ``failures`` are raised instead of a result, by the path of a file or folder (like
    ``snapshots/``); that of ``locks/`` becomes the listing's ``locks_error``. ``waiting`` is
    awaited before each result, with the requested path, ``snapshots/`` for a listing.

    ``listings`` counts the listings, ``loads`` are the requested files, ``asked_times`` the
    snapshots whose `Listing.stored_times` were requested; ``at_once`` and
    ``most_at_once`` are the current and the highest number of parallel calls of ``load``.
    """

    files: dict[str, bytes] = Factory(dict)
    failures: dict[str, Exception] = Factory(dict)
    waiting: Callable[[str], Awaitable[object]] | None = None
    shows_keys: bool = False
    location: Secret | None = None
    lock_times: tuple[float, ...] | None = None
    key_times: Mapping[str, float] | None = None
    stored_times: Mapping[str, float] | None = None
    concurrent_loads: int = 1
    listings: int = 0
    loads: list[str] = Factory(list)
    asked_times: list[str] = Factory(list)
    at_once: int = 0
    most_at_once: int = 0

    def names(self, folder: str) -> frozenset[str]:
        """Return the valid file names in a folder like ``snapshots``."""
        start = f"{folder}/"
        names = (path.removeprefix(start) for path in self.files if path.startswith(start))
        return frozenset(filter(is_file_name, names))

    async def list(self, deadline: Deadline, meter: Meter) -> Listing:
        """List the current files."""
        self.listings += 1
        meter.count_request("list")
        await self._answer("snapshots/", deadline)
        self._check_there()
        locks_error = self.failures.get("locks/")
        if locks_error is not None and not isinstance(locks_error, ReadError):
            raise locks_error
        return Listing(
            self.names("snapshots"),
            self.names("locks") if locks_error is None else None,
            self.names("keys") if self.shows_keys else None,
            self.location,
            locks_error=locks_error,
            lock_times=self.lock_times,
            key_times=self.key_times,
            stored_times=None if self.stored_times is None else self._stored_times,
        )

    async def _stored_times(self, names: Collection[str]) -> Mapping[str, float]:
        self.asked_times += sorted(names)
        times = self.stored_times or {}
        return {name: times[name] for name in names if name in times}

    async def list_keys(self, deadline: Deadline, meter: Meter) -> frozenset[str]:
        """Return the current keys."""
        meter.count_request("list")
        await self._answer("keys/", deadline)
        self._check_there()
        return self.names("keys")

    async def load(self, path: str, limit: int, deadline: Deadline, meter: Meter) -> bytes:
        """Return the content of a file."""
        self.loads.append(path)
        meter.count_request("load")
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self._answer(path, deadline)
        finally:
            self.at_once -= 1
        if path not in self.files:
            raise ReadError(Reason.NOT_FOUND, f"{path}: not found")
        content = self.files[path]
        if len(content) > limit:
            raise ReadError(Reason.TOO_LARGE, f"{path}: more than {limit} bytes")
        meter.count_bytes("load", len(content))
        return check_content(path, content)

    async def measure(self, deadline: Deadline, meter: Meter) -> Size:
        """Sum up the packs."""
        meter.count_request("list")
        await self._answer("data/", deadline)
        self._check_there()
        packs = [
            content
            for path, content in self.files.items()
            if path.startswith("data/") and is_file_name(path.rpartition("/")[2])
        ]
        return Size(sum(map(len, packs)), len(packs))

    async def _answer(self, path: str, deadline: Deadline) -> None:
        """Wait and fail as configured."""
        await self._wait(path, deadline)
        if path in self.failures:
            raise self.failures[path]

    async def _wait(self, path: str, deadline: Deadline) -> None:
        waiting = self.waiting
        if waiting is not None:

            async def wait() -> None:
                await waiting(path)

            await within(deadline, wait(), f"request for {path}")

    def _check_there(self) -> None:
        if "config" not in self.files:
            raise ReadError(Reason.NOT_FOUND, "config: not found")
