"""Repositories in memory: doubles of a backend and a reader, and values to build with."""

from collections.abc import Awaitable, Callable
from typing import Any

from attrs import NOTHING, Factory, define, fields, frozen
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface import implementer

from restic_reporter.collection.state import Task
from restic_reporter.concurrency.cooperative import at_once
from restic_reporter.concurrency.deadline import Deadline
from restic_reporter.interfaces import (
    BackendTools,
    IBackend,
    ISnapshotReader,
    Memory,
    ReadRequest,
    ReadResult,
)
from restic_reporter.model.access import Access
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.model.repository import Repository
from restic_reporter.model.snapshot_table import SnapshotTable
from restic_reporter.model.snapshots import Content, Listing, Meter, Snapshot
from restic_reporter.redaction.secret import Secret

NOW = 1_700_000_000.0


def name(number: int) -> str:
    """The file name of the snapshot of this number."""
    return f"{number:064x}"


def snapshot(
    number: int, time: float | None = NOW - 100, host: str | None = "h", user: str = "u"
) -> Snapshot:
    """The snapshot of this number."""
    return Snapshot(name(number), time, host, user)


def repository(url: str = "/p", password: str = "sesame", position: int = 1) -> Repository:
    """An entry of a config."""
    return Repository(position, url, "local", Secret(f"local:{url}"), Secret(password))


def ask(
    repository: Repository,
    deadline: Deadline,
    backend: IBackend | None = None,
    listing: Listing | None = None,
    memory: Memory | None = None,
    known: frozenset[tuple[str, str]] = frozenset(),
    table: SnapshotTable | None = None,
    access: Access | None = None,
) -> ReadRequest:
    """What a reader is asked about the snapshots of ``listing`` that ``table`` lacks."""
    table = SnapshotTable() if table is None else table
    names = frozenset() if listing is None else frozenset(listing.snapshots)
    gone, new = at_once(table.keep(names))
    return ReadRequest(
        repository,
        backend,
        listing,
        Meter(),
        known,
        deadline,
        memory or Memory(),
        table,
        new,
        gone,
        access,
    )


@frozen
class Outcome:
    """What a reader said, and what the snapshots in its table amount to then."""

    content: Content
    ids: frozenset[str]
    unreadable: frozenset[str]
    nameless: int
    oldest_lock: float | None


async def outcome(reader: ISnapshotReader, request: ReadRequest, now: float = NOW) -> Outcome:
    """Have ``request`` done, as of ``now``."""
    result = await reader.read(request)
    content = at_once(request.table.content(now, request.known))
    ids = frozenset(request.table.ids())
    return Outcome(content, ids, result.unreadable, result.nameless, result.oldest_lock)


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


@implementer(IBackend)
@define
class MemoryBackend:
    """
    Lists a `Storage`. ``between`` are called in turn, one right after each listing;
    ``waiting`` is awaited before the first of each read, with ``wait_again`` before all.
    Listings show the keys if ``shows_keys``; ``looks`` is how
    often the config was asked for.
    """

    storage: Storage
    listings: int = 0
    looks: int = 0
    shows_keys: bool = False
    between: list[Callable[[], object]] = Factory(list)
    waiting: Callable[[], Awaitable[object]] | None = None
    wait_again: bool = False
    latest: Deadline | None = None
    location: Secret | None = None
    concurrent_loads: int = 1

    async def list(self, deadline: Deadline, meter: Meter) -> Listing:
        """What is there now."""
        self.listings += 1
        meter.count_request("list")
        meter.count_bytes("list", 100)
        again, self.latest = deadline is self.latest, deadline
        if self.waiting is not None and (self.wait_again or not again):
            await self.waiting()
        if self.storage.list_error is not None:
            raise self.storage.list_error
        names = frozenset(one.id for one in self.storage.snapshots if one.id is not None)
        locks = frozenset(name(number) for number in range(self.storage.locks))
        keys = frozenset(self.storage.keys) if self.shows_keys else None
        error = self.storage.locks_error
        if self.between:
            self.between.pop(0)()
        return Listing(
            names, None if error else locks, keys, location=self.location, locks_error=error
        )

    async def list_keys(self, deadline: Deadline, meter: Meter) -> frozenset[str]:
        """The keys that are there now."""
        return frozenset(self.storage.keys)

    async def load(self, path: str, limit: int, deadline: Deadline, meter: Meter) -> bytes:
        """The config; no other file of it has a content."""
        self.looks += 1
        if path != "config":
            raise ReadError(Reason.NOT_FOUND, path)
        return self.storage.config


@implementer(ISnapshotReader)
@define
class MemoryReader:
    """
    Reads a `Storage`, but for the snapshots of its ``unread``; notes the calls. ``before``
    and ``between`` are called in turn, before and after it looks.
    """

    storage: Storage
    name: str = "memory"
    incremental: bool = False
    oldest_lock: float | None = None
    known: list[frozenset[tuple[str, str]]] = Factory(list)
    requests: list[ReadRequest] = Factory(list)
    nameless: int = 0
    stopped: list[bool] = Factory(list)
    unreadable: list[frozenset[str]] = Factory(list)
    before: list[Callable[[], object]] = Factory(list)
    between: list[Callable[[], object]] = Factory(list)

    async def read(self, request: ReadRequest) -> ReadResult:
        """What is there now."""
        self.known.append(request.known)
        self.requests.append(request)
        if self.before:
            self.before.pop(0)()
        if self.storage.read_error is not None:
            raise self.storage.read_error
        found = [one for one in self.storage.snapshots if one.id not in self.storage.unread]
        seen = frozenset(one.id for one in found if one.id is not None)
        stopped = bool(self.stopped and self.stopped.pop(0))
        if not stopped:
            table = set(request.table.ids())
            request.table.add([one for one in found if one.id not in table], request.known)
        result = ReadResult(
            self.unreadable.pop(0) if self.unreadable else frozenset(),
            stopped,
            None if stopped or self.incremental else seen,
            self.nameless,
            self.oldest_lock,
        )
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
    backend: MemoryBackend
    reader: MemoryReader

    @classmethod
    def make(
        cls, url: str = "/p", snapshots: int = 1, timeout: float = 300.0, listed: bool = True
    ) -> "World":
        """A repository with so many snapshots; without a backend if not ``listed``."""
        storage = Storage([snapshot(number) for number in range(snapshots)])
        backend, reader = MemoryBackend(storage), MemoryReader(storage)
        task = Task(repository(url), "memory", backend if listed else None, reader, timeout)
        return cls(task, storage, backend, reader)

    def hold(self) -> "list[Deferred[None]]":
        """Let each read wait for one of the Deferreds that will be in this list."""
        waiting: list[Deferred[None]] = []

        def wait() -> "Deferred[None]":
            waiting.append(Deferred())
            return waiting[-1]

        self.backend.waiting = wait
        return waiting


def failing(error: ReadError) -> World:
    """A repository whose listing fails."""
    world = World.make()
    world.storage.list_error = error
    return world
