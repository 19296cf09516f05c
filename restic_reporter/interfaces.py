"""
The contracts between the rooms of the program, and with plugins of other people.

This module is imported at each run of anybody's ``twistd``, by the plugins that implement
its interfaces; so it imports nothing that takes time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
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
    from .model.snapshots import Listing, Meter
    from .redaction.secret import Secret


class IBackend(Interface):
    """
    Sees which files one repository has, and fetches some as they are; it decrypts none.

    A backend is made anew when the config is loaded and lives until the next load. It may
    keep state between calls (an authorization, say). It is never called twice at one time,
    but for as many calls of `load` as it allows.
    """

    concurrent_loads: int = Attribute("How many calls of `load` may be under way at one time.")

    def list(deadline: Deadline, meter: Meter) -> Awaitable[Listing]:
        """
        List the repository's snapshot files and locks as they are now.

        An ``async def`` or a Deferred. It must end by ``deadline``, must stop its work and
        close its sockets when it is cancelled, must hold no more than a bounded amount of
        memory whatever the server sends, and must never block the reactor. Each request
        and each byte of an answer is counted in ``meter``.

        A folder that is not there, in a repository that is, counts as empty. A repository
        that is not there is an error, never an empty `Listing`: an empty one would let
        alerts clear. Locks that cannot be listed are a ``locks_error``: they matter less
        than the snapshots.

        :raises ReadError: with the reason, and a message without secrets.
        """

    def list_keys(deadline: Deadline, meter: Meter) -> Awaitable[frozenset[str]]:
        """
        The names of 64 hex digits in ``keys/``.

        Asked only where a reader has to open the repository and the listing did not tell
        them. What is said of `list` holds here too.

        :raises ReadError: with the reason, and a message without secrets.
        """

    def load(path: str, limit: int, deadline: Deadline, meter: Meter) -> Awaitable[bytes]:
        """
        Fetch one file of the repository, whole and still encrypted.

        ``path`` is ``config``, or ``keys/``, ``snapshots/`` or ``locks/`` with a name from a
        listing. What is said of `list` holds here too.

        :raises ReadError: ``not_found`` where there is no such file, ``too_large`` where it
            has more than ``limit`` bytes, ``protocol`` where it arrives incomplete or
            altered: see `restic_reporter.restic_format.file_hash.check_content`.
        """


@frozen
class BackendTools:
    """
    What a backend is given to work with: nothing of the daemon need be imported globally.

    ``shared`` belongs to all backends of one config load: what several repositories can
    have in common, like an authorization, is kept there under a key of the backend's own.
    """

    reactor: Any
    http: BoundedHTTPClient
    threads: KeyedThreads
    shared: dict[Hashable, Any] = field(factory=dict)


class IBackendMaker(IPlugin):
    """
    A kind of storage that can be listed; found through ``twisted.plugin``.

    An instance stands in a module of ``twisted/plugins/``.
    """

    name: str = Attribute("The value of the label ``backend``, like 'rest'.")

    schemes: Sequence[str] = Attribute(
        "What may stand before the first colon of a repository, like ('rest',)."
    )

    keys: Sequence[Key] = Attribute(
        "The keys of the config that only its repositories have; all begin with `name` and '_'."
        " Where one has a `field`, the key ``NAME_STORE_material`` names a document."
    )

    locates: bool = Attribute(
        "Whether the listings of its backends have a `location`. Where restic does not know a"
        " scheme, it can read the repository only so."
    )

    def configure(own: OwnKeys) -> BackendSettings | None:
        """
        Turn the keys of one entry, and its ``repo``, into settings: `Repository.settings`.

        Does no input or output. All that is wrong is noted by ``own.problem``; then the result
        does not matter.
        """

    def make(repository: Repository, tools: BackendTools) -> IBackend:
        """
        The backend for one repository, whose scheme is among `schemes`.

        Does no input or output.

        :raises ValueError: the repository cannot be served; the message says why, without
            secrets.
        """


@define
class Memory:
    """
    What a reader keeps of one repository from one read to the next, as it likes.

    It is emptied when the repository's entry changes, and goes with the repository.
    """

    kept: Any = None


@frozen
class ReadRequest:
    """
    What a reader is asked for: the snapshots of ``repository`` that ``table`` lacks.

    ``backend`` and the ``listing`` that it has just given are ``None`` where nothing but the
    reader sees the repository. ``new`` are the listed snapshots that ``table`` lacks, ``gone``
    those that it had until now and that are not listed any more. ``access`` is what opens the
    repository now, ``None`` where that was not looked at.

    ``known`` are the label values (host, user) of the sets shown so far, which are kept first
    where there are too many. What is asked of ``backend`` is counted in ``meter``.
    """

    repository: Repository
    backend: IBackend | None
    listing: Listing | None
    meter: Meter
    known: frozenset[tuple[str, str]]
    deadline: Deadline
    memory: Memory
    table: SnapshotTable
    new: Sequence[str] = ()
    gone: Sequence[str] = ()
    access: Access | None = None


@frozen
class ReadResult:
    """
    What a reader has to say, besides the snapshots that it has put into the table.

    ``unreadable`` are the ids (or their first 8 digits) of snapshots that it saw and could
    not read. ``stopped`` says that it gave up because of these: then nothing is known of the
    other snapshots. ``seen`` are the ids of all snapshots that it read, where it has listed
    the repository by itself, else ``None``; ``nameless`` is how many it saw without a usable
    id. ``oldest_lock`` is when the oldest lock was made, in Unix seconds; ``None`` without a
    lock that could be read.
    """

    unreadable: frozenset[str] = frozenset()
    stopped: bool = False
    seen: frozenset[str] | None = None
    nameless: int = 0
    oldest_lock: float | None = None


class ISnapshotReader(Interface):
    """Gets the snapshots of a repository, decrypted."""

    name: str = Attribute("The value of the label ``reader``, like 'restic'.")

    incremental: bool = Attribute(
        "Whether it reads only what is new, so that asking it costs little: it is asked at each"
        " change, of locks too. Another one is asked only for snapshots."
    )

    def read(request: ReadRequest) -> Awaitable[ReadResult]:
        """
        Put all snapshots that ``request.table`` lacks into it; it may put in others too.

        What was read stays valid whatever becomes of the read, as a snapshot file never
        changes and is named by its hash. A snapshot that has vanished is no error.

        An ``async def`` or a Deferred; when it is cancelled it leaves no process, no work
        in threads beyond what is at hand, and no lock behind. It never writes to the
        repository.

        It does not compare the table with a listing: that is the collection's part.

        :raises ReadError: with the reason, and a message without secrets.
        """

    def open(request: ReadRequest) -> Awaitable[None]:
        """
        Test that the entry's password opens the repository. Read no snapshot.

        For the rest, what is said of `read` holds here too.
        """


class ISecretStore(Interface):
    """
    Keeps secrets for others: gives the documents at paths.

    It is made once and lives as long as the daemon, logging in by itself as often as that is
    needed. It never blocks the reactor.
    """

    available: bool = Attribute(
        "Whether it is set up at all. Where it is not, each look-up fails, and a reload of the"
        " config does not wait for what is in it."
    )

    expires_at: float | None = Attribute(
        "When the access that it has now ends, in Unix seconds; for one that has ended and has no"
        " successor, when that was. None where there was none yet, or one without an end."
    )

    def secrets() -> Iterable[Secret]:
        """Its own secrets, which must not show in anything that is printed."""

    def start() -> None:
        """Log in, and keep the access alive from now on; what goes wrong is logged."""

    def look_up(path: str, deadline: Deadline) -> Awaitable[Mapping[str, object]]:
        """
        The document at ``path``, whose values may be of any kind.

        An ``async def`` or a Deferred; it may be called many times at one time, and must end
        by ``deadline``. It need not keep anything for the next time.

        :raises ReadError: ``secret``; the message names no value.
        """

    def forget_failures() -> None:
        """Ask again at once: an order by hand may mean that somebody has mended something."""

    def stop() -> None:
        """Do nothing more. Returns at once, whatever still hangs, and nothing waits for that."""


@frozen
class StoreTools:
    """What a secret store is given to work with; ``now`` is the wall clock in Unix seconds."""

    reactor: Any
    http: BoundedHTTPClient
    now: Callable[[], float]


class ISecretStoreMaker(IPlugin):
    """
    A kind of secret store; found through ``twisted.plugin``.

    An instance stands in a module of ``twisted/plugins/``.
    """

    name: str = Attribute(
        "What its keys in the config begin with: the store 'vault' has the keys ``vault_material``,"
        " ``b2_vault_material`` and the like."
    )

    def make(environ: Mapping[str, str], tools: StoreTools) -> ISecretStore:
        """
        The store, set up by the daemon's environment ``environ``.

        Does no input or output.

        :raises ValueError: it is set up by half; the message says what to mend.
        """
