"""Reads one repository: lists it, and asks the reader only if the listing has changed."""

from collections.abc import Collection, Sequence, Set
from typing import NamedTuple, TypeVar

from attrs import define, evolve
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime

from ..concurrency.cooperative import at_once, in_turns
from ..concurrency.deadline import Deadline, sleep
from ..interfaces import IBackend, ReadRequest, ReadResult
from ..model.access import NO_KEY_FACTS, Access, KeyFacts
from ..model.backup_sets import with_history
from ..model.columns import Steps
from ..model.errors import ReadError, Reason
from ..model.snapshots import Listing
from ..readers.access import SeenAccess, look_at_access
from ..restic_format.file_names import Fingerprint, fingerprint, fingerprint_in_steps
from .key_facts import listed_keys, read_keys
from .known_sets import KnownSets
from .outcomes import plural
from .state import Locks, Reading, RepositoryStatus, Task

T = TypeVar("T")

_NAMES_SHOWN = 5

# Tables of up to this size take about 10 ms, even if each snapshot is a set of its own.
_FEW = 2000

# The length of short ids: enough for people, and all that restic prints for some.
_SHORT = 8

# A changing repository is listed this often without a pause, since each time less is new.
# Later pauses (seconds) double, since listings cost money.
_ATTEMPTS_IN_A_ROW = 4
_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 15.0


class Changes(NamedTuple):
    """The ids of removed snapshots, and of those still to be read."""

    gone: Sequence[str] = ()
    new: Sequence[str] = ()


async def read_repository(
    task: Task, status: RepositoryStatus, now: float, clock: IReactorTime, deadline: Deadline
) -> Reading:
    """
    Read the repository of ``task``, as of ``now`` (Unix seconds).

    The result was true at one moment of the read, even if the repository changes meanwhile:
    it is the content of a single listing, each snapshot of which was read.

    :raises ReadError: reading failed; ``partial`` if listed snapshots cannot be read, or if
        each listing until the deadline differs.
    """
    read = _Read(task, status, now, clock, deadline)
    try:
        return await (read.alone() if task.backend is None else read.listed(task.backend))
    except (CancelledError, ReadError) as error:
        # Backends stop at the same deadline: either error may come first.
        is_late = isinstance(error, CancelledError) or error.reason is Reason.TIMEOUT
        if is_late and read.attempts >= 2 and deadline.remaining() <= 0:
            raise read.changing() from None
        raise


