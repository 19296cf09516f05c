"""Where a URL leads: parsed once for each server, and what messages may say of it."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from attrs import frozen
from hyperlink import EncodedURL
from twisted.web.client import URI

from ..model.repository import Transport

SHOWN_LENGTH = 200

_ORIGIN = re.compile(r"[^/?#]*//[^/?#]*")
_PLAIN = re.compile(r"/[A-Za-z0-9/._~!$&'()*+,;=:@-]*")


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
        return "an invalid URL"
    if host is None:
        return "the same host"
    shown = f"{parts.scheme}://{host}" if port is None else f"{parts.scheme}://{host}:{port}"
    return f"{shown[:SHOWN_LENGTH]!r}"


@frozen
class Place:
    """
    A server: ``shown`` is how messages name it. ``uri`` is its root as treq sends it, ``None``
    where its name cannot be one. ``ipv6`` says that its name is an address, which treq refuses.
    """

    shown: str
    uri: URI | None
    ipv6: bool


def split(url: str) -> tuple[str, str]:
    """A URL up to its path, and the rest."""
    match = _ORIGIN.match(url)
    end = 0 if match is None else match.end()
    return url[:end], url[end:]


def is_plain(rest: str) -> bool:
    """Whether what follows an origin is a path alone, with nothing that has to be encoded."""
    return _PLAIN.fullmatch(rest) is not None


def place_of(origin: str, transport: Transport) -> Place:
    """
    The server that ``origin``, a URL up to its path, leads to.

    :raises ValueError: if it is not an HTTP URL, or holds credentials; its text is not shown.
    """
    try:
        parts = urlsplit(origin)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("invalid URL") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("not an http or https URL with a host")
    if "@" in parts.netloc:
        raise ValueError("URL must not contain credentials")
    if transport.unix_socket is not None:
        shown = f"unix:{transport.unix_socket}"
    else:
        name = f"[{host}]" if ":" in host else host
        shown = f"{name}:{port or (443 if parts.scheme == 'https' else 80)}"
    ipv6 = ":" in host
    return Place(shown, _uri(f"{origin}/", ipv6), ipv6)


def _uri(root: str, ipv6: bool) -> URI | None:
    try:
        # hyperlink, and treq with it, takes an IPv6 address for a host name that cannot be one.
        sent = root if ipv6 else EncodedURL.from_text(root).to_uri().to_text()
        uri: URI = URI.fromBytes(sent.encode("ascii"))
    except ValueError:
        return None
    return uri
