"""Repositories in memory: doubles of a backend and a reader, and values to build with."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from attrs import NOTHING, Factory, define, fields
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface import implementer

from restic_reporter.backup_sets import count_sets
from restic_reporter.config import Repository
from restic_reporter.deadline import Deadline
from restic_reporter.errors import ReadError, Reason
from restic_reporter.interfaces import (
    BackendTools,
    IBackend,
    ISnapshotReader,
    Memory,
    ReadRequest,
    ReadResult,
)
from restic_reporter.model import Listing, Meter, Snapshot
from restic_reporter.reading import Task
from restic_reporter.secret import Secret

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
    now: float,
    deadline: Deadline,
    backend: IBackend | None = None,
    listing: Listing | None = None,
    memory: Memory | None = None,
    known: frozenset[tuple[str, str]] = frozenset(),
) -> ReadRequest:
    """What a reader is asked."""
    return ReadRequest(
        repository, backend, listing, Meter(), now, known, deadline, memory or Memory()
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
    locks: int = 0
    list_error: Exception | None = None
    read_error: Exception | None = None
    unread: set[str | None] = Factory(set)


@implementer(IBackend)
@define
class MemoryBackend:
    """
    Lists a `Storage`. ``between`` are called in turn, one right after each listing;
    ``waiting`` is awaited before.
    """

    storage: Storage
    listings: int = 0
    between: list[Callable[[], object]] = Factory(list)
    waiting: Callable[[], Awaitable[object]] | None = None
    location: Secret | None = None
    concurrent_loads: int = 1

    async def list(self, deadline: Deadline, meter: Meter) -> Listing:
        """What is there now."""
        self.listings += 1
        meter.count_request("list")
        meter.count_bytes("list", 100)
        if self.waiting is not None:
            await self.waiting()
        if self.storage.list_error is not None:
            raise self.storage.list_error
        names = frozenset(one.id for one in self.storage.snapshots if one.id is not None)
        if self.between:
            self.between.pop(0)()
        locks = frozenset(name(number) for number in range(self.storage.locks))
        return Listing(names, locks, location=self.location)

    async def list_keys(self, deadline: Deadline, meter: Meter) -> frozenset[str]:
        """Nothing: it is not encrypted."""
        return frozenset()

    async def load(self, path: str, limit: int, deadline: Deadline, meter: Meter) -> bytes:
        """Nothing: no file of it has a content."""
        raise ReadError(Reason.NOT_FOUND, path)


@implementer(ISnapshotReader)
@define
class MemoryReader:
    """Reads a `Storage`, but for the snapshots of its ``unread``; notes the calls."""

    storage: Storage
    name: str = "memory"
    reads_locks: bool = False
    oldest_lock: float | None = None
    known: list[frozenset[tuple[str, str]]] = Factory(list)
    repositories: list[Repository] = Factory(list)
    nameless: int = 0
    unreadable: list[frozenset[str]] = Factory(list)
    between: list[Callable[[], object]] = Factory(list)

    async def read(self, request: ReadRequest) -> ReadResult:
        """What is there now."""
        now, known = request.now, request.known
        self.known.append(known)
        self.repositories.append(request.repository)
        if self.storage.read_error is not None:
            raise self.storage.read_error
        found: Iterable[Snapshot] = [
            one for one in self.storage.snapshots if one.id not in self.storage.unread
        ]
        ids = frozenset(one.id for one in found if one.id is not None)
        result = ReadResult(
            count_sets(found, now, known),
            ids,
            self.nameless,
            self.unreadable.pop(0) if self.unreadable else frozenset(),
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
        """Let each listing wait for one of the Deferreds that will be in this list."""
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
