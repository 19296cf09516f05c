"""A repository, what reads it, and what is known of it: kept from one collection to the next."""

from attrs import define, field, frozen

from ..interfaces import IBackend, ISnapshotReader, Memory
from ..model.errors import ReadError, Reason
from ..model.repository import Repository
from ..model.snapshot_table import SnapshotTable
from ..model.snapshots import Content, Meter
from ..readers.access import SeenAccess
from ..restic_format.file_names import Fingerprint


@frozen
class Task:
    """
    A repository and what reads it.

    ``backend`` is ``None`` where the reader is all we have, and as long as secrets of the entry
    are still to be looked up.
    """

    repository: Repository
    backend_name: str
    backend: IBackend | None
    reader: ISnapshotReader
    timeout: float


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
    ``None`` before the first; ``error`` is why that failed, without secrets, ``None`` if it did
    not. ``fingerprint`` belongs to the snapshots in ``content``, and
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
    error: ReadError | None = None
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


@define
class JobStatus:
    """
    What is known of the collections as a whole. Times are Unix seconds.

    ``error_count`` is the number of repositories whose latest read has failed, as of the
    end of the latest collection.
    """

    running: bool = False
    last_success: float | None = None
    duration: float | None = None
    error_count: int = 0
    skipped: int = 0


@define
class ConfigStatus:
    """How the latest load of the config went, and when one last went well, in Unix seconds."""

    successful: bool = True
    success_time: float | None = None


@define
class CollectionState:
    """
    All that is known: of every repository by label, of the collections, and of the config.

    The collector, the queue of runs and the daemon write it; the metrics page reads it.
    """

    statuses: dict[str, RepositoryStatus] = field(factory=dict)
    job: JobStatus = field(factory=JobStatus)
    config: ConfigStatus = field(factory=ConfigStatus)
