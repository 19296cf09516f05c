"""
The contracts between the rooms of the program, and with plugins of other people.

This module is imported at each run of anybody's ``twistd``, by the plugins that implement
its interfaces; so it imports nothing that takes time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Hashable, Sequence
from typing import TYPE_CHECKING, Any

from attrs import field, frozen
from twisted.plugin import IPlugin
from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from .config import Repository
    from .deadline import Deadline
    from .http import BoundedHTTPClient
    from .model import Content, Listing, Meter
    from .threads import KeyedThreads


class IBackend(Interface):
    """
    Sees which files one repository has, and fetches some as they are; it decrypts none.

    A backend is made anew when the config is loaded and lives until the next load. It may
    keep state between calls (an authorization, say). It is never called twice at one time.
    """

    def list(deadline: Deadline, meter: Meter) -> Awaitable[Listing]:
        """
        List the repository's snapshot files and locks as they are now.

        An ``async def`` or a Deferred. It must end by ``deadline``, must stop its work and
        close its sockets when it is cancelled, must hold no more than a bounded amount of
        memory whatever the server sends, and must never block the reactor. Each request
        and each byte of an answer is counted in ``meter``.

        A folder that is not there, in a repository that is, counts as empty. A repository
        that is not there is an error, never an empty `Listing`: an empty one would let
        alerts clear.

        :raises ReadError: with the reason, and a message without secrets.
        """

    def load(path: str, limit: int, deadline: Deadline, meter: Meter) -> Awaitable[bytes]:
        """
        Fetch one file of the repository, whole and still encrypted.

        ``path`` is ``config``, or ``keys/``, ``snapshots/`` or ``locks/`` with a name from a
        listing. What is said of `list` holds here too.

        :raises ReadError: ``not_found`` where there is no such file, ``too_large`` where it
            has more than ``limit`` bytes, ``protocol`` where it arrives incomplete or
            altered: see `restic_reporter.files.check_content`.
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

    locates: bool = Attribute(
        "Whether the listings of its backends have a `location`. Where restic does not know a"
        " scheme, it can read the repository only so."
    )

    def make(repository: Repository, tools: BackendTools) -> IBackend:
        """
        The backend for one repository, whose scheme is among `schemes`.

        Does no input or output.

        :raises ValueError: the repository cannot be served; the message says why, without
            secrets.
        """


@frozen
class ReadResult:
    """
    What a reader found: the counted content, and the ids of the snapshots it saw.

    ``nameless`` snapshots had no usable id; they are part of the content's count.
    ``unreadable`` are the ids (8 digits) of those that are known to be there and could not
    be read; they are not part of it.
    """

    content: Content
    ids: frozenset[str]
    nameless: int = 0
    unreadable: frozenset[str] = frozenset()


class ISnapshotReader(Interface):
    """Gets the snapshots of a repository, decrypted."""

    name: str = Attribute("The value of the label ``reader``, like 'restic'.")

    def read(
        repository: Repository,
        now: float,
        known: frozenset[tuple[str, str]],
        deadline: Deadline,
    ) -> Awaitable[ReadResult]:
        """
        Read all snapshots of ``repository``.

        ``now`` (Unix seconds) tells which snapshots are dated in the future; ``known`` are
        the label values of the sets shown so far, which are kept first where there are too
        many. An ``async def`` or a Deferred; when it is cancelled it leaves no process, no
        thread at work and no lock behind. It never writes to the repository.

        It does not compare its result with a listing: that is the collection's part.

        :raises ReadError: with the reason, and a message without secrets.
        """
