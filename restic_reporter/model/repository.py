"""The frozen values that a config becomes."""

from collections.abc import Iterator, Mapping

from attrs import field, frozen

from ..redaction.secret import Secret
from ..schedule.cron import CronExpression


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
class RestCredentials:
    """User name and password for a REST server's basic auth."""

    username: str
    password: Secret


@frozen
class B2Credentials:
    """
    Backblaze's application key. ``api_url`` is the base URL of the authorize call, ``None``
    for Backblaze's own.
    """

    key_id: str
    key: Secret
    api_url: str | None = None


@frozen
class Material:
    """
    A document in a secret store that an entry needs.

    ``key`` is the key of the entry that names it, ``store`` the name of the store, ``path``
    where the document is, and ``fields`` what is wanted of it.
    """

    key: str
    store: str
    path: str
    fields: tuple[str, ...]


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
    password is ``None`` where one of them has it, and the repository cannot be read.
    """

    # Not part of what makes two equal: moving an entry in the file changes nothing.
    position: int = field(eq=False)
    url: str
    scheme: str
    location: Secret
    password: Secret | PasswordCommand | None
    credentials: RestCredentials | None = None
    b2: B2Credentials | None = None
    b2_api_url: str | None = None
    materials: tuple[Material, ...] = ()
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
        if self.credentials is not None:
            yield self.credentials.password
        if self.b2 is not None:
            yield self.b2.key
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
