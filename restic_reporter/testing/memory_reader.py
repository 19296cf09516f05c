"""A reader with snapshots in memory, and requests for readers."""

from collections.abc import Awaitable, Callable, Container, Sequence

from attrs import Factory, define
from zope.interface import implementer

from ..concurrency.cooperative import at_once
from ..concurrency.deadline import Deadline
from ..interfaces import IBackend, ISnapshotReader, Memory, ReadRequest, ReadResult
from ..model.access import Access
from ..model.repository import Repository
from ..model.snapshot_table import SnapshotTable
from ..model.snapshots import Listing, Lock, Meter, Snapshot


def read_request(
    repository: Repository,
    deadline: Deadline,
    backend: IBackend | None = None,
    listing: Listing | None = None,
    memory: Memory | None = None,
    known: Container[tuple[str, str]] = frozenset(),
    table: SnapshotTable | None = None,
    access: Access | None = None,
) -> ReadRequest:
    """Return the collection's request for the snapshots of ``listing`` that ``table`` lacks."""
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


@implementer(ISnapshotReader)
@define
class MemoryReader:
    """
    Reads ``snapshots``, except the ids in ``damaged``, which are unreadable.

    ``failure`` is raised instead of a result; ``waiting`` is awaited before each result.
    ``requests`` are the received ones.
    """

    snapshots: list[Snapshot] = Factory(list)
    damaged: set[str] = Factory(set)
    failure: Exception | None = None
    waiting: Callable[[], Awaitable[object]] | None = None
    name: str = "memory"
    incremental: bool = False
    locks: Sequence[Lock] = ()
    newest_key: float | None = None
    version: str = ""
    nameless: int = 0
    requests: list[ReadRequest] = Factory(list)

    async def open(self, request: ReadRequest) -> None:
        """Fail as `read` does."""
        self.requests.append(request)
        if self.waiting is not None:
            await self.waiting()
        if self.failure is not None:
            raise self.failure

    async def read(self, request: ReadRequest) -> ReadResult:
        """Read the current snapshots."""
        await self.open(request)
        damaged = frozenset(one.id for one in self.snapshots if one.id in self.damaged)
        found = [one for one in self.snapshots if one.id not in damaged]
        known = set(request.table.ids())
        request.table.add([one for one in found if one.id not in known], request.known)
        seen = frozenset(one.id for one in found if one.id is not None)
        return ReadResult(
            frozenset(one for one in damaged if one is not None),
            seen=None if self.incremental else seen,
            nameless=self.nameless,
            locks=self.locks,
            newest_key=self.newest_key,
            version=self.version,
        )
