"""Parses the settings of Vault from the daemon's environment."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from attrs import frozen

from ...http import parse_ca_certificates
from ...model.repository import Transport
from ...redaction.secret import Secret

# The mount point of the KV engine.
MOUNT = "kv"

# As in Go's strconv.ParseBool, which Vault's own programs use.
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"", "0", "f", "F", "FALSE", "false", "False"})


@frozen
class AppRole:
    """The credentials of an AppRole login."""

    role_id: str
    secret_id: Secret


@frozen
class VaultSettings:
    """
    Vault's address and the credentials: at least one of ``token`` and ``app_role`` is set.

    ``transport`` has the trusted CAs, and whether to verify the server.
    """

    address: str
    token: Secret | None
    app_role: AppRole | None
    namespace: str | None
    transport: Transport

    def secrets(self) -> list[Secret]:
        """Return all secrets of the settings."""
        secrets = [] if self.token is None else [self.token]
        if self.app_role is not None:
            secrets.append(self.app_role.secret_id)
        return secrets


def parse_settings(environ: Mapping[str, str]) -> VaultSettings | None:
    """
    Return the settings in ``environ``, ``None`` without ``VAULT_ADDR``.

    Reads the file of VAULT_CACERT.

    :raises ValueError: they are incomplete or invalid; the message names the variables, but
        contains no value that may be secret.
    """
    address = environ.get("VAULT_ADDR", "").strip()
    if not address:
        return None
    _check_address(address)
    token = _parse_header(environ, "VAULT_TOKEN")
    role_id = environ.get("VAULT_ROLE_ID", "").strip()
    secret_id = environ.get("VAULT_SECRET_ID", "").strip()
    app_role = AppRole(role_id, Secret(secret_id)) if role_id and secret_id else None
    if not token and app_role is None:
        raise ValueError(_what_is_missing(role_id, secret_id))
    return VaultSettings(
        address=address.rstrip("/"),
        token=Secret(token) if token else None,
        app_role=app_role,
        namespace=_parse_header(environ, "VAULT_NAMESPACE") or None,
        transport=Transport(
            ca_certificates=_read_certificates(environ.get("VAULT_CACERT", "")),
            verify=not _parse_bool(environ, "VAULT_SKIP_VERIFY"),
        ),
    )


def _what_is_missing(role_id: str, secret_id: str) -> str:
    if role_id:
        return "VAULT_ADDR and VAULT_ROLE_ID are set, but VAULT_SECRET_ID is not"
    if secret_id:
        return "VAULT_ADDR and VAULT_SECRET_ID are set, but VAULT_ROLE_ID is not"
    return (
        "VAULT_ADDR is set without credentials; set VAULT_TOKEN, or VAULT_ROLE_ID and"
        " VAULT_SECRET_ID"
    )


def _check_address(address: str) -> None:
    problem = "VAULT_ADDR must be a URL like 'https://vault.example.com:8200'"
    try:
        url = urlsplit(address)
        port = url.port
    except ValueError:
        raise ValueError(problem) from None
    if url.username is not None or url.password is not None:
        raise ValueError(f"{problem}, without a user name or password")
    if "?" in address or "#" in address:
        raise ValueError(f"{problem}, without '?' or '#'")
    plain = address.isascii() and address.isprintable() and " " not in address
    if url.scheme not in ("http", "https") or not url.hostname or port == 0 or not plain:
        raise ValueError(f"{problem}, not {address!r}")


def _read_certificates(path: str) -> bytes | None:
    """Read the file of VAULT_CACERT, which replaces the system's CAs; ``None`` if it is unset."""
    if not path:
        return None
    try:
        pem = Path(path).read_bytes()
        parse_ca_certificates(pem)
    except OSError as error:
        raise ValueError(f"VAULT_CACERT: cannot read {path!r}: {error.strerror}") from None
    except ValueError:
        raise ValueError(f"VAULT_CACERT: no valid certificate in {path!r}") from None
    return pem


def _parse_header(environ: Mapping[str, str], name: str) -> str:
    """Return the value of a variable that is sent as a header."""
    value = environ.get(name, "").strip()
    if not (value.isascii() and value.isprintable()):
        raise ValueError(f"{name} contains an invalid character")
    return value


def _parse_bool(environ: Mapping[str, str], name: str) -> bool:
    value = environ.get(name, "").strip()
    if value not in _TRUE | _FALSE:
        raise ValueError(f"{name} must be 'true' or 'false', not {value!r}")
    return value in _TRUE
