"""One read of one repository: list it, and only where that shows something new, read it."""

from collections.abc import Awaitable, Callable, Collection, Hashable, Iterable, Sequence
from typing import TypeVar

from attrs import define, evolve, field, frozen
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime

from .access import Access, SeenAccess, look_at_access
from .config import Repository
from .deadline import Deadline, sleep
from .errors import ReadError, Reason
from .interfaces import IBackend, ISnapshotReader, Memory, ReadRequest, ReadResult
from .listing import Fingerprint, fingerprint
from .model import Content, Listing, Meter
from .readers.snapshot_table import SnapshotTable, Steps
from .turns import at_once, in_turns

T = TypeVar("T")

_NAMES_SHOWN = 5

# Tables of so many snapshots are dealt with in a few milliseconds.
_FEW = 1000

# So many digits of a name are enough for people, and all that restic says of some.
_SHORT = 8

# A repository that changes is looked at three times at once, then after pauses, in seconds,
# each twice as long as the one before: looks cost money.
_LOOKS_AT_ONCE = 3
_FIRST_PAUSE = 0.25


@frozen
class Task:
    """
    A repository and what reads it.

    ``backend`` is ``None`` where the reader is all we have. ``complete`` is there as long as
    secrets of the entry are still to be looked up: it gives the task to be used then. What it
    is called with is the same throughout one collection.
    """

    repository: Repository
    backend_name: str
    backend: IBackend | None
    reader: ISnapshotReader
    timeout: float
    complete: Callable[[Hashable], Awaitable["Task"]] | None = None


@frozen
class Locks:
    """
    A repository's locks: how many, and when the oldest was made, in Unix seconds, where that
    is known. ``fingerprint`` belongs to their names.
    """

    count: int
    fingerprint: Fingerprint
    oldest: float | None = None


@define
class RepositoryStatus:
    """
    What is known of one repository, kept from one collection to the next.

    ``content`` and ``last_success`` (Unix seconds) are those of the last good read, and
    survive failed ones. ``success`` and ``duration`` (seconds) are of the latest read,
    ``None`` before the first. ``fingerprint`` belongs to the snapshots in ``content``, and
    ``access`` is what opened the repository then. ``table`` has all snapshots read so far,
    those of failed reads too. ``memory`` is the reader's own. ``revision`` grows with every
    change, so that what was rendered can be kept until then.
    """

    task: Task
    content: Content | None = None
    locks: Locks | None = None
    table: SnapshotTable = field(factory=SnapshotTable)
    memory: Memory = field(factory=Memory)
    fingerprint: Fingerprint | None = None
    access: SeenAccess | None = None
    success: bool | None = None
    last_success: float | None = None
    duration: float | None = None
    failures: dict[Reason, int] = field(factory=dict)
    meter: Meter = field(factory=Meter)
    revision: int = 0


@frozen
class Reading:
    """
    A good read. ``unchanged`` says that the listing was as before, so that ``content`` is
    the old one. ``locks_error`` is why the locks could not be listed.
    """

    content: Content
    fingerprint: Fingerprint | None = None
    access: SeenAccess | None = None
    locks: Locks | None = None
    locks_error: ReadError | None = None
    unchanged: bool = False


async def read_repository(
    task: Task, status: RepositoryStatus, now: float, clock: IReactorTime, deadline: Deadline
) -> Reading:
    """
    Read the repository of ``task``, as of ``now`` (Unix seconds).

    What it gives was true at one moment of the read, however the repository changes
    meanwhile: it is the content of one single listing, each snapshot of which was read.

    :raises ReadError: what went wrong; ``partial`` where listed snapshots cannot be read, or
        where the listing is another one at each look until the deadline.
    """
    return await _Read(task, status, now, clock, deadline).read()


