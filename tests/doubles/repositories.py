"""Repositories in memory: doubles of a backend and a reader, and values to build with."""

from array import array
from collections.abc import Callable, Collection, Container, Iterable, Sequence
from datetime import date
from typing import Any

from attrs import NOTHING, Factory, define, evolve, field, fields, frozen
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from restic_reporter.collection.state import Task
from restic_reporter.concurrency.cooperative import at_once
from restic_reporter.concurrency.deadline import Deadline
from restic_reporter.config.secret_documents import settings_of
from restic_reporter.interfaces import (
    BackendTools,
    ISnapshotReader,
    ReadRequest,
    ReadResult,
)
from restic_reporter.model.backup_sets import MAX_SETS, SetCounter, Tally
from restic_reporter.model.columns import Steps
from restic_reporter.model.errors import ReadError
from restic_reporter.model.repository import Repository
from restic_reporter.model.settings import BackendSettings, OwnKeys
from restic_reporter.model.snapshots import (
    BackupDays,
    BackupSet,
    Content,
    Latest,
    Listing,
    Lock,
    Meter,
    Snapshot,
)
from restic_reporter.plugin.discovery import by_scheme, installed_plugins
from restic_reporter.redaction.secret import Secret
from restic_reporter.testing import MemoryBackend, MemoryReader

NOW = 1_700_000_000.0


def name(number: int) -> str:
    """The file name of the snapshot of this number."""
    return f"{number:064x}"


def snapshot(
    number: int,
    time: float | None = NOW - 100,
    host: str | None = "h",
    user: str = "u",
    **details: Any,
) -> Snapshot:
    """The snapshot of this number."""
    return Snapshot(name(number), time, host, user, **details)


def count_sets(
    snapshots: Iterable[Snapshot],
    now: float,
    known: Collection[tuple[str, str]] = (),
    limit: int = MAX_SETS,
) -> Content:
    """The `Content` of a repository with these ``snapshots``, as of ``now`` (Unix seconds)."""
    every = list(snapshots)
    rows: dict[tuple[str, str] | None, list[int]] = {}
    for row, one in enumerate(every):
        rows.setdefault(None if one.host is None else (one.host, one.user), []).append(row)
    counter = SetCounter(now, known, limit)
    times = [float("nan") if one.time is None else one.time for one in every]
    for key, some in rows.items():
        counter.add_set(key, some, [times[row] for row in some])

    def build(labels: tuple[str, str], tally: Tally) -> Steps[BackupSet]:
        yield
        usable = [(times[row], every[row]) for row in tally.usable]
        latest = max(usable, key=lambda pair: (pair[0], pair[1].id or ""), default=None)
        history = {int(time) for time, _ in usable if time > now - 400 * 86400}
        days = {
            date.fromtimestamp(time).toordinal() for time, _ in usable if time > now - 367 * 86400
        }
        last = max(days, default=0)
        return BackupSet(
            *labels,
            tally.count,
            max((time for time, _ in usable), default=None),
            min((time for time, _ in usable), default=None),
            None if latest is None else latest_of(latest[1]),
            BackupDays(last, sum(1 << (last - day) for day in days)),
            array("I", sorted(history)),
            path_lists=len({every[row].paths for row in tally.rows}),
        )

    return at_once(counter.content(build))


def latest_of(one: Snapshot) -> Latest:
    """What is shown of a set's newest snapshot."""
    return Latest(one.id or "", one.tags, one.program_version, one.summary)


def bare(content: Content) -> tuple[BackupSet, ...]:
    """The sets of ``content``: their names, counts and times alone."""
    return tuple(
        BackupSet(one.host, one.user, one.snapshot_count, one.newest, one.oldest)
        for one in content.sets
    )


def repository(url: str = "/p", password: str = "sesame", position: int = 1) -> Repository:
    """An entry of a config."""
    return Repository(position, url, "local", Secret(f"local:{url}"), Secret(password))


@frozen
class Outcome:
    """What a reader said, and what the snapshots in its table amount to then."""

    content: Content
    ids: frozenset[str]
    unreadable: frozenset[str]
    nameless: int
    # Only the native reader knows them.
    locks: Sequence[Lock] = field(eq=False)
    newest_key: float | None = field(eq=False)
    version: str = field(eq=False)

    @property
    def lock_times(self) -> tuple[float, ...]:
        """When the locks were made."""
        return tuple(lock.time for lock in self.locks)


async def outcome(reader: ISnapshotReader, request: ReadRequest, now: float = NOW) -> Outcome:
    """Have ``request`` done, as of ``now``."""
    result = await reader.read(request)
    content = at_once(request.table.content(now, request.known))
    ids = frozenset(request.table.ids())
    return Outcome(
        content,
        ids,
        result.unreadable,
        result.nameless,
        result.locks,
        result.newest_key,
        result.version,
    )


def no_tools() -> BackendTools:
    """Tools for a backend that uses none of them."""
    needed: dict[str, Any] = {
        one.name: None for one in fields(BackendTools) if one.default is NOTHING
    }
    return BackendTools(**needed)


