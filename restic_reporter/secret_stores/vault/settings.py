"""The daemon's environment -> how Vault is reached and logged in to."""

import contextlib
import ipaddress
import os
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from attrs import frozen

from ...redaction.secret import Secret

# Where the documents are.
MOUNT = "kv"

# As Go's strconv.ParseBool, with which Vault's own programs read it.
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"", "0", "f", "F", "FALSE", "false", "False"})


@frozen
class AppRole:
    """What an AppRole login needs."""

    role_id: str
    secret_id: Secret


@frozen
class VaultSettings:
    """
    Where Vault is, and who we are there; at least one of ``token`` and ``app_role`` is set.

    ``cacert`` is the path of a PEM file, which replaces the system's authorities. ``proxy``
    is the URL of an HTTP proxy, which may hold a password.
    """

    address: str
    token: Secret | None
    app_role: AppRole | None
    namespace: str | None
    cacert: str | None
    skip_verify: bool
    proxy: Secret | None

    def secrets(self) -> list[Secret]:
        """All that must not be shown."""
        secrets = [] if self.token is None else [self.token]
        if self.app_role is not None:
            secrets.append(self.app_role.secret_id)
        if self.proxy is not None:
            secrets.append(self.proxy)
            password = urlsplit(self.proxy.reveal()).password
            if password:
                secrets.append(Secret(password))
        return secrets


def parse_settings(environ: Mapping[str, str]) -> VaultSettings | None:
    """
    The settings in ``environ``, ``None`` where there is no ``VAULT_ADDR``.

    :raises ValueError: they are incomplete or wrong; the message names the variables, and
        the value of none that may be a secret.
    """
    address = environ.get("VAULT_ADDR", "").strip()
    if not address:
        return None
    url = _parse_address(address)
    token = _parse_header(environ, "VAULT_TOKEN")
    role_id = environ.get("VAULT_ROLE_ID", "").strip()
    secret_id = environ.get("VAULT_SECRET_ID", "").strip()
    cacert = environ.get("VAULT_CACERT")
    app_role = AppRole(role_id, Secret(secret_id)) if role_id and secret_id else None
    if not token and app_role is None:
        raise ValueError(_what_is_missing(role_id, secret_id))
    return VaultSettings(
        address=address.rstrip("/"),
        token=Secret(token) if token else None,
        app_role=app_role,
        namespace=_parse_header(environ, "VAULT_NAMESPACE") or None,
        # Now, since twistd will change directory.
        cacert=os.path.abspath(cacert) if cacert else None,
        skip_verify=_parse_bool(environ, "VAULT_SKIP_VERIFY"),
        proxy=_parse_proxy(environ, url),
    )


def _what_is_missing(role_id: str, secret_id: str) -> str:
    if role_id:
        return "VAULT_ADDR and VAULT_ROLE_ID are set, but VAULT_SECRET_ID is not"
    if secret_id:
        return "VAULT_ADDR and VAULT_SECRET_ID are set, but VAULT_ROLE_ID is not"
    return (
        "VAULT_ADDR is set, but neither VAULT_TOKEN nor VAULT_ROLE_ID with VAULT_SECRET_ID"
        " is: there is no way to log in"
    )


def _parse_address(address: str) -> SplitResult:
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
    return url


def _parse_header(environ: Mapping[str, str], name: str) -> str:
    """A value that is sent as a header."""
    value = environ.get(name, "").strip()
    if not (value.isascii() and value.isprintable()):
        raise ValueError(f"{name} has characters that cannot be in it")
    return value


def _parse_bool(environ: Mapping[str, str], name: str) -> bool:
    value = environ.get(name, "").strip()
    if value not in _TRUE | _FALSE:
        raise ValueError(f"{name} must be 'true' or 'false', not {value!r}")
    return value in _TRUE


def _parse_proxy(environ: Mapping[str, str], url: SplitResult) -> Secret | None:
    """
    The proxy for ``url``: `HTTPS_PROXY` less `NO_PROXY`, in either case of letters.

    Through a proxy TLS goes from end to end. Plain HTTP would show the token to the proxy,
    so that `HTTP_PROXY` is left aside.
    """
    proxy = (environ.get("HTTPS_PROXY") or environ.get("https_proxy") or "").strip()
    if not proxy or url.scheme != "https":
        return None
    host = url.hostname or ""
    exceptions = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    if _goes_direct(host, url.port or 443, exceptions):
        return None
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    problem = "HTTPS_PROXY, which is on the way to Vault, must be a URL with http:// or https://"
    try:
        parts = urlsplit(proxy)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise ValueError(problem)
    return Secret(proxy)


def _goes_direct(host: str, port: int, exceptions: str) -> bool:
    """Whether the list of `NO_PROXY` has ``host``, or it is this machine."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    for exception in exceptions.lower().replace(" ", "").split(","):
        name = exception.removesuffix(f":{port}").removeprefix("*").removeprefix(".")
        if exception == "*" or (name and (host == name or host.endswith(f".{name}"))):
            return True
        if address is not None and "/" in exception:
            with contextlib.suppress(ValueError):
                if address in ipaddress.ip_network(exception, strict=False):
                    return True
    return False
