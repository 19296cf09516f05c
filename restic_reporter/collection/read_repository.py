"""One read of one repository: list it, and only where that shows something new, read it."""

from collections.abc import Collection, Iterable, Sequence
from typing import TypeVar

from attrs import define, evolve, frozen
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime

from ..concurrency.cooperative import at_once, in_turns
from ..concurrency.deadline import Deadline, sleep
from ..interfaces import IBackend, ReadRequest, ReadResult
from ..model.access import Access
from ..model.backup_sets import with_history
from ..model.columns import Steps
from ..model.errors import ReadError, Reason
from ..model.freshness import Freshness
from ..model.snapshots import Content, Listing
from ..readers.access import SeenAccess, look_at_access
from ..restic_format.file_names import fingerprint
from .state import Locks, Reading, RepositoryStatus, Task

T = TypeVar("T")

_NAMES_SHOWN = 5

# Tables of so many snapshots take ten milliseconds or so, even if each is a set of its own.
_FEW = 2000

# So many digits of a name are enough for people, and all that restic says of some.
_SHORT = 8

# A repository that changes is looked at so often in a row, since each time there is less that
# is new. Then there is a pause, in seconds, each twice as long as the one before: looks cost money.
_LOOKS_IN_A_ROW = 4
_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 15.0


