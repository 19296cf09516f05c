"""The frozen values that flow from storage to the metrics page."""

from collections.abc import Hashable, Set

from attrs import Factory, define, frozen

from ..redaction.secret import Secret
from .errors import ReadError

UNKNOWN_USER = "UNKNOWN"


@frozen(slots=True)
class Snapshot:
    """
    One snapshot from a reader.

    ``id`` is the 64 hex digits of its file name, or ``None`` without a valid one. ``time``
    is in Unix seconds, or ``None`` if the content is invalid: such a snapshot counts, but is
    never the newest. ``host`` is ``None`` if the names are invalid too; such a snapshot
    belongs to no set.
    """

    id: str | None
    time: float | None
    host: str | None
    user: str


@frozen(slots=True)
class Listing:
    """
    The file names in a repository's folders, from a backend.

    ``snapshots`` are the names of 64 hex digits in ``snapshots/``, without duplicates.
    ``locks`` and ``keys`` are those in ``locks/`` and ``keys/``, ``None`` if the backend does
    not list them or it would cost a request. Names may be `ListedNames`, parsed when used.

    ``config`` is any value that changes with the repository's config file, ``None`` if that
    needs a request. ``locks_error`` is set if listing the locks has failed.

    ``location`` is the location that restic must use to read these snapshots; ``None`` for
    the entry's own.
    """

    snapshots: Set[str]
    locks: frozenset[str] | None = None
    keys: frozenset[str] | None = None
    location: Secret | None = None
    config: Hashable = None
    locks_error: ReadError | None = None


@frozen(slots=True)
class BackupSet:
    """
    All snapshots of one user on one host in one repository.

    ``host`` and ``user`` are label values, sanitised and distinct within the repository.
    ``newest`` and ``oldest`` are Unix seconds, ``None`` without a valid snapshot.
    """

    host: str
    user: str
    snapshot_count: int
    newest: float | None
    oldest: float | None


@frozen(slots=True)
class Content:
    """
    The content of a repository: the result of one successful read.

    ``future_count`` are snapshots dated too far ahead, ``invalid_count`` invalid ones; both
    are part of ``snapshot_count``. ``dropped_sets`` is the number of backup sets beyond the
    limit. ``matures_at`` (Unix seconds) is when the first future snapshot becomes a normal
    one, ``None`` without one.
    """

    snapshot_count: int
    future_count: int
    invalid_count: int
    sets: tuple[BackupSet, ...]
    dropped_sets: int
    matures_at: float | None


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
