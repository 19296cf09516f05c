"""Refuses orders that a page of another site could give through somebody's browser. Pure."""

from collections.abc import Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

# What an HTML form can send, which needs no permission of the server.
_FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain")


def is_cross_origin(header: Callable[[str], str | None]) -> bool:
    """
    Return whether a browser sends this request for a page that is not ours.

    Browsers set these headers themselves; other clients set none of them. ``header`` returns
    the value of a header in the request, or ``None``.
    """
    site = header("Sec-Fetch-Site")
    if site is not None and site not in ("same-origin", "none"):
        return True
    origin = header("Origin")
    if origin is None:
        return False
    # Only the name and port: before a proxy with TLS the scheme may be another one.
    try:
        authority = urlsplit(origin).netloc
    except ValueError:
        return True
    return not authority or authority.lower() != (header("Host") or "").lower()


def is_rebindable(header: Callable[[str], str | None]) -> bool:
    """
    Return whether a browser may have been led here by a name that is not ours.

    The owner of any name can point it at our address: a page loaded by that name has the same
    origin as ours. It cannot have our password or certificate, so either of them prevents this.
    """
    if header("Origin") is None and header("Sec-Fetch-Site") is None:
        return False
    try:
        name = urlsplit(f"//{header('Host') or ''}").hostname
        if name != "localhost":
            ip_address(name or "")
    except ValueError:
        return True
    return False


def is_form(content_type: str | None) -> bool:
    """Return whether an HTML form can send a body of this type."""
    return (content_type or "").partition(";")[0].strip().lower() in _FORM_TYPES
