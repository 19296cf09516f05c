"""The frozen values of a config."""

from collections.abc import Iterator, Mapping

from attrs import field, frozen

from ..redaction.secret import Secret, secret_url_forms
from ..schedule.cron import CronExpression
from .columns import Shape
from .freshness import Freshness
from .settings import BackendSettings, OwnKeys
from .upkeep import NO_UPKEEP, Upkeep


@frozen
class Transport:
    """
    How to reach a server.

    ``ca_certificates`` (PEM, one or more) are trusted *instead* of the system's.
    ``client_certificate`` is PEM: the certificate, its intermediates if any, and the
    private key. With ``unix_socket`` the connection goes to that path; the URL's host is
    still used for TLS and the ``Host`` header. Without ``verify`` the server's certificate
    is not checked.
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

    ``arguments`` is hidden from ``repr``, as it may contain tokens.
    """

    arguments: tuple[str, ...] = field(repr=False)


@frozen
class Material:
    """
    A document in a secret store that an entry needs.

    ``key`` is the entry's key for it, ``store`` the name of the store, ``path`` the path
    there. ``fields`` has the needed fields, each with the key that gets its value.
    """

    key: str
    store: str
    path: str
    fields: tuple[tuple[str, str], ...]


@frozen
class Repository:
    """
    One enabled entry of the config, complete and valid.

    ``position`` counts the entries of the file from 1. ``url`` is the label: the repository
    as written, its password masked. ``location`` is the location for restic: relative paths
    resolved, credentials included. ``ca_certificate_path`` and ``client_certificate_path``
    are absolute; ``transport`` has the content of these files. ``options`` are restic's extended
    options (``-o``); they show in the process list, so none is secret. ``timeout`` (seconds),
    ``cron`` and ``reader`` are ``None`` if the daemon's options apply. ``group_by`` has
    ``paths``, ``tags``, both or neither. ``copies`` are the labels of repositories of this config
    that should hold the snapshots of this one too. ``identified`` repositories take part in that,
    on either side. ``client_paths`` is as in `Shape`.

    ``ping_url`` is a secret as a whole.

    ``materials`` are not looked up yet. Until then their values are missing: a password from
    one of them is ``None``, and the repository cannot be read. ``own`` is the source of
    ``settings`` then.
    """

    # Ignored by ==: moving an entry in the file changes nothing.
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
    options: Mapping[str, str] = field(factory=dict)
    reader: str | None = None
    timeout: float | None = None
    cron: CronExpression | None = None
    group_by: tuple[str, ...] = ()
    identified: bool = False
    client_paths: bool | None = None
    # Ignored by ==: a repository need not be opened anew for it.
    freshness: Freshness = field(factory=Freshness, eq=False)
    upkeep: Upkeep = field(default=NO_UPKEEP, eq=False)
    ping_url: Secret | None = field(default=None, eq=False)
    copies: tuple[str, ...] = field(default=(), eq=False)

    @property
    def shape(self) -> Shape:
        """Return the shape of the table of its snapshots."""
        return Shape(self.group_by, self.identified, self.client_paths)

    def secrets(self) -> Iterator[Secret]:
        """Yield every secret to mask in output about this repository."""
        yield self.location
        if isinstance(self.password, Secret):
            yield self.password
        yield from self.settings.secrets
        yield from self.env.values()
        if self.ping_url is not None:
            yield from secret_url_forms(self.ping_url.reveal())


@frozen
class Config:
    """
    A whole config: the enabled repositories, in the order of the file.

    ``warnings`` are messages about valid but unusual settings. ``name`` is the file's name.
    """

    repositories: tuple[Repository, ...]
    warnings: tuple[str, ...] = ()
    name: str = "config"
