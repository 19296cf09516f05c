"""The frozen values that flow from storage to the metrics page."""

from array import array
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping, Set

from attrs import Factory, define, field, frozen

from ..redaction.secret import Secret
from .errors import ReadError

UNKNOWN_USER = "UNKNOWN"


@frozen(slots=True)
class Summary:
    """
    The statistics of a backup, which restic 0.17 and newer keep in the snapshot.

    ``duration`` is in seconds. ``added_bytes`` are those before compression. Each is ``None``
    without a valid value.
    """

    duration: float | None = None
    processed_bytes: int | None = None
    added_bytes: int | None = None
    new_files: int | None = None
    changed_files: int | None = None
    unmodified_files: int | None = None

    def values(self) -> tuple[float | int | None, ...]:
        """Return the values in the order of the arguments."""
        return (
            self.duration,
            self.processed_bytes,
            self.added_bytes,
            self.new_files,
            self.changed_files,
            self.unmodified_files,
        )


NO_SUMMARY = Summary()


@frozen(slots=True)
class Ratios:
    """
    The values of a set's newest snapshot, each divided by the median of those before it.

    ``None`` for a value that the newest lacks, fewer than five before it have, or whose median
    is 0.
    """

    processed_bytes: float | None = None
    added_bytes: float | None = None
    files: float | None = None
    changed_files: float | None = None


NO_RATIOS = Ratios()


@frozen(slots=True)
class Client:
    """
    What ``--compat`` shows of a snapshot besides.

    ``labels`` are the values of `CLIENT_LABELS`. ``folders`` are the numbers of new, changed and
    unmodified folders, each ``None`` if unknown.
    """

    labels: tuple[str, ...]
    folders: tuple[int | None, int | None, int | None] = (None, None, None)


# Snapshots with the same hash are one client's backups.
CLIENT_LABELS = (
    "client_hostname",
    "client_username",
    "client_version",
    "snapshot_hash",
    "snapshot_tag",
    "snapshot_tags",
    "snapshot_paths",
)


@frozen(slots=True)
class Snapshot:
    """
    One snapshot from a reader.

    ``id`` is the 64 hex digits of its file name, or ``None`` without a valid one. ``time``
    is in Unix seconds, or ``None`` if the content is invalid: such a snapshot counts, but is
    never the newest. ``host`` is ``None`` if the names are invalid too; such a snapshot
    belongs to no set. ``paths`` and ``tags`` are label values: sorted, joined by commas.

    ``original`` is the id of the first snapshot that this one was made from, by ``restic copy``,
    ``tag`` or ``rewrite``; ``None`` for a backup's own. ``tree`` is the id of its content.
    ``dated`` is set if its time differs by more than an hour from when the backup began.
    ``client`` is only there for ``--compat``.
    """

    id: str | None
    time: float | None
    host: str | None
    user: str
    paths: str = ""
    tags: str = ""
    program_version: str = ""
    summary: Summary = NO_SUMMARY
    original: str | None = None
    tree: str = ""
    dated: bool = False
    client: Client | None = None


# Returns when snapshots of a listing were stored, in Unix seconds, as far as known.
StoredTimes = Callable[[Collection[str]], Awaitable[Mapping[str, float]]]


@frozen(slots=True)
class Listing:
    """
    The file names in a repository's folders, from a backend.

    ``snapshots`` are the names of 64 hex digits in ``snapshots/``, without duplicates.
    ``locks`` and ``keys`` are those in ``locks/`` and ``keys/``, ``None`` if the backend does
    not list them or it would cost a request. Names may be `ListedNames`, parsed when used.

    ``lock_times`` are when the listed locks were stored, by the storage's clock in Unix seconds;
    ``None`` if the backend does not tell. ``key_times`` are the same for the listed keys, by name.
    ``stored_times`` returns those of snapshots, without a request.

    ``config`` is any value whose ``repr`` changes with the repository's config file, ``None`` if
    that needs a request. ``locks_error`` is set if listing the locks has failed.

    ``location`` is the location that restic must use to read these snapshots; ``None`` for
    the entry's own.
    """

    snapshots: Set[str]
    locks: frozenset[str] | None = None
    keys: frozenset[str] | None = None
    location: Secret | None = None
    config: Hashable = None
    locks_error: ReadError | None = None
    lock_times: tuple[float, ...] | None = None
    key_times: Mapping[str, float] | None = None
    stored_times: StoredTimes | None = field(default=None, eq=False, repr=False)


