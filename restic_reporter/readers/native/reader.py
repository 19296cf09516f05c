"""The reader that decrypts the repository itself, and reads each snapshot file once."""

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import DeferredSemaphore
from twisted.logger import Logger
from zope.interface import implementer

from ...concurrency.cpu_threads import WorkerThreads
from ...interfaces import ISnapshotReader, ReadRequest, ReadResult
from ...model.access import Access
from ...model.errors import ReadError, Reason
from ...model.snapshots import Listing, Snapshot
from ..access import look_at_access
from ..cache import SnapshotCache
from ..password import encoded, password_of
from .downloads import Fetched, Fetching, RepositoryFiles
from .locks import KnownLocks
from .snapshot_files import CONTENT_LIMIT, FILE_LIMIT, Decoded, decode
from .unlock import Attempts, Opened, Opening

# A few small files are decrypted on the reactor, as a thread costs more. Each takes at most
# five milliseconds, decompression included.
_FEW = 8
_SMALL = 2**14
_SMALL_CONTENT = 2**12

# Larger files are fetched one at a time, to save memory.
_USUAL_FILE = 2**22

# Snapshots added to the table in one step.
_MANY = 5000

_SHOWN = 5


@define(eq=False)
class Kept:
    """
    State of a repository between two reads.

    ``token`` is of the access that opened it. ``failed`` is set if it could not be opened
    last time: then nothing is downloaded before it is open.
    """

    opened: Opened | None = None
    token: bytes | None = field(default=None, repr=False)
    attempts: Attempts = field(factory=Attempts)
    failed: bool = False
    locks: KnownLocks | None = None


@implementer(ISnapshotReader)
@frozen
class NativeReader:
    """
    Reads through a repository's backend, without restic.

    ``environ`` is the daemon's environment; ``workers`` derive keys and decrypt; ``cache``
    keeps encrypted files, ``None`` for no cache. ``large`` limits derivations that take much
    memory.
    """

    reactor: Any
    environ: Mapping[str, str] = field(repr=False)
    workers: WorkerThreads
    cache: SnapshotCache | None = None
    large: DeferredSemaphore = field(factory=lambda: DeferredSemaphore(1), init=False)
    name: str = field(default="native", init=False)
    incremental: bool = field(default=True, init=False)

    async def open(self, request: ReadRequest) -> None:
        """Derive the key, and decrypt the config with it."""
        await self._read_of(request).open()

    async def read(self, request: ReadRequest) -> ReadResult:
        """Fetch and decrypt the snapshots that are new."""
        return await self._read_of(request).read()

    def _read_of(self, request: ReadRequest) -> "_Read":
        if request.backend is None or request.listing is None:
            raise ReadError(Reason.INTERNAL, "native reader needs a backend")
        if not isinstance(request.memory.kept, Kept):
            request.memory.kept = Kept()
        files = RepositoryFiles(request, request.backend)
        return _Read(self, request, request.listing, files, request.memory.kept)


