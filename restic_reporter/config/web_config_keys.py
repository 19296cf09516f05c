"""The keys that a ``--web-config`` file may have, and what their values must look like."""

import re
from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches
from typing import Any

from ..web.security.passwords import cost_of
from ..web.security.tls import CIPHERS, CLIENT_AUTH, CURVES, TLS13_CIPHERS, VERSIONS

# The headers that may be set, with their values where only some are allowed.
_HEADERS: Mapping[str, tuple[str, ...]] = {
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}

# The last character of salt and digest has bits that are always 0.
_BCRYPT = re.compile(r"\$2[abxy]\$\d\d\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{30}[./A-Za-z0-9]")

# bcrypt's lowest cost. Beyond the highest, a check takes longer than a request may.
_COSTS = range(4, 19)

# YAML 1.1, which exporter-toolkit reads, has these beside true and false.
_BOOLEANS = dict.fromkeys(("yes", "on", "y"), True) | dict.fromkeys(("no", "off", "n"), False)

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)", re.ASCII)

Check = Callable[[Any], str | None]


def is_true(value: Any) -> bool:
    """Return the meaning of a valid boolean."""
    return value if isinstance(value, bool) else _BOOLEANS[value.lower()]


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) else "must be a string"


def _boolean(value: Any) -> str | None:
    valid = isinstance(value, bool) or (isinstance(value, str) and value.lower() in _BOOLEANS)
    return None if valid else "must be true or false"


def _one_of(known: Collection[str]) -> Check:
    def check(value: Any) -> str | None:
        if isinstance(value, str) and value in known:
            return None
        near = get_close_matches(str(value), known, n=1)
        hint = (
            f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(filter(None, known))}"
        )
        return f"unknown value {value!r}; {hint}"

    return check


def _list_of(check: Check) -> Check:
    def check_list(value: Any) -> str | None:
        if not isinstance(value, list):
            return "must be a list"
        return next(filter(None, map(check, value)), None)

    return check_list


def _anything(value: Any) -> str | None:
    return None


def _header(values: tuple[str, ...]) -> Check:
    def check(value: Any) -> str | None:
        if values and value not in values:
            return f"unknown value {value!r}; use {' or '.join(values)}"
        if not isinstance(value, str) or not value.isprintable():
            return "must be one line of text"
        return None

    return check


def bcrypt_hash(value: Any) -> str | None:
    """Return what is wrong with a bcrypt hash, without the hash itself."""
    if not isinstance(value, str) or not _BCRYPT.fullmatch(value):
        return "must be a bcrypt hash, as htpasswd -nBC 10 '' prints it"
    if cost_of(value.encode()) not in _COSTS:
        return f"bcrypt cost must be {_COSTS[0]} to {_COSTS[-1]}; use 10"
    return None


def _duration(value: Any) -> str | None:
    if value == 0 or (isinstance(value, str) and seconds(value) is not None):
        return None
    return f"must be a duration such as '1s' or '100ms', not {value!r}"


def seconds(text: str | int) -> float | None:
    """Return the seconds of a duration in Go's notation (``1m30s``), ``None`` if it is none."""
    parts = _DURATION_PART.findall(str(text))
    if "".join(number + unit for number, unit in parts) != text:
        return 0.0 if text in (0, "0") else None
    return sum(float(number) * _UNITS[unit] for number, unit in parts) if parts else None


def _count(value: Any) -> str | None:
    valid = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return None if valid else "must be a whole number, at least 0"


TLS: Mapping[str, Check] = {
    "cert_file": _text,
    "key_file": _text,
    "cert": _text,
    "key": _text,
    "client_ca_file": _text,
    "client_ca": _text,
    "client_auth_type": _one_of(CLIENT_AUTH),
    "client_allowed_sans": _list_of(_text),
    "min_version": _one_of(VERSIONS),
    "max_version": _one_of(VERSIONS),
    "cipher_suites": _list_of(_one_of((*CIPHERS, *TLS13_CIPHERS))),
    "curve_preferences": _list_of(_one_of(CURVES)),
    "prefer_server_cipher_suites": _boolean,
}
# One of these turns TLS on.
TLS_SWITCHES = tuple(TLS)[:7]

SECTIONS: Mapping[str, Check] = {
    "tls_server_config": _anything,
    "http_server_config": _anything,
    "basic_auth_users": _anything,
    "rate_limit": _anything,
}
HTTP: Mapping[str, Check] = {"http2": _boolean, "headers": _anything}
RATE_LIMIT: Mapping[str, Check] = {"interval": _duration, "burst": _count}
HEADERS: Mapping[str, Check] = {name: _header(one) for name, one in _HEADERS.items()}
