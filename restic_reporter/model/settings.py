"""The keys of the config that belong to one backend, and what becomes of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen

from ..redaction.secret import Secret


@frozen
class Key:
    """
    A key of the config that only the repositories of one backend have.

    ``name`` begins with the backend's name and an underscore. Its value is a string, empty
    only where it is ``optional``. A ``secret`` value never shows. With ``field``, the value
    may come from that field of a document in a secret store instead. ``text`` says what it
    means, in the Markdown of a table.
    """

    name: str
    secret: bool = False
    optional: bool = False
    field: str | None = None
    text: str = ""


@frozen(kw_only=True)
class BackendSettings:
    """
    What a backend makes of its keys and of ``repo``; a subclass adds what the backend needs.

    ``location`` replaces ``repo`` for restic, with credentials for instance. ``environment``
    is for restic too. ``unix_socket`` is the path of the socket to connect to. ``secrets`` are
    those besides the values of secret keys. ``restic_reads`` is false where restic cannot reach
    the repository. ``restic_only`` is why nothing but restic can, empty if others can.
    ``awaits_document`` says that the document named in the entry is needed; ``has_credentials``
    that ``repo`` has credentials, so that keys from the defaults do not count.
    """

    location: Secret | None = None
    environment: Mapping[str, Secret] = field(factory=dict)
    unix_socket: str | None = None
    secrets: tuple[Secret, ...] = ()
    restic_reads: bool = True
    restic_only: str = ""
    awaits_document: bool = False
    has_credentials: bool = False


@frozen(kw_only=True)
class BrokenSettings(BackendSettings):
    """Stands in where a plugin has a bug: reads of the repository fail with ``problem``."""

    problem: str


@frozen
class OwnKeys:
    """
    What a backend is given to make its `BackendSettings` of.

    ``repo`` is the repository as written. ``values`` are those of the backend's own keys, from
    the entry, the defaults or a document; ``written`` are the names of those in the entry
    itself. ``environs`` are the entry's ``env`` and the daemon's environment. ``awaited`` is
    true while a document is still to be looked up, which will give the keys with a ``field``.
    ``elsewhere`` is true where another process serves the repository: its environment may
    have what is missing here. ``options`` are the entry's extended options for restic, such as
    ``s3.region``.
    """

    repo: str = field(repr=False)
    values: Mapping[str, str] = field(factory=dict, repr=False)
    written: Sequence[str] = ()
    environs: Sequence[Mapping[str, str]] = field(default=(), repr=False)
    awaited: bool = False
    elsewhere: bool = False
    options: Mapping[str, str] = field(factory=dict)
    # Where values are from, if not from keys of the same name.
    sources: Mapping[str, str] = field(factory=dict)
    problems: list[tuple[str, str]] = field(factory=list, eq=False)

    def problem(self, key: str, text: str) -> None:
        """Note what is wrong with the value of ``key``, or with ``repo``, as a phrase."""
        self.problems.append((key, f"{self.sources.get(key, key)}: {text}" if key else text))


def missing(own: OwnKeys, first: str, second: str) -> bool:
    """Return whether only one of two keys that belong together is present; note the problem."""
    alone: Any = {first, second} & own.values.keys()
    if len(alone) != 1:
        return False
    (lacking,) = {first, second} - alone
    own.problem("", f"the key {lacking!r} is missing")
    return True