@define(eq=False)
class _Read:
    """One read of one repository."""

    _log = Logger()

    _reader: NativeReader
    _request: ReadRequest
    _listing: Listing
    _files: RepositoryFiles
    _kept: Kept
    _unreadable: dict[str, str] = field(factory=dict)
    _too_large: dict[str, str] = field(factory=dict)
    _found: list[Snapshot] = field(factory=list)
    _one_large: DeferredSemaphore = field(factory=lambda: DeferredSemaphore(1))

    async def open(self) -> None:
        request = self._request
        access = request.access or await look_at_access(
            self._files.backend, self._listing, request.deadline, request.meter
        )
        await self._open(access)

    async def read(self) -> ReadResult:
        kept, request = self._kept, self._request
        access = request.access
        if access is not None and access.token != kept.token:
            # The password may have changed: fail now rather than after a restart.
            kept.opened = None
        if kept.opened is None and access is None:
            access = await look_at_access(
                self._files.backend, self._listing, request.deadline, request.meter
            )
        if kept.opened is None or request.new:
            try:
                await self._read_new(list(request.new), access)
            finally:
                self._add_read()
        if request.gone and self._cache is not None and kept.opened is not None:
            await self._cache.remove(kept.opened.repository_id, request.gone, request.deadline)
        await self._read_locks()
        self._report_unreadable()
        return ReadResult(
            unreadable=frozenset(self._unreadable),
            locks=kept.locks.known() if kept.locks is not None else (),
            newest_key=kept.opened.newest_key if kept.opened is not None else None,
            version=kept.opened.version if kept.opened is not None else "",
        )

    @property
    def _cache(self) -> SnapshotCache | None:
        return self._reader.cache

    async def _read_new(self, new: list[str], access: Access | None) -> None:
        kept = self._kept
        fetching = Fetching(self._load_snapshot, self._files.parallel)
        # Download before the key is known only if it will probably work, so that a wrong
        # password does not cost all downloads each time. The cache needs the repository's id.
        ahead = kept.opened is None and not kept.failed and self._cache is None
        try:
            if ahead:
                fetching.start(new)
            if kept.opened is None and access is not None:
                await self._open(access)
            if not ahead:
                fetching.start(await self._read_cached(new))
            while some := await fetching.batch():
                await self._take_fetched(some)
        finally:
            fetching.stop()

    async def _load_snapshot(self, name: str) -> bytes:
        path = f"snapshots/{name}"
        try:
            return await self._files.load(path, _USUAL_FILE)
        except ReadError as error:
            if error.reason is not Reason.TOO_LARGE:
                raise
        async with self._one_large:
            return await self._files.load(path, FILE_LIMIT)

    async def _open(self, access: Access) -> None:
        kept, request, reader = self._kept, self._request, self._reader
        kept.opened, kept.locks, kept.failed = None, None, True
        deadline, repository = request.deadline, request.repository
        password = encoded(await password_of(repository, reader.reactor, reader.environ, deadline))
        opening = Opening(
            repository.url, self._files, reader.workers, reader.large, kept.attempts, password
        )
        opened = kept.opened = await opening.open(access, repository.key_hint)
        kept.failed, kept.token = False, access.token
        if self._cache is not None:
            await self._cache.keep_only(opened.repository_id, self._listing.snapshots, deadline)

    async def _read_cached(self, new: list[str]) -> list[str]:
        """Read those of ``new`` that are cached; return the others."""
        missing: list[str] = []
        while new and self._cache is not None and self._kept.opened is not None:
            found = await self._cache.load(
                self._kept.opened.repository_id, new, FILE_LIMIT, self._request.deadline
            )
            files = [(name, content) for name, content in found.items() if content is not None]
            await self._take(files)
            missing += [name for name, content in found.items() if content is None]
            new = new[len(found) :]
        return missing + new

    async def _take_fetched(self, some: list[Fetched]) -> None:
        files: list[tuple[str, bytes]] = []
        for name, content in some:
            if isinstance(content, bytes):
                files.append((name, content))
            else:
                self._note(name, content)
        good = await self._take(files)
        if good and self._cache is not None and self._kept.opened is not None:
            kept = {name: content for name, content in files if name in good}
            await self._cache.store(self._kept.opened.repository_id, kept, self._request.deadline)

    async def _take(self, files: Sequence[tuple[str, bytes]]) -> set[str]:
        """Decrypt some files; return the names of the good ones."""
        good = set()
        for name, outcome in await self._decode(files):
            if isinstance(outcome, ReadError):
                self._note(name, outcome)
            else:
                good.add(name)
                self._found.append(outcome)
        if len(self._found) >= _MANY:
            self._add_read()
        return good

    def _note(self, name: str, error: ReadError) -> None:
        # If it is missing, the next listing shows whether it was removed.
        if error.reason is not Reason.NOT_FOUND:
            flaws = self._too_large if error.reason is Reason.TOO_LARGE else self._unreadable
            flaws[name] = error.message

    async def _decode(self, files: Sequence[tuple[str, bytes]]) -> list[Decoded]:
        if self._kept.opened is None:
            return []
        master, outcomes = self._kept.opened.master, list[Decoded]()
        paths = self._request.table.shape.client_paths
        few = len(files) <= _FEW and sum(len(content) for _, content in files) <= _SMALL
        while len(outcomes) < len(files):
            rest = files[len(outcomes) :]
            if few:
                some = decode(rest, master, _SMALL_CONTENT, paths)
                errors = [one for _, one in some if isinstance(one, ReadError)]
                few = all(error.reason is not Reason.TOO_LARGE for error in errors)
                outcomes += some if few else ()
            else:
                # One short job at a time, so that other repositories get their turns.
                outcomes += await self._reader.workers.run(
                    decode, rest, master, CONTENT_LIMIT, paths
                )
        return outcomes

    def _add_read(self) -> None:
        """Add the snapshots read so far, even if the read fails later."""
        found, self._found = self._found, []
        if found:
            self._request.table.add(found, self._request.known)

    async def _read_locks(self) -> None:
        kept, listed = self._kept, self._listing.locks
        if not listed or kept.opened is None:
            kept.locks = None
            return
        if kept.locks is None:
            kept.locks = KnownLocks()
        await kept.locks.read(kept.locks.unread(listed), self._files, kept.opened.master)

    def _report_unreadable(self) -> None:
        flaws = {**self._unreadable, **self._too_large}
        for name, why in list(flaws.items())[:_SHOWN]:
            self._log.warn(
                "{url}: cannot read snapshot {name}: {why}",
                url=self._request.repository.url,
                name=name[:16],
                why=why,
            )
        if self._too_large:
            shown = ", ".join(sorted(name[:8] for name in self._too_large)[:_SHOWN])
            raise ReadError(
                Reason.TOO_LARGE, f"snapshots too large: {len(self._too_large)} ({shown})"
            )
