"""The frozen values that a config becomes."""

from collections.abc import Iterator, Mapping

from attrs import field, frozen

from ..redaction.secret import Secret
from ..schedule.cron import CronExpression
from .settings import BackendSettings, OwnKeys


@frozen
class Transport:
    """
    How to reach a server, where it is not simply the URL's host with the system's CAs.

    ``ca_certificates`` (PEM, one or more) are trusted *instead* of the system's.
    ``client_certificate`` is PEM: the certificate, its intermediates if any, and the
    private key. With ``unix_socket`` the connection goes to that path, whatever the
    URL's host; the host still counts for TLS and the ``Host`` header. Without ``verify``
    anybody may pass for the server.
    """

    ca_certificates: bytes | None = field(default=None, repr=False)
    client_certificate: bytes | None = field(default=None, repr=False)
    unix_socket: str | None = None
    verify: bool = True


DEFAULT_TRANSPORT = Transport()


@frozen
class PasswordCommand:
    """
    The program and arguments whose output is a repository's password.

    ``arguments`` is hidden from ``repr``: people put tokens there.
    """

    arguments: tuple[str, ...] = field(repr=False)


@frozen
class Material:
    """
    A document in a secret store that an entry needs.

    ``key`` is the key of the entry that names it, ``store`` the name of the store, ``path``
    where the document is. ``fields`` has the wanted fields, each with the key whose value it
    gives.
    """

    key: str
    store: str
    path: str
    fields: tuple[tuple[str, str], ...]


@frozen
class Repository:
    """
    One enabled entry of the config, complete and checked.

    ``position`` counts the entries of the file from 1. ``url`` is the label: the repository
    as it is written, its password masked. ``location`` is what restic is told: relative
    paths resolved, credentials included. ``ca_certificate_path`` and
    ``client_certificate_path`` are absolute; ``transport`` holds what these files hold.
    ``timeout`` (seconds), ``cron`` and ``reader`` are ``None`` where the daemon's options
    decide.

    ``materials`` are still to be looked up. Until then what they will give is missing: the
    password is ``None`` where one of them has it, and the repository cannot be read. ``own`` is
    what ``settings`` are made of once that is there.
    """

    # Not part of what makes two equal: moving an entry in the file changes nothing.
    position: int = field(eq=False)
    url: str
    scheme: str
    location: Secret
    password: Secret | PasswordCommand | None
    settings: BackendSettings = field(factory=BackendSettings)
    materials: tuple[Material, ...] = ()
    own: OwnKeys | None = None
    transport: Transport = Transport()
    ca_certificate_path: str | None = None
    client_certificate_path: str | None = None
    key_hint: str | None = None
    env: Mapping[str, Secret] = field(factory=dict)
    reader: str | None = None
    timeout: float | None = None
    cron: CronExpression | None = None

    def secrets(self) -> Iterator[Secret]:
        """Every secret that must not show in what is printed about this repository."""
        yield self.location
        if isinstance(self.password, Secret):
            yield self.password
        yield from self.settings.secrets
        yield from self.env.values()


@frozen
class Config:
    """
    A whole config: the enabled repositories, in the order of the file.

    ``warnings`` are sentences about what is allowed but worth a look. ``name`` is that of
    the file.
    """

    repositories: tuple[Repository, ...]
    warnings: tuple[str, ...] = ()
    name: str = "config"