class TurnClock(Clock):
    """A clock on which a turn of the reactor takes a second."""

    def callLater(self, delay: float, *arguments: Any, **others: Any) -> Any:
        """Call in a later turn, never in this one."""
        return super().callLater(max(delay, 1), *arguments, **others)


@define
class Storage:
    """A repository's snapshots, and what goes wrong with it."""

    snapshots: list[Snapshot] = Factory(list)
    keys: list[str] = Factory(lambda: [name(99)])
    config: bytes = b"config"
    locks: int = 0
    locks_error: ReadError | None = None
    list_error: Exception | None = None
    read_error: Exception | None = None
    unread: set[str | None] = Factory(set)


@define
class StorageBackend(MemoryBackend):
    """
    Lists a `Storage`. ``between`` are called in turn, one right after each listing;
    ``waiting`` is awaited before the first listing of each read, with ``wait_again`` before all.
    """

    storage: Storage = Factory(Storage)
    between: list[Callable[[], object]] = Factory(list)
    wait_again: bool = False
    latest: Deadline | None = None

    async def list(self, deadline: Deadline, meter: Meter) -> Listing:
        """What is there now."""
        meter.count_bytes("list", 100)
        listing = await super().list(deadline, meter)
        if self.between:
            self.between.pop(0)()
        return listing

    async def _wait(self, path: str, deadline: Deadline) -> None:
        if path == "snapshots/":
            again, self.latest = deadline is self.latest, deadline
            if self.wait_again or not again:
                await super()._wait(path, deadline)
        storage = self.storage
        names = {
            "keys": storage.keys,
            "snapshots": [one.id for one in storage.snapshots if one.id is not None],
            "locks": [name(number) for number in range(storage.locks)],
        }
        self.files = {f"{folder}/{one}": b"" for folder, some in names.items() for one in some}
        self.files["config"] = storage.config
        errors = {"snapshots/": storage.list_error, "locks/": storage.locks_error}
        self.failures = {path: error for path, error in errors.items() if error is not None}


@define
class StorageReader(MemoryReader):
    """
    Reads a `Storage`, but for the snapshots of its ``unread``. ``before`` and ``between`` are
    called in turn, before and after it looks; ``stopped`` and ``unreadable`` are what it says,
    in turn.
    """

    storage: Storage = Factory(Storage)
    known: list[Container[tuple[str, str]]] = Factory(list)
    stopped: list[bool] = Factory(list)
    unreadable: list[frozenset[str]] = Factory(list)
    before: list[Callable[[], object]] = Factory(list)
    between: list[Callable[[], object]] = Factory(list)

    async def read(self, request: ReadRequest) -> ReadResult:
        """What is there now."""
        self.known.append(request.known)
        if self.before:
            self.before.pop(0)()
        storage = self.storage
        self.failure = storage.read_error
        stopped = bool(storage.read_error is None and self.stopped and self.stopped.pop(0))
        found = [one for one in storage.snapshots if one.id not in storage.unread]
        self.snapshots = [] if stopped else found
        result = await super().read(request)
        if self.unreadable:
            result = evolve(result, unreadable=self.unreadable.pop(0))
        if stopped:
            result = evolve(result, stopped=True, seen=None)
        if self.between:
            self.between.pop(0)()
        return result

    @property
    def reads(self) -> int:
        """How often it was asked."""
        return len(self.known)


@define
class World:
    """One repository in memory, with the task that reads it."""

    task: Task
    storage: Storage
    backend: StorageBackend
    reader: StorageReader

    @classmethod
    def make(
        cls, url: str = "/p", snapshots: int = 1, timeout: float = 300.0, listed: bool = True
    ) -> "World":
        """A repository with so many snapshots; without a backend if not ``listed``."""
        storage = Storage([snapshot(number) for number in range(snapshots)])
        backend, reader = StorageBackend(storage=storage), StorageReader(storage=storage)
        task = Task(repository(url), "memory", backend if listed else None, reader, timeout)
        return cls(task, storage, backend, reader)

    def hold(self) -> "list[Deferred[None]]":
        """Let each read wait for one of the Deferreds that will be in this list."""
        waiting: list[Deferred[None]] = []

        def wait(path: str) -> "Deferred[None]":
            waiting.append(Deferred())
            return waiting[-1]

        self.backend.waiting = wait
        return waiting


def failing(error: ReadError) -> World:
    """A repository whose listing fails."""
    world = World.make()
    world.storage.list_error = error
    return world


def settings_for(repo: str, **keys: str) -> BackendSettings:
    """What the backend of ``repo`` makes of its ``keys``."""
    maker = by_scheme(installed_plugins().makers)[repo.partition(":")[0]]
    own = OwnKeys(repo, keys)
    settings = settings_of(maker, own)
    assert settings is not None, own.problems
    return settings


def b2_settings(repo: str, key_id: str, key: str, api_url: str | None = None) -> BackendSettings:
    """Those of a repository in B2."""
    more = {} if api_url is None else {"b2_api_url": api_url}
    return settings_for(repo, b2_account_id=key_id, b2_key=key, **more)
