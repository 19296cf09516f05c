"""One read of one repository: list it, and only where that shows something new, read it."""

from collections.abc import Awaitable, Callable, Hashable

from attrs import define, evolve, field, frozen
from twisted.internet.interfaces import IReactorTime

from .config import Repository
from .deadline import Deadline
from .errors import ReadError, Reason
from .interfaces import IBackend, ISnapshotReader, Memory, ReadRequest, ReadResult
from .listing import Fingerprint, fingerprint
from .model import Content, Listing, Meter

_NAMES_SHOWN = 5


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
    ``None`` before the first. ``fingerprint`` belongs to the snapshots in ``content``.
    ``memory`` is the reader's own. ``revision`` grows with every change, so that what was
    rendered can be kept until then.
    """

    task: Task
    content: Content | None = None
    locks: Locks | None = None
    memory: Memory = field(factory=Memory)
    fingerprint: Fingerprint | None = None
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
    the old one and no reader was asked.
    """

    content: Content
    fingerprint: Fingerprint | None
    locks: Locks | None
    unchanged: bool


async def read_repository(
    task: Task, status: RepositoryStatus, now: float, clock: IReactorTime, deadline: Deadline
) -> Reading:
    """
    Read the repository of ``task``, as of ``now`` (Unix seconds).

    :raises ReadError: what went wrong, ``partial`` where the reader did not give all that
        the backend had listed.
    """
    repository = task.repository
    listing: Listing | None = None
    if task.backend is not None:
        listing = await task.backend.list(deadline, status.meter)
        if status.content is not None and _is_known(task, listing, status, now):
            oldest = status.locks.oldest if status.locks is not None else None
            locks = _locks(listing, oldest)
            return Reading(status.content, status.fingerprint, locks, unchanged=True)
        listing = evolve(listing, snapshots=frozenset(listing.snapshots))
        if listing.location is not None:
            repository = evolve(repository, location=listing.location)
    known = frozenset((one.host, one.user) for one in status.content.sets) if status.content else ()
    request = ReadRequest(
        repository=repository,
        backend=task.backend,
        listing=listing,
        meter=status.meter,
        now=now,
        known=frozenset(known),
        deadline=deadline,
        memory=status.memory,
    )
    result = await task.reader.read(request)
    if task.backend is None or listing is None:
        if result.unreadable:
            # It may have been removed between restic's look at the folder and at the file.
            result = await task.reader.read(request)
        if result.unreadable:
            raise _partial(result.unreadable)
        return Reading(result.content, None, None, unchanged=False)
    missing = missing_snapshots(listing, result)
    if missing:
        # What is gone now was pruned meanwhile; what has come since the first look may have
        # come after the reader's, and is for the next read.
        again = await task.backend.list(deadline, status.meter)
        listing = Listing(listing.snapshots & frozenset(again.snapshots), again.locks)
        missing = missing_snapshots(listing, result)
    if missing:
        raise _partial(missing)
    seen = listing.snapshots if result.nameless else result.ids
    locks = _locks(listing, result.oldest_lock)
    return Reading(result.content, fingerprint(seen), locks, unchanged=False)


def missing_snapshots(listing: Listing, result: ReadResult) -> frozenset[str]:
    """
    The snapshots that were listed but not read.

    Each nameless one in the result may be any of them.
    """
    missing = frozenset(listing.snapshots - result.ids)
    return missing if len(missing) > result.nameless else frozenset()


def _is_known(task: Task, listing: Listing, status: RepositoryStatus, now: float) -> bool:
    """Whether the content and locks that we have are still what a reader would give."""
    if status.content is None or fingerprint(listing.snapshots) != status.fingerprint:
        return False
    # Where no lock is left there is nothing to read about them.
    if task.reader.reads_locks and listing.locks:
        before = status.locks.fingerprint if status.locks is not None else None
        if fingerprint(listing.locks) != before:
            return False
    matures_at = status.content.matures_at
    return matures_at is None or now < matures_at


def _locks(listing: Listing, oldest: float | None = None) -> Locks | None:
    if listing.locks is None:
        return None
    count = len(listing.locks)
    return Locks(count, fingerprint(listing.locks), oldest if count else None)


def _partial(missing: frozenset[str]) -> ReadError:
    shown = ", ".join(sorted(name[:8] for name in missing)[:_NAMES_SHOWN])
    more = f" and {len(missing) - _NAMES_SHOWN} more" if len(missing) > _NAMES_SHOWN else ""
    return ReadError(
        Reason.PARTIAL, f"{len(missing)} listed snapshots cannot be read: {shown}{more}"
    )
