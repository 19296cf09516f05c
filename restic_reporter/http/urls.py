"""The servers of URLs, parsed once each, and their names in messages."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from attrs import frozen
from hyperlink import EncodedURL
from twisted.web.client import URI

from ..model.repository import Transport

SHOWN_LENGTH = 200

_ORIGIN = re.compile(r"[^/?#]*//[^/?#]*")
_PLAIN = re.compile(
    r"/(?:[A-Za-z0-9/._~!$&'()*+,;=:@-]|%[0-9A-F]{2})*"
    r"(?:\?(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})(?:[A-Za-z0-9._~=&-]|%[0-9A-F]{2})*)?"
)


def describe_target(locations: Sequence[bytes] | None) -> str:
    """
    Return scheme and host of a Location header, quoted and cut.

    The path and query are left out, as they may contain secrets.
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
    A server.

    ``shown`` is its name in messages. ``uri`` is its root as treq sends it, ``None`` for an
    invalid host name. ``ipv6`` is set for an IPv6 address, which treq rejects.
    """

    shown: str
    uri: URI | None
    ipv6: bool


def split(url: str) -> tuple[str, str]:
    """Split a URL into its part before the path, and the rest."""
    match = _ORIGIN.match(url)
    end = 0 if match is None else match.end()
    return url[:end], url[end:]


def is_plain(rest: str) -> bool:
    """Return whether ``rest`` is a path and perhaps a query, without characters to encode."""
    return _PLAIN.fullmatch(rest) is not None


def place_of(origin: str, transport: Transport) -> Place:
    """
    Return the server of ``origin``, a URL up to its path.

    :raises ValueError: it is not an HTTP URL, or contains credentials; the message does not
        contain the URL.
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
        # hyperlink, which treq uses, reads an IPv6 address as an invalid host name.
        sent = root if ipv6 else EncodedURL.from_text(root).to_uri().to_text()
        uri: URI = URI.fromBytes(sent.encode("ascii"))
    except ValueError:
        return None
    return uri
