"""What may be said of a URL in a message: never a path, a query or a credential."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from .tls import Transport

SHOWN_LENGTH = 200


def describe_target(locations: Sequence[bytes] | None) -> str:
    """
    Scheme and host of a Location header, quoted and cut: a path or query may hold secrets.
    """
    if not locations:
        return "nowhere"
    try:
        parts = urlsplit(locations[0].decode("latin-1"))
        host, port = parts.hostname, parts.port
    except ValueError:
        return "an unreadable place"
    if host is None:
        return "the same host"
    shown = f"{parts.scheme}://{host}" if port is None else f"{parts.scheme}://{host}:{port}"
    return f"{shown[:SHOWN_LENGTH]!r}"


def place_of(url: str, transport: Transport) -> str:
    """
    Where ``url`` leads to, as messages name it.

    :raises ValueError: if it is not an HTTP URL, or holds credentials; its text is not shown.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("not a URL") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("not an http or https URL with a host")
    if "@" in parts.netloc:
        raise ValueError("a URL must not hold credentials")
    if transport.unix_socket is not None:
        return f"unix:{transport.unix_socket}"
    shown = f"[{host}]" if ":" in host else host
    return f"{shown}:{port or (443 if parts.scheme == 'https' else 80)}"