@define(eq=False)
class _Read:
    """
    One read of one repository, which lists it until two listings agree.

    Snapshot files never change and are named by their hash, so snapshots that were read stay
    valid, even if the read fails.
    """

    _task: Task
    _status: RepositoryStatus
    _now: float
    _clock: IReactorTime
    _deadline: Deadline
    attempts: int = 0
    _keys: KeyFacts = NO_KEY_FACTS

    async def listed(self, backend: IBackend) -> Reading:
        status, reader = self._status, self._task.reader
        listing = await backend.list(self._deadline, status.meter)
        same = (
            status.content is not None
            and await self._fingerprint(listing.snapshots) == status.fingerprint
        )
        changes = Changes() if same else await self._changes(listing)
        seen, access = await self._look_at_access(backend, listing, same, changes)
        self._keys = listed_keys(status.keys, listing, access, seen is status.access)
        before = status.access.token if status.access else None
        must_ask = bool(changes.gone) or (access is not None and access.token != before)
        if reader.incremental and listing.locks:
            known = status.locks.fingerprint if status.locks else None
            must_ask = must_ask or fingerprint(listing.locks) != known
        matures_at = status.content.matures_at if status.content else None
        # A snapshot from the future may have become a normal one.
        matured = matures_at is not None and self._now >= matures_at
        if status.content is not None and same and not must_ask and not matured:
            return Reading(
                status.content,
                status.fingerprint,
                seen,
                self._keys,
                self._locks(listing),
                listing.locks_error,
                unchanged=True,
            )
        if same:
            changes = await self._changes(listing)
        reading = await self._settle(backend, listing, changes, access, must_ask)
        return evolve(reading, access=seen, keys=self._keys)

    async def _look_at_access(
        self, backend: IBackend, listing: Listing, same: bool, changes: Changes
    ) -> tuple[SeenAccess | None, Access | None]:
        """Return the access for the status, and the current one if it was read."""
        status, moment = self._status, self._clock.seconds()
        must_look = status.access is None or status.access.must_look(listing, moment)
        if not same:
            # The repository may have been created anew.
            must_look = must_look or listing.keys is None or not len(status.table)
        if not must_look:
            return status.access, None
        if (changes.new or changes.gone) and not self._task.reader.incremental:
            # The reader opens the repository anyway.
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
        """Read the new snapshots; list again until all snapshots of one listing are read."""
        status, reader = self._status, self._task.reader
        locks = self._locks(listing)
        # Nothing confirms a first listing yet.
        doubtful = status.content is None
        while True:
            names = frozenset(listing.snapshots)
            result = ReadResult()
            if changes.new or must_ask or (changes.gone and reader.incremental):
                result = await self._ask(listing, changes, access)
                locks, must_ask = Locks.of(listing, result.locks), False
            others, missing = await self._run(status.table.compare(names))
            unnamed = len(missing) if len(missing) <= result.nameless else 0
            whole = len(missing) == unnamed
            if whole and not (changes.gone or others or doubtful):
                break
            # A listing during a change may lack both a removed file and its replacement, or
            # show a file that is already gone. Two equal listings prove that nothing changed
            # in between; the reader's own listing may be the second.
            if whole and result.seen == names:
                break
            await self._pause()
            listing = await backend.list(self._deadline, status.meter)
            if whole and listing.snapshots == names:
                break
            lost = [name for name in missing if name in listing.snapshots]
            if result.stopped:
                unreadable = {name[:_SHORT] for name in result.unreadable}
                lost = [name for name in lost if name[:_SHORT] in unreadable]
            if lost and not whole:
                raise _partial(lost)
            doubtful = False
            changes = await self._changes(listing)
        await self._note_stored(listing)
        reading = await self._reading(names, unnamed)
        return evolve(reading, locks=locks, locks_error=listing.locks_error)

    async def alone(self) -> Reading:
        """Read a repository that only the reader can list."""
        before: frozenset[str] = frozenset()
        while True:
            result = await self._ask(None, Changes(), None)
            unreadable = frozenset(name[:_SHORT] for name in result.unreadable)
            if unreadable & before:
                raise _partial(unreadable & before)
            if not unreadable:
                seen = result.seen or frozenset()
                gone, _ = await self._run(self._status.table.keep(seen))
                if not gone:
                    return await self._reading(seen, result.nameless)
            before = unreadable
            await self._pause()

    def _locks(self, listing: Listing) -> Locks | None:
        """Return the locks of ``listing``, whose times the reader need not read again."""
        before = self._status.locks if self._task.reader.incremental else None
        return Locks.of(listing) if before is None else before.again(listing)

    async def _changes(self, listing: Listing) -> Changes:
        """Return the changes since the table was filled; remove the gone snapshots from it."""
        names = frozenset(listing.snapshots)
        return Changes(*await self._run(self._status.table.keep(names)))

    async def _ask(
        self, listing: Listing | None, changes: Changes, access: Access | None
    ) -> ReadResult:
        task, status = self._task, self._status
        repository = task.repository
        if listing is not None:
            listing = evolve(listing, snapshots=frozenset(listing.snapshots))
            if listing.location is not None:
                repository = evolve(repository, location=listing.location)
        result = await task.reader.read(
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
        status.unopened = False
        self._keys = read_keys(self._keys, listing, result)
        return result

    async def _fingerprint(self, names: Set[str]) -> Fingerprint:
        return await in_turns(self._clock, fingerprint_in_steps(names))

    def _known(self) -> KnownSets:
        return KnownSets.of(self._task.repository.freshness, self._status.content)

    async def _note_stored(self, listing: Listing) -> None:
        """Note when the new snapshots were stored, as far as the storage tells."""
        table = self._status.table
        if listing.stored_times is not None and (new := table.unconfirmed()):
            table.note_stored(await listing.stored_times(new))

    async def _reading(self, names: frozenset[str], unnamed: int) -> Reading:
        """Return what was read: the snapshots ``names`` and ``unnamed`` invalid ones."""
        table = self._status.table
        await self._run(table.keep(names))
        content = await self._run(table.content(self._now, self._known()))
        content = await self._run(with_history(content, self._status.content, self._now))
        content = evolve(
            content,
            snapshot_count=content.snapshot_count + unnamed,
            invalid_count=content.invalid_count + unnamed,
        )
        return Reading(content, await self._fingerprint(names), removed=table.confirm(names))

    async def _run(self, steps: Steps[T]) -> T:
        """Work on the table, in turns with other work if it is large."""
        if len(self._status.table) <= _FEW:
            return at_once(steps)
        return await in_turns(self._clock, steps)

    async def _pause(self) -> None:
        """Wait before another attempt, longer after many."""
        self.attempts += 1
        if self.attempts % _ATTEMPTS_IN_A_ROW:
            return
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (self.attempts // _ATTEMPTS_IN_A_ROW - 1))
        if pause >= self._deadline.remaining():
            raise self.changing()
        await sleep(self._clock, pause)

    def changing(self) -> ReadError:
        return ReadError(
            Reason.PARTIAL,
            f"the repository is changing: it differed at each of {self.attempts} attempts;"
            " collect it when no backup is running",
        )


def _partial(missing: Collection[str]) -> ReadError:
    shown = ", ".join(sorted(name[:_SHORT] for name in missing)[:_NAMES_SHOWN])
    more = f" and {len(missing) - _NAMES_SHOWN} more" if len(missing) > _NAMES_SHOWN else ""
    return ReadError(
        Reason.PARTIAL,
        f"{len(missing)} listed {plural('snapshot', len(missing))} cannot be read: {shown}{more};"
        " run 'restic check'",
    )