@frozen(slots=True)
class Lock:
    """
    The content of a lock: when it was made (Unix seconds), and by whom.

    ``host`` and ``user`` are label values. ``process`` is the number of the process, 0 if it is
    unknown. An ``exclusive`` lock keeps out all others.
    """

    time: float
    host: str = ""
    user: str = ""
    process: int = 0
    exclusive: bool = False


@frozen(slots=True)
class BackupDays:
    """
    The local days with a snapshot within a year.

    ``last`` is the newest day, as `datetime.date.toordinal` counts. Bit n of ``bits`` stands
    for the day n days before it.
    """

    last: int = 0
    bits: int = 0

    def count(self, window: int, today: int) -> int:
        """Return how many of the ``window`` days up to ``today`` have a snapshot."""
        ahead = window - (today - self.last)
        return (self.bits & ((1 << ahead) - 1)).bit_count() if ahead > 0 else 0


@frozen(slots=True)
class Latest:
    """Details of the newest snapshot in a set; see `Snapshot`."""

    id: str
    tags: str
    program_version: str
    summary: Summary


@frozen(slots=True)
class Group:
    """
    The snapshots of a set with the same paths, tags or both; see `Snapshot`.

    ``paths`` or ``tags`` is empty if it does not tell the groups apart. ``newest`` is in Unix
    seconds, ``None`` without a valid snapshot.
    """

    paths: str
    tags: str
    snapshot_count: int
    newest: float | None


@frozen(slots=True)
class ClientGroup:
    """
    The snapshots of one `Client`.

    ``latest`` and ``summary`` are of the newest one, at ``newest`` (Unix seconds); that is ``None``
    without a valid snapshot.
    """

    latest: Client
    snapshot_count: int
    newest: float | None
    summary: Summary


@frozen(slots=True)
class BackupSet:
    """
    All snapshots of one user on one host in one repository.

    ``host`` and ``user`` are label values, sanitised and distinct within the repository.
    ``newest`` and ``oldest`` are Unix seconds, ``None`` without a valid snapshot. ``history``
    are the times of its backups in the last 400 days, also of those whose snapshots have been
    removed since, in whole Unix seconds and in order. ``learned_max_age`` (seconds) is how old
    the newest may be, by the set's own rhythm; ``None`` if too little is known. ``path_lists`` is
    the number of distinct lists of paths among its snapshots.
    """

    host: str
    user: str
    snapshot_count: int
    newest: float | None
    oldest: float | None
    latest: Latest | None = None
    days: BackupDays = BackupDays()
    history: "array[int]" = field(factory=lambda: array("I"), hash=False)
    groups: tuple[Group, ...] = ()
    learned_max_age: float | None = None
    path_lists: int = 0
    ratios: Ratios = NO_RATIOS

    @property
    def known_since(self) -> float | None:
        """Return the time of the oldest backup known, in Unix seconds."""
        return self.history[0] if self.history else self.oldest


@frozen(slots=True)
class Content:
    """
    The content of a repository: the result of one successful read.

    ``future_count`` are snapshots dated too far ahead, ``invalid_count`` invalid ones; both
    are part of ``snapshot_count``. ``dropped_sets`` and ``dropped_groups`` are the numbers of
    backup sets and groups beyond the limit. ``matures_at`` (Unix seconds) is when the first
    future snapshot becomes a normal one, ``None`` without one. ``past`` are the histories of
    sets without a snapshot now, by host and user. ``backdated_count`` are the snapshots whose time
    was given by hand or forged. ``clients`` are only there for ``--compat``.
    """

    snapshot_count: int
    future_count: int
    invalid_count: int
    sets: tuple[BackupSet, ...]
    dropped_sets: int
    matures_at: float | None
    dropped_groups: int = 0
    past: Mapping[tuple[str, str], "array[int]"] = field(factory=dict, hash=False)
    backdated_count: int = 0
    clients: tuple[ClientGroup, ...] = ()


@define
class Meter:
    """Counts requests and bytes of one repository, by operation: ``list``, ``load``, ``auth``."""

    requests: dict[str, int] = Factory(dict)
    received_bytes: dict[str, int] = Factory(dict)

    def count_request(self, operation: str) -> None:
        """Count one more request."""
        self.requests[operation] = self.requests.get(operation, 0) + 1

    def count_bytes(self, operation: str, number: int) -> None:
        """Count ``number`` more bytes of a body."""
        self.received_bytes[operation] = self.received_bytes.get(operation, 0) + number
