"""One repository on a host with ssh."""

import posixpath
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen
from twisted.internet.defer import Deferred, FirstError, gatherResults
from zope.interface import implementer

from ...concurrency.deadline import Deadline
from ...interfaces import BackendTools, IBackend, IMeasurable
from ...model.errors import ReadError, Reason
from ...model.repository import Repository
from ...model.snapshots import Listing, Meter
from ...model.upkeep import Size
from ...restic_format.file_hash import check_content
from ..pack_sum import PACK_FOLDERS, PackSum
from .login import Login
from .protocol import Attributes, SFTPClient
from .requests import Folder, list_folder, look_at, read_file, read_folder
from .settings import SFTPSettings

_MISSING = Folder({}, 0)


@implementer(IBackend, IMeasurable)
@frozen
class SFTPBackend:
    """The repository in the folder ``root``, seen through the session of ``login``."""

    login: Login = field(repr=False)
    root: str
    concurrent_loads: int = 8

    @classmethod
    def make(cls, repository: Repository, tools: BackendTools) -> "SFTPBackend":
        """Return the backend for ``repository``, whose scheme is ``sftp``."""
        settings = repository.settings
        assert isinstance(settings, SFTPSettings)
        login = Login.shared(settings.words, dict(settings.ssh_environment), tools)
        return cls(login, settings.place.path)

    async def list(self, deadline: Deadline, meter: Meter) -> Listing:
        """List the names in ``keys/``, ``locks/`` and ``snapshots/``, side by side."""
        meter.count_request("list")
        return await self.login.use(deadline, meter, lambda client: self._list(client, meter))

    async def list_keys(self, deadline: Deadline, meter: Meter) -> frozenset[str]:
        """List the names in ``keys/``."""
        meter.count_request("list")

        async def work(client: SFTPClient) -> frozenset[str]:
            folder = await list_folder(client, self._path("keys"))
            meter.count_bytes("list", folder.size)
            return folder.names

        return await self.login.use(deadline, meter, work)

    async def load(self, path: str, limit: int, deadline: Deadline, meter: Meter) -> bytes:
        """Load one file of the repository."""
        meter.count_request("load")
        content = await self.login.use(
            deadline, meter, lambda client: read_file(client, self._path(path), limit)
        )
        meter.count_bytes("load", len(content))
        return check_content(path, content)

    async def measure(self, deadline: Deadline, meter: Meter) -> Size:
        """Sum up the packs, folder by folder."""
        return await self.login.use(deadline, meter, lambda client: self._measure(client, meter))

    async def _measure(self, client: SFTPClient, meter: Meter) -> Size:
        packs = PackSum()

        def take(name: str, attributes: Attributes) -> None:
            packs.add(name, attributes.size)

        for folder in PACK_FOLDERS:
            meter.count_request("list")
            try:
                meter.count_bytes("list", await read_folder(client, self._path(folder), take))
            except ReadError as error:
                if error.reason is not Reason.NOT_FOUND:
                    raise
        if not packs.packs:
            await look_at(client, self._path("config"))
        return packs.size()

    async def _list(self, client: SFTPClient, meter: Meter) -> Listing:
        work = [
            Deferred.fromCoroutine(one)
            for one in (
                look_at(client, self._path("config")),
                list_folder(client, self._path("keys")),
                self._list_or_empty(client, "snapshots"),
                self._list_locks(client),
            )
        ]
        config, keys, snapshots, locks = await _together(work)
        if snapshots is _MISSING or locks is _MISSING:
            # It may just have been unmounted.
            await look_at(client, self._path("config"))
        locks_error = locks if isinstance(locks, ReadError) else None
        folders = [keys, snapshots] if locks_error else [keys, snapshots, locks]
        meter.count_bytes("list", sum(one.size for one in folders))
        times = None if locks_error else _known_times(locks)
        return Listing(
            snapshots.names,
            None if locks_error else locks.names,
            keys.names,
            config=_token(config),
            locks_error=locks_error,
            lock_times=None if times is None else tuple(sorted(times.values())),
            key_times=_known_times(keys),
            stored_times=snapshots.times_of,
        )

    async def _list_or_empty(self, client: SFTPClient, name: str) -> Folder:
        try:
            return await list_folder(client, self._path(name))
        except ReadError as error:
            if error.reason is not Reason.NOT_FOUND:
                raise
            return _MISSING

    async def _list_locks(self, client: SFTPClient) -> Folder | ReadError:
        try:
            return await self._list_or_empty(client, "locks")
        except ReadError as error:
            return error

    def _path(self, path: str) -> str:
        return posixpath.join(self.root, path)


async def _together(work: "list[Deferred[Any]]") -> list[Any]:
    """Return all results; at the first error, cancel the rest."""
    try:
        return await gatherResults(work, consumeErrors=True)
    except FirstError as error:
        for one in work:
            one.cancel()
        error.subFailure.raiseException()


def _known_times(folder: Folder) -> Mapping[str, float] | None:
    """Return the times of all files; ``None`` if the server does not tell them."""
    times = {name: float(time) for name, time in folder.times.items() if time is not None}
    return times if len(times) == len(folder.times) else None


def _token(config: Attributes) -> tuple[int | None, int | None] | None:
    """Return a value that changes with the config file."""
    token = config.size, config.mtime
    return None if token == (None, None) else token
