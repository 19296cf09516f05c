"""The content of a ``--web-config`` file, checked."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from attrs import field, frozen
from OpenSSL.SSL import Context


@frozen
class RateLimit:
    """A request every ``interval`` seconds, and up to ``burst`` requests at once."""

    interval: float
    burst: int


@frozen
class WebConfig:
    """
    How the web server is secured; by default not at all.

    ``tls`` serves new connections, if it is there. ``users`` has each user's bcrypt hash; if
    there are none, no password is asked for. ``headers`` are added to every response.
    ``warnings`` are sentences for the log.
    """

    tls: Context | None = None
    users: Mapping[str, bytes] = field(default=MappingProxyType({}), repr=False)
    headers: Mapping[bytes, bytes] = MappingProxyType({})
    rate_limit: RateLimit | None = None
    warnings: tuple[str, ...] = ()


def weakening(running: WebConfig, new: WebConfig) -> str | None:
    """
    Return why ``new`` may not replace ``running`` without a restart, or ``None``.

    A file that is cut short, while an editor writes it, is often a valid one without its last
    sections. It must not open the server.
    """
    if (running.tls is None) != (new.tls is None):
        return f"tls_server_config: restart to turn TLS {'off' if running.tls else 'on'}"
    if running.users and not new.users:
        return "basic_auth_users: restart to serve without a password"
    return None
