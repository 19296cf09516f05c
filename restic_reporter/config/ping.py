"""The key ``ping_url`` of an entry."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from ..http.urls import is_plain, place_of, split
from ..model.repository import DEFAULT_TRANSPORT
from ..redaction.secret import Secret
from .wording import kind

# Neither blanks nor control characters nor halves of surrogate pairs.
_USABLE = re.compile(r"[^\s\x00-\x1f\x7f\ud800-\udfff]+")


def _problem(value: Any) -> str | None:
    # Without the value, which is a secret.
    if not isinstance(value, str):
        return f"must be a string, not {kind(value)}"
    if not _USABLE.fullmatch(value):
        return "must be a URL without blanks"
    if "#" in value:
        return "must not have a fragment ('#')"
    origin, rest = split(value)
    try:
        place = place_of(origin, DEFAULT_TRANSPORT)
    except ValueError as error:
        return str(error)
    if place.ipv6 and not is_plain(rest):
        # Which the HTTP client cannot send.
        return "use a host name in place of the IPv6 address"
    return "invalid host name" if place.uri is None else None


# As in `restic_reporter.config.keys`.
CHECKS: Mapping[str, Callable[[Any], str | None]] = {"ping_url": _problem}


def ping_url_of(values: Mapping[str, Any]) -> Secret | None:
    """Return the URL to ping, if an entry has one; its values have passed `CHECKS`."""
    return Secret(values["ping_url"]) if "ping_url" in values else None
