"""Repositories and their statuses, kept from one collection to the next."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence

from attrs import define, field, frozen

from ..interfaces import IBackend, ISnapshotReader, Memory
from ..model.backup_sets import Name
from ..model.copies import SetCopy
from ..model.errors import ReadError, Reason
from ..model.repository import Repository
from ..model.results import Result
from ..model.snapshot_table import SnapshotTable
from ..model.snapshots import Content, Listing, Meter
from ..readers.access import SeenAccess
from ..restic_format.file_names import Fingerprint, fingerprint


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


@frozen
class Locks:
    """
    The locks of a repository: their number and the ``fingerprint`` of their names.

    ``times`` are those of the locks in Unix seconds, as far as known.
    """

    count: int
    fingerprint: Fingerprint
    times: tuple[float, ...] = ()

    @classmethod
    def of(cls, listing: Listing, times: Sequence[float]) -> "Locks | None":
        """Return the locks in ``listing``; ``times`` are those from the content of locks."""
        if listing.locks is None:
            return None
        count = len(listing.locks)
        if len(times) < count and listing.lock_times is not None:
            # Some locks were not read.
            times = listing.lock_times
        return cls(count, fingerprint(listing.locks), tuple(times) if count else ())


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

    ``content``, its ``fingerprint``, ``access``, ``locks`` and ``last_success`` (Unix seconds)
    are of the last successful read. ``success`` and ``duration`` (seconds) are of the latest
    read, ``None`` before the first; ``error`` is of that read too, without secrets. ``table``
    has all snapshots read so far, also by failed reads. ``memory`` is the reader's own.
    ``unread`` is set until the task in use was read. ``unopened`` is set if the status is from
    before the start, and the reader has not opened the repository since. ``revision`` changes
    with every read and task. ``reads`` are the latest ones, oldest first. ``removed`` snapshots
    were found by one successful read and not by the next, at ``last_removal`` (Unix seconds) for
    the last time. ``copies`` are those compared so far, by label.
    """

    task: Task
    content: Content | None = None
    locks: Locks | None = None
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
    locks: Locks | None = None
    locks_error: ReadError | None = None
    unchanged: bool = False
    removed: int = 0


@define
class JobStatus:
    """
    The status of the collections as a whole; times are Unix seconds.

    ``error_count`` is the number of repositories whose latest read has failed, as of the end
    of the latest collection. ``left`` is the number still to be read while it is ``running``.
    """

    running: bool = False
    left: int = 0
    last_success: float | None = None
    duration: float | None = None
    error_count: int = 0
    skipped: int = 0


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
    can have some.
    """

    statuses: dict[str, RepositoryStatus] = field(factory=dict)
    job: JobStatus = field(factory=JobStatus)
    config: ConfigStatus = field(factory=ConfigStatus)
    results: dict[str, dict[str, Result]] = field(factory=dict)
