"""
The interfaces between the rooms of the program, and to plugins of other packages.

Each run of any ``twistd`` imports this through the plugins, so it imports nothing slow.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container, Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen
from twisted.plugin import IPlugin
from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from .concurrency.daemon_threads import KeyedThreads
    from .concurrency.deadline import Deadline
    from .http import BoundedHTTPClient
    from .model.access import Access
    from .model.repository import Repository
    from .model.settings import BackendSettings, Key, OwnKeys
    from .model.snapshot_table import SnapshotTable
    from .model.snapshots import Listing, Lock, Meter
    from .model.upkeep import Size
    from .redaction.secret import Secret


class IBackend(Interface):
    """
    Lists the files of one repository and loads some of them; it decrypts nothing.

    A backend is created when the config is loaded and lives until the next load. It may keep
    state between calls, such as an authorization. Its calls never overlap, except up to
    `concurrent_loads` calls of `load`.
    """

    concurrent_loads: int = Attribute("The number of calls of `load` that may run at one time.")

    def list(deadline: Deadline, meter: Meter) -> Awaitable[Listing]:
        """
        List the repository's current snapshot files and locks.

        An ``async def`` or a Deferred. It must end by ``deadline``, stop its work and close
        its sockets when it is cancelled, use a bounded amount of memory whatever the server
        sends, and never block the reactor. It counts each request and each byte of a response
        in ``meter``.

        A missing folder in an existing repository counts as empty. A missing repository is an
        error, never an empty `Listing`, which would clear alerts. If the locks cannot be
        listed, set ``locks_error``: they matter less than the snapshots.

        :raises ReadError: with the reason, and a message without secrets.
        """

    def list_keys(deadline: Deadline, meter: Meter) -> Awaitable[frozenset[str]]:
        """
        Return the names of 64 hex digits in ``keys/``.

        Called only if a reader has to open the repository and the listing has no ``keys``.
        The rules of `list` apply.

        :raises ReadError: with the reason, and a message without secrets.
        """

    def load(path: str, limit: int, deadline: Deadline, meter: Meter) -> Awaitable[bytes]:
        """
        Return the content of one file of the repository, complete and still encrypted.

        ``path`` is ``config``, or ``keys/``, ``snapshots/`` or ``locks/`` with a name from a
        listing. The rules of `list` apply.

        :raises ReadError: ``not_found`` if there is no such file, ``too_large`` if it has more
            than ``limit`` bytes, ``protocol`` if it is truncated or altered: see
            `restic_reporter.restic_format.file_hash.check_content`.
        """


class IMeasurable(Interface):
    """A backend that can also tell the size of its repository: optional."""

    def measure(deadline: Deadline, meter: Meter) -> Awaitable[Size]:
        """Return the size of all packs, without holding their names; rules as for `list`."""


@frozen
class BackendTools:
    """
    The parts of the daemon that a backend may use.

    ``shared`` is common to all backends of one config load. It keeps state that several
    repositories share, such as an authorization, under a key of the backend's own.
    """

    reactor: Any
    http: BoundedHTTPClient
    threads: KeyedThreads
    shared: dict[Hashable, Any] = field(factory=dict)


class IBackendMaker(IPlugin):
    """
    Creates the backends of one kind of storage.

    A plugin puts an instance into a module of ``twisted/plugins/``.
    """

    name: str = Attribute("The value of the label ``backend``, like 'rest'.")

    schemes: Sequence[str] = Attribute(
        "The text before the first colon of a repository, like ('rest',)."
    )

    keys: Sequence[Key] = Attribute(
        "The config keys for its repositories only; all begin with `name` and '_'. If one has a"
        " ``field``, the key ``NAME_STORE_material`` names a document."
    )

    locates: bool = Attribute(
        "Whether the listings of its backends have a ``location``. Without one, restic cannot read"
        " repositories whose scheme it does not support."
    )

    def configure(own: OwnKeys) -> BackendSettings | None:
        """
        Return `Repository.settings` from the keys of one entry and its ``repo``.

        Does no I/O, but may read a local file. Reports errors by ``own.problem``; the result is
        not used then.
        """

    def make(repository: Repository, tools: BackendTools) -> IBackend:
        """
        Return the backend for one repository, whose scheme is one of `schemes`.

        Does no I/O.

        :raises ValueError: the repository is not supported; the message gives the reason,
            without secrets.
        """


@define
class Memory:
    """
    Anything that a reader keeps for one repository between reads.

    It is cleared when the repository's entry changes or is removed.
    """

    kept: Any = None


@frozen
class ReadRequest:
    """
    A request for the snapshots of ``repository`` that ``table`` lacks.

    ``backend`` and its latest ``listing`` are ``None`` if only the reader can list the
    repository. ``new`` are the listed snapshots that ``table`` lacks, ``gone`` those removed
    from it because they are no longer listed. ``access`` has the current keys and config,
    ``None`` if they were not read.

    ``known`` has the label values (host, user) of the sets shown or expected so far; they take
    precedence if there are too many sets. Requests to ``backend`` are counted in ``meter``.
    """

    repository: Repository
    backend: IBackend | None
    listing: Listing | None
    meter: Meter
    known: Container[tuple[str, str]]
    deadline: Deadline
    memory: Memory
    table: SnapshotTable
    new: Sequence[str] = ()
    gone: Sequence[str] = ()
    access: Access | None = None


@frozen
class ReadResult:
    """
    The result of a read, besides the snapshots that were added to the table.

    ``unreadable`` are the ids (or their first 8 digits) of snapshots that could not be read.
    ``stopped`` means that the reader gave up because of them, so the state of the others is
    unknown. ``seen`` are the ids of all snapshots that it read if it listed the repository
    itself, else ``None``; ``nameless`` is the number of snapshots without a usable id.
    ``locks`` are the readable locks. ``newest_key`` (Unix seconds) is when the newest key file was
    made, ``None`` unless all were read. ``version`` is that of the repository's format, empty if
    unknown.
    """

    unreadable: frozenset[str] = frozenset()
    stopped: bool = False
    seen: frozenset[str] | None = None
    nameless: int = 0
    locks: Sequence[Lock] = ()
    newest_key: float | None = None
    version: str = ""


class ISnapshotReader(Interface):
    """Reads and decrypts the snapshots of a repository."""

    name: str = Attribute("The value of the label ``reader``, like 'restic'.")

    incremental: bool = Attribute(
        "Whether it reads only new files, which is cheap: it is then called for each change, also"
        " of locks. Other readers are called only for changed snapshots."
    )

    def read(request: ReadRequest) -> Awaitable[ReadResult]:
        """
        Add all snapshots that ``request.table`` lacks to it; it may add others too.

        Snapshots that were read stay valid even if the read fails, as a snapshot file never
        changes and is named by its hash. A snapshot that has vanished is no error.

        An ``async def`` or a Deferred. When cancelled, it leaves no process, no lock and no
        work in threads beyond the current step. It never writes to the repository.

        It does not compare the table with a listing; the collection does that.

        :raises ReadError: with the reason, and a message without secrets.
        """

    def open(request: ReadRequest) -> Awaitable[None]:
        """
        Test that the entry's password opens the repository. Read no snapshot.

        For the rest, what is said of `read` holds here too.
        """


class ISecretStore(Interface):
    """
    Returns documents with secrets by path.

    It is created once and lives as long as the daemon. It logs in again by itself when needed
    and never blocks the reactor.
    """

    available: bool = Attribute(
        "Whether it is configured. If not, each look-up fails, and a reload of the config does not"
        " wait for its documents."
    )

    expires_at: float | None = Attribute(
        "The time in Unix seconds when the current access expires; in the past if it has expired"
        " without a new one. None before the first access, and if it never expires."
    )

    def secrets() -> Iterable[Secret]:
        """Return its own secrets, which must be masked in all output."""

    def start() -> None:
        """Log in and keep the access valid from now on; log errors."""

    def look_up(path: str, deadline: Deadline) -> Awaitable[Mapping[str, object]]:
        """
        Return the document at ``path``; its values may have any type.

        An ``async def`` or a Deferred. Many calls may run at one time; each must end by
        ``deadline``. Caching is not needed. A `ReadError` contains no value of the document.
        """

    def forget_failures() -> None:
        """Do not back off any longer: an operator may have corrected the cause."""

    def stop() -> None:
        """Stop all work; return at once, even if requests are still running."""


@frozen
class StoreTools:
    """The parts of the daemon that a secret store may use; ``now`` returns Unix seconds."""

    reactor: Any
    http: BoundedHTTPClient
    now: Callable[[], float]


class ISecretStoreMaker(IPlugin):
    """
    Creates a secret store.

    A plugin puts an instance into a module of ``twisted/plugins/``.
    """

    name: str = Attribute(
        "The name in its config keys: the store 'vault' has the keys ``vault_material``,"
        " ``b2_vault_material`` and so on."
    )

    def make(environ: Mapping[str, str], tools: StoreTools) -> ISecretStore:
        """Return the store, without I/O; a ValueError names what ``environ`` is missing."""
