"""Repositories and their statuses, kept from one collection to the next."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence

from attrs import define, field, frozen

from ..interfaces import IBackend, ISnapshotReader, Memory
from ..model.access import NO_KEY_FACTS, KeyFacts
from ..model.backup_sets import Name
from ..model.copies import SetCopy
from ..model.errors import ReadError, Reason
from ..model.repository import Repository
from ..model.results import Result
from ..model.snapshot_table import SnapshotTable
from ..model.snapshots import Content, Listing, Lock, Meter
from ..model.upkeep import Size
from ..readers.access import SeenAccess
from ..restic_format.file_names import Fingerprint, fingerprint
from ..schedule.cron import CronExpression


@frozen
class Task:
    """
    A repository with its backend and its reader.

    ``backend`` is ``None`` for schemes without one, and until the entry's secrets are looked up.
    """

    repository: Repository
    backend_name: str
    backend: IBackend | None
    reader: ISnapshotReader
    timeout: float


# The locks whose contents are kept.
SHOWN_LOCKS = 20


@frozen
class Locks:
    """
    The locks of a repository: their number and the ``fingerprint`` of their names.

    ``times`` are those of the locks in Unix seconds, as far as known. ``oldest`` are the oldest of
    those that were read, at most `SHOWN_LOCKS`, for people.
    """

    count: int
    fingerprint: Fingerprint
    times: tuple[float, ...] = ()
    oldest: tuple[Lock, ...] = ()

    @classmethod
    def of(cls, listing: Listing, read: Sequence[Lock] = ()) -> "Locks | None":
        """Return the locks in ``listing``; ``read`` are those that were read, oldest first."""
        times = tuple(lock.time for lock in read)
        return cls._of(listing, times, tuple(read[:SHOWN_LOCKS]))

    def again(self, listing: Listing) -> "Locks | None":
        """Return the locks in ``listing``, if the same locks would be read again."""
        return self._of(listing, self.times, self.oldest)

    @classmethod
    def _of(
        cls, listing: Listing, times: tuple[float, ...], oldest: tuple[Lock, ...]
    ) -> "Locks | None":
        if listing.locks is None:
            return None
        count = len(listing.locks)
        if not count:
            times = oldest = ()
        elif len(times) < count and listing.lock_times is not None:
            # Some locks were not read.
            times = listing.lock_times
        return cls(count, fingerprint(listing.locks), times, oldest)


# The past reads of a repository that are kept, and the longest message of each.
_PAST_READS, LONGEST_MESSAGE = 20, 400


@frozen(slots=True)
class PastRead:
    """
    The outcome of one read, which ended at ``time`` (Unix seconds) after ``duration`` seconds.

    ``snapshots`` is the number found, or with a ``reason`` why the read failed the number
    known before. ``message`` has no secrets.
    """

    time: float
    duration: float
    snapshots: int
    reason: Reason | None = None
    message: str = ""


@frozen(slots=True)
class Measured:
    """The size of a repository, as of ``time`` (Unix seconds)."""

    size: Size
    time: float


@frozen
class CopyStatus:
    """
    How much of each backup set one copy has, by host and user.

    ``reads`` tells which good reads of both repositories were compared.
    """

    reads: str
    sets: Mapping[Name, SetCopy] = field(repr=False)


@define
class RepositoryStatus:
    """
    The status of one repository.

    ``content``, its ``fingerprint``, ``access``, ``keys``, ``locks`` and ``last_success`` (Unix
    seconds) are of the last successful read. ``success`` and ``duration`` (seconds) are of the
    latest read, ``None`` before the first; ``error`` is of that read too, without secrets.
    ``table`` has all snapshots read so far, also by failed reads. ``memory`` is the reader's own.
    ``unread`` is set until the task in use was read. ``unopened`` is set if the status is from
    before the start, and the reader has not opened the repository since. ``revision`` changes
    with every read and task. ``reads`` are the latest ones, oldest first. ``removed`` snapshots
    were found by one successful read and not by the next, at ``last_removal`` (Unix seconds) for
    the last time. ``copies`` are those compared so far, by label.
    ``size`` is as of the latest listing of all packs.
    """

    task: Task
    content: Content | None = None
    locks: Locks | None = None
    keys: KeyFacts = NO_KEY_FACTS
    _table: SnapshotTable = field(factory=SnapshotTable, alias="table")
    _make_table: Callable[[], SnapshotTable] | None = None
    memory: Memory = field(factory=Memory)
    fingerprint: Fingerprint | None = None
    access: SeenAccess | None = None
    unread: bool = True
    unopened: bool = False
    success: bool | None = None
    error: ReadError | None = None
    last_success: float | None = None
    duration: float | None = None
    failures: dict[Reason, int] = field(factory=dict)
    meter: Meter = field(factory=Meter)
    revision: int = 0
    removed: int = 0
    last_removal: float | None = None
    reads: deque[PastRead] = field(factory=lambda: deque(maxlen=_PAST_READS))
    size: Measured | None = None
    copies: Mapping[str, CopyStatus] = field(factory=dict)

    @property
    def table(self) -> SnapshotTable:
        """Return the table of all snapshots read so far."""
        if self._make_table is not None:
            self.table = self._make_table()
        return self._table

    @table.setter
    def table(self, table: SnapshotTable) -> None:
        self._table, self._make_table = table, None

    def fill_later(self, make: Callable[[], SnapshotTable]) -> None:
        """Let ``make`` return the table when it is first needed."""
        self._make_table = make


@frozen
class Reading:
    """
    The result of a successful read.

    ``unchanged`` means that the listing was as before and ``content`` is the previous one.
    ``locks_error`` is set if listing the locks has failed. ``removed`` is the number of snapshots
    that the successful read before has found and this one has not.
    """

    content: Content
    fingerprint: Fingerprint | None = None
    access: SeenAccess | None = None
    keys: KeyFacts = NO_KEY_FACTS
    locks: Locks | None = None
    locks_error: ReadError | None = None
    unchanged: bool = False
    removed: int = 0


@define
class JobStatus:
    """
    The status of the collections as a whole; times are Unix seconds.

    ``error_count`` is the number of repositories whose latest read has failed, as of the end
    of the latest collection. While one is ``running``, ``left`` is the number still to be read,
    out of those that were ``due``.
    """

    running: bool = False
    left: int = 0
    last_success: float | None = None
    duration: float | None = None
    error_count: int = 0
    skipped: int = 0
    due: int = 0


@define
class Underway:
    """
    A job that one repository after another gets, such as a check.

    It runs for the repository ``label`` since ``began`` (Unix seconds); ``waiting`` has the
    labels of the next ones in order, as keys. ``schedules`` are by label.
    """

    schedules: Mapping[str, CronExpression] = field(factory=dict)
    label: str | None = None
    began: float = 0.0
    waiting: dict[str, None] = field(factory=dict)


@define
class ConfigStatus:
    """The outcome of the latest config load, and the time of the last successful one."""

    successful: bool = True
    success_time: float | None = None


@define
class StateHealth:
    """
    Whether the latest write to the state folder succeeded.

    ``last_write`` is the time of the last successful one, in Unix seconds.
    """

    success: bool = True
    last_write: float | None = None


@define
class CollectionState:
    """
    The statuses of all repositories by label, of the collections and of the config.

    The collector, the queue of runs and the daemon write it; the metrics page and the status page
    read it. ``results`` are the latest of each kind, by label; a repository that was not read yet
    can have some. ``checks`` are those by the daemon itself.
    """

    statuses: dict[str, RepositoryStatus] = field(factory=dict)
    job: JobStatus = field(factory=JobStatus)
    config: ConfigStatus = field(factory=ConfigStatus)
    results: dict[str, dict[str, Result]] = field(factory=dict)
    checks: Underway = field(factory=Underway)

    def meter_of(self, label: str) -> Meter:
        """Return the meter of a repository; before its first read, one that nobody sees."""
        status = self.statuses.get(label)
        return Meter() if status is None else status.meter