@define(eq=False)
class _Read:
    """
    One read of one repository, which looks at it as often as it takes.

    Snapshot files never change and are named by their hash, so what was read once stays
    valid, in reads that fail too.
    """

    _task: Task
    _status: RepositoryStatus
    _now: float
    _clock: IReactorTime
    _deadline: Deadline
    _looks: int = 0

    async def read(self) -> Reading:
        try:
            if self._task.backend is None:
                return await self._read_alone()
            return await self._read_listed(self._task.backend)
        except CancelledError:
            if self._looks >= 2 and self._deadline.remaining() <= 0:
                raise self._changing() from None
            raise

    async def _read_listed(self, backend: IBackend) -> Reading:
        status, task = self._status, self._task
        listing = await self._list(backend)
        same = status.content is not None and fingerprint(listing.snapshots) == status.fingerprint
        seen, access = status.access, None
        if not same or seen is None or seen.must_look(listing, self._clock.seconds()):
            access = await look_at_access(backend, listing, self._deadline, status.meter)
            seen = SeenAccess.of(access, listing, self._clock.seconds())
        must_ask = status.access is None or seen.token != status.access.token
        if task.reader.incremental and listing.locks:
            before = status.locks.fingerprint if status.locks is not None else None
            must_ask = must_ask or fingerprint(listing.locks) != before
        locks = _locks(listing, status.locks.oldest if status.locks is not None else None)
        if same and not must_ask and status.content is not None and not self._has_matured():
            problem = listing.locks_error
            return Reading(status.content, status.fingerprint, seen, locks, problem, unchanged=True)
        # A first listing has nothing to be compared with.
        doubtful = status.content is None
        unnamed = 0
        while True:
            names = frozenset(listing.snapshots)
            gone, new = await self._do(status.table.keep(names))
            result = ReadResult()
            if new or must_ask or (gone and task.reader.incremental):
                result = await self._ask(listing, new, gone, access)
                locks, must_ask = _locks(listing, result.oldest_lock), False
            others, missing = await self._do(status.table.compare(names))
            unnamed = len(missing) if len(missing) <= result.nameless else 0
            whole = len(missing) == unnamed
            if whole and not (gone or others or doubtful):
                break
            # A file is saved before the one that it replaces is removed. A listing of that
            # moment may show neither; the next one shows what it has missed.
            await self._pause()
            listing = await self._list(backend)
            lost = [name for name in missing if name in listing.snapshots]
            if result.stopped:
                lost = [name for name in lost if name[:_SHORT] in _short(result.unreadable)]
            if not whole and lost:
                raise _partial(lost)
            if whole and listing.snapshots <= names:
                break
            doubtful = False
        content = await self._content(names, unnamed)
        return Reading(content, fingerprint(names), seen, locks, listing.locks_error)

    async def _read_alone(self) -> Reading:
        """Read a repository that nothing but the reader sees."""
        before: frozenset[str] = frozenset()
        while True:
            result = await self._ask(None)
            unreadable = _short(result.unreadable)
            if unreadable & before:
                raise _partial(unreadable & before)
            if not unreadable:
                gone, _ = await self._do(self._status.table.keep(result.seen))
                if not gone:
                    return Reading(await self._content(result.seen, result.nameless))
            before = unreadable
            await self._pause()

    async def _list(self, backend: IBackend) -> Listing:
        return await backend.list(self._deadline, self._status.meter)

    async def _ask(
        self,
        listing: Listing | None,
        new: Sequence[str] = (),
        gone: Sequence[str] = (),
        access: Access | None = None,
    ) -> ReadResult:
        task, status = self._task, self._status
        repository = task.repository
        if listing is not None:
            listing = evolve(listing, snapshots=frozenset(listing.snapshots))
            if listing.location is not None:
                repository = evolve(repository, location=listing.location)
        return await task.reader.read(
            ReadRequest(
                repository=repository,
                backend=task.backend,
                listing=listing,
                meter=status.meter,
                known=self._known(),
                deadline=self._deadline,
                memory=status.memory,
                table=status.table,
                new=new,
                gone=gone,
                access=access,
            )
        )

    def _known(self) -> frozenset[tuple[str, str]]:
        """The label values of the sets shown so far."""
        content = self._status.content
        return frozenset((one.host, one.user) for one in content.sets) if content else frozenset()

    async def _content(self, names: frozenset[str], unnamed: int) -> Content:
        """What the snapshots ``names`` amount to, and so many more without a usable id."""
        table = self._status.table
        await self._do(table.keep(names))
        content = await self._do(table.content(self._now, self._known()))
        return evolve(
            content,
            snapshot_count=content.snapshot_count + unnamed,
            invalid_count=content.invalid_count + unnamed,
        )

    async def _do(self, steps: Steps[T]) -> T:
        """Work on the table, in turns with all else where that is long."""
        if len(self._status.table) <= _FEW:
            return at_once(steps)
        return await in_turns(self._clock, steps)

    def _has_matured(self) -> bool:
        """Whether a snapshot from the future has come to count like any other."""
        content = self._status.content
        return (
            content is not None
            and content.matures_at is not None
            and self._now >= content.matures_at
        )

    async def _pause(self) -> None:
        """Wait before another look, the longer the more there were."""
        self._looks += 1
        if self._looks < _LOOKS_AT_ONCE:
            return
        pause = _FIRST_PAUSE * 2 ** (self._looks - _LOOKS_AT_ONCE)
        if pause >= self._deadline.remaining():
            raise self._changing()
        await sleep(self._clock, pause)

    def _changing(self) -> ReadError:
        return ReadError(
            Reason.PARTIAL,
            f"the repository is changing: it was another one at each of {self._looks} looks",
        )


def _short(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name[:_SHORT] for name in names)


def _locks(listing: Listing, oldest: float | None = None) -> Locks | None:
    if listing.locks is None:
        return None
    count = len(listing.locks)
    return Locks(count, fingerprint(listing.locks), oldest if count else None)


def _partial(missing: Collection[str]) -> ReadError:
    shown = ", ".join(sorted(name[:_SHORT] for name in missing)[:_NAMES_SHOWN])
    more = f" and {len(missing) - _NAMES_SHOWN} more" if len(missing) > _NAMES_SHOWN else ""
    return ReadError(
        Reason.PARTIAL, f"{len(missing)} listed snapshots cannot be read: {shown}{more}"
    )
