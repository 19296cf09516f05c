"""The frozen values that flow from storage to the metrics page."""

from collections.abc import Hashable, Set

from attrs import Factory, define, frozen

from ..redaction.secret import Secret
from .errors import ReadError

UNKNOWN_USER = "UNKNOWN"


@frozen(slots=True)
class Snapshot:
    """
    One snapshot as a reader found it.

    ``id`` is the 64 hex digits of its file name, or ``None`` where the reader's answer
    lacks a usable one. ``time`` is the instant in Unix seconds, or ``None`` where the
    content is unusable: such a snapshot is counted and is nobody's newest. ``host`` is
    ``None`` where not even the names can be told; such a snapshot belongs to no set.
    """

    id: str | None
    time: float | None
    host: str | None
    user: str


@frozen(slots=True)
class Listing:
    """
    What a backend found in a repository's folders.

    ``snapshots`` are the names of 64 hex digits in ``snapshots/``, each once; ``locks`` and
    ``keys`` are those in ``locks/`` and ``keys/``, ``None`` where the backend cannot tell, or
    could only at a cost. Names may be `ListedNames`, which are parsed only where they are
    looked at.

    ``config`` is some value that changes with the repository's config file, ``None`` where
    the backend cannot show it without a request of its own. ``locks_error`` says why
    ``locks`` is ``None`` where the locks should be there and cannot be listed.

    ``location`` is what restic is told of, in place of the entry's own location, to read
    these snapshots; ``None`` where that is the one to read.
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
    ``newest`` and ``oldest`` are Unix seconds, ``None`` where no snapshot is usable.
    """

    host: str
    user: str
    snapshot_count: int
    newest: float | None
    oldest: float | None


@frozen(slots=True)
class Content:
    """
    What a repository holds: the outcome of one good read.

    ``future_count`` and ``invalid_count`` are snapshots dated too far ahead of the clock
    and ones that are unusable; both are part of ``snapshot_count``. ``dropped_sets`` are
    the backup sets beyond the limit. ``matures_at`` is when (Unix seconds) the first of
    the future snapshots will count like any other, ``None`` without one.
    """

    snapshot_count: int
    future_count: int
    invalid_count: int
    sets: tuple[BackupSet, ...]
    dropped_sets: int
    matures_at: float | None


@define
class Meter:
    """Counts what reading one repository costs, by operation: ``list``, ``load``, ``auth``."""

    requests: dict[str, int] = Factory(dict)
    received_bytes: dict[str, int] = Factory(dict)

    def count_request(self, operation: str) -> None:
        """One more request was sent."""
        self.requests[operation] = self.requests.get(operation, 0) + 1

    def count_bytes(self, operation: str, number: int) -> None:
        """``number`` more bytes of a body have arrived."""
        self.received_bytes[operation] = self.received_bytes.get(operation, 0) + number