@frozen
class Changes:
    """The ids of snapshots that are not listed any more, and of those still to be read."""

    gone: Sequence[str] = ()
    new: Sequence[str] = ()


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
        except (CancelledError, ReadError) as error:
            # Backends end by the deadline as well, in the same moment: either may be first.
            is_late = isinstance(error, CancelledError) or error.reason is Reason.TIMEOUT
            if is_late and self._looks >= 2 and self._deadline.remaining() <= 0:
                raise self._changing() from None
            raise

    async def _read_listed(self, backend: IBackend) -> Reading:
        status, reader = self._status, self._task.reader
        listing = await self._list(backend)
        same = status.content is not None and fingerprint(listing.snapshots) == status.fingerprint
        changes = Changes() if same else await self._changes(listing)
        seen, access = await self._look_at_access(backend, listing, same, changes)
        before = status.access.token if status.access is not None else None
        must_ask = bool(changes.gone) or (access is not None and access.token != before)
        if reader.incremental and listing.locks:
            known = status.locks.fingerprint if status.locks is not None else None
            must_ask = must_ask or fingerprint(listing.locks) != known
        if status.content is not None and same and not must_ask and not self._has_matured():
            return Reading(
                status.content,
                status.fingerprint,
                seen,
                _locks(listing, status.locks.times if status.locks is not None else ()),
                listing.locks_error,
                unchanged=True,
            )
        if same:
            changes = await self._changes(listing)
        return evolve(await self._settle(backend, listing, changes, access, must_ask), access=seen)

    async def _look_at_access(
        self, backend: IBackend, listing: Listing, same: bool, changes: Changes
    ) -> tuple[SeenAccess | None, Access | None]:
        """What opens the repository, where it may be another than before."""
        status, moment = self._status, self._clock.seconds()
        must_look = status.access is None or status.access.must_look(listing, moment)
        if not same:
            # It may have been made anew.
            must_look = must_look or listing.keys is None or not len(status.table)
        if not must_look:
            return status.access, None
        if (changes.new or changes.gone) and not self._task.reader.incremental:
            # The reader opens it in any case.
            return SeenAccess.of(None, listing, moment), None
        access = await look_at_access(backend, listing, self._deadline, status.meter)
        return SeenAccess.of(access, listing, moment), access

    async def _settle(
        self,
        backend: IBackend,
        listing: Listing,
        changes: Changes,
        access: Access | None,
        must_ask: bool,
    ) -> Reading:
        """Read what is new, and list again until one listing is known as a whole."""
        status, reader = self._status, self._task.reader
        locks = _locks(listing, status.locks.times if status.locks is not None else ())
        # A first listing has nothing to be compared with.
        doubtful = status.content is None
        while True:
            names = frozenset(listing.snapshots)
            result = ReadResult()
            if changes.new or must_ask or (changes.gone and reader.incremental):
                result = await self._ask(listing, changes, access)
                locks, must_ask = _locks(listing, result.lock_times), False
            others, missing = await self._do(status.table.compare(names))
            unnamed = len(missing) if len(missing) <= result.nameless else 0
            whole = len(missing) == unnamed
            if whole and not (changes.gone or others or doubtful):
                break
            # A listing under way may show neither a file that is removed nor the one that was
            # saved in its place, or the one of two that has gone first. Nothing has changed
            # between two that are equal; the reader's own listing is as good as another one.
            if whole and result.seen == names:
                break
            await self._pause()
            listing = await self._list(backend)
            if whole and listing.snapshots == names:
                break
            lost = [name for name in missing if name in listing.snapshots]
            if result.stopped:
                lost = [name for name in lost if name[:_SHORT] in _short(result.unreadable)]
            if lost and not whole:
                raise _partial(lost)
            doubtful = False
            changes = await self._changes(listing)
        return Reading(
            await self._content(names, unnamed),
            fingerprint(names),
            locks=locks,
            locks_error=listing.locks_error,
        )

    async def _read_alone(self) -> Reading:
        """Read a repository that nothing but the reader sees."""
        before: frozenset[str] = frozenset()
        while True:
            result = await self._ask(None, Changes(), None)
            unreadable = _short(result.unreadable)
            if unreadable & before:
                raise _partial(unreadable & before)
            if not unreadable:
                seen = result.seen or frozenset()
                gone, _ = await self._do(self._status.table.keep(seen))
                if not gone:
                    return Reading(await self._content(seen, result.nameless))
            before = unreadable
            await self._pause()

    async def _list(self, backend: IBackend) -> Listing:
        return await backend.list(self._deadline, self._status.meter)

    async def _changes(self, listing: Listing) -> Changes:
        """What has changed since the table was filled, which forgets what is gone."""
        table = self._status.table
        return Changes(*await self._do(table.keep(frozenset(listing.snapshots))))

    async def _ask(
        self, listing: Listing | None, changes: Changes, access: Access | None
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
                new=changes.new,
                gone=changes.gone,
                access=access,
            )
        )

    def _known(self) -> "_Known":
        content = self._status.content
        sets = content.sets if content is not None else ()
        return _Known(
            self._task.repository.freshness, frozenset((one.host, one.user) for one in sets)
        )

    async def _content(self, names: frozenset[str], unnamed: int) -> Content:
        """What the snapshots ``names`` amount to, and so many more without a usable id."""
        table = self._status.table
        await self._do(table.keep(names))
        content = await self._do(table.content(self._now, self._known()))
        before = self._status.content
        return evolve(
            content,
            sets=with_history(content.sets, before.sets if before is not None else ()),
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
        if self._looks % _LOOKS_IN_A_ROW:
            return
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (self._looks // _LOOKS_IN_A_ROW - 1))
        if pause >= self._deadline.remaining():
            raise self._changing()
        await sleep(self._clock, pause)

    def _changing(self) -> ReadError:
        return ReadError(
            Reason.PARTIAL,
            f"the repository is changing: it was another one at each of {self._looks} looks",
        )


@frozen
class _Known:
    """The label values of the sets that are shown already or expected."""

    freshness: Freshness
    shown: frozenset[tuple[str, str]]

    def __contains__(self, name: object) -> bool:
        return name in self.shown or (isinstance(name, tuple) and self.freshness.expects(*name))


def _short(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name[:_SHORT] for name in names)


def _locks(listing: Listing, times: Sequence[float] = ()) -> Locks | None:
    if listing.locks is None:
        return None
    count = len(listing.locks)
    return Locks(count, fingerprint(listing.locks), tuple(times) if count else ())


def _partial(missing: Collection[str]) -> ReadError:
    shown = ", ".join(sorted(name[:_SHORT] for name in missing)[:_NAMES_SHOWN])
    more = f" and {len(missing) - _NAMES_SHOWN} more" if len(missing) > _NAMES_SHOWN else ""
    return ReadError(
        Reason.PARTIAL, f"{len(missing)} listed snapshots cannot be read: {shown}{more}"
    )
