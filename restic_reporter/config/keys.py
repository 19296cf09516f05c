"""The keys that an entry may have, and what their values must look like."""

import difflib
import re
from collections.abc import Callable, Collection, Mapping
from datetime import date
from typing import Any

from ..deadline import LONGEST_TIMEOUT
from .document import repeated_keys

PASSWORD_SOURCES = ("password", "password_file", "password_command", "vault_material")

# Keys that stand for one another: an entry that has a key of one alternative takes none of
# the others from the defaults.
ALTERNATIVES: tuple[tuple[tuple[str, ...], ...], ...] = (
    tuple((source,) for source in PASSWORD_SOURCES),
    (("rest_username", "rest_password"), ("rest_vault_material",)),
    (("b2_account_id", "b2_key"), ("b2_vault_material",)),
)

# Part of the contract, but this version has nothing that could honour them; ignoring one
# would be worse than refusing it. In a disabled entry they do no harm.
LATER = (
    "vault_material",
    "b2_vault_material",
    "rest_vault_material",
    "max_age",
    "expect",
    "retired",
)

B2_KEYS = ("b2_account_id", "b2_key", "b2_api_url")

# The last is refused, like the keys above, in an enabled entry.
READERS = ("auto", "restic", "native")

_SURROGATE = re.compile("[\ud800-\udfff]")


def _string(value: Any) -> str | None:
    if isinstance(value, str):
        return "must not contain half a surrogate pair" if _SURROGATE.search(value) else None
    if isinstance(value, int | float | date) and not isinstance(value, bool):
        return "must be a string: put it in quotes"
    return f"must be a string, not {_kind(value)}"


def _nonempty(value: Any) -> str | None:
    problem = _string(value)
    if problem is not None:
        return problem
    if not value:
        return "must not be empty"
    return "must not contain a NUL" if "\0" in value else None


def _boolean(value: Any) -> str | None:
    return None if isinstance(value, bool) else f"must be true or false, not {_kind(value)}"


def _seconds(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"must be a number of seconds, not {_kind(value)}"
    if not 0 < value <= LONGEST_TIMEOUT:
        return "must be a number of seconds above 0, and at most a year"
    return None


def _reader(value: Any) -> str | None:
    return None if value in READERS else f"must be one of {', '.join(READERS[:2])}"


def _environment(value: Any) -> str | None:
    if not isinstance(value, dict):
        return f"must be a map of strings, not {_kind(value)}"
    for name in repeated_keys(value):
        return f"{name!r} stands twice"
    for name, content in value.items():
        if _string(name) or not name or "=" in name or "\0" in name:
            return f"{name!r} cannot be the name of an environment variable"
        if name in OURS:
            return f"{name} is set by restic-reporter itself: use {OURS[name]!r}"
        problem = _string(content)
        if problem is not None or "\0" in content:
            return f"{name}: {problem or 'must not contain a NUL'}"
    return None


# Variables that tell restic what the entry tells it already.
OURS: Mapping[str, str] = {
    "RESTIC_PASSWORD": "password",
    "RESTIC_PASSWORD_FILE": "password_file",
    "RESTIC_PASSWORD_COMMAND": "password_command",
    "RESTIC_REPOSITORY": "repo",
    "RESTIC_REPOSITORY_FILE": "repo",
    "RESTIC_KEY_HINT": "key_hint",
    "RESTIC_CACERT": "cacert",
    "RESTIC_TLS_CLIENT_CERT": "tls_client_cert",
    "RESTIC_REST_USERNAME": "rest_username",
    "RESTIC_REST_PASSWORD": "rest_password",
}


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, date):
        return "a date"
    names = {bool: "true or false", str: "a string", dict: "a map", list: "a list"}
    return names.get(
        type(value), "a number" if isinstance(value, int | float) else "something else"
    )


def _anything(value: Any) -> str | None:
    return None


CHECKS: Mapping[str, Callable[[Any], str | None]] = {
    "disabled": _boolean,
    "repo": _nonempty,
    "password": _string,
    "password_file": _nonempty,
    "password_command": _nonempty,
    "rest_username": _nonempty,
    "rest_password": _string,
    "b2_account_id": _nonempty,
    "b2_key": _nonempty,
    "b2_api_url": _nonempty,
    "cacert": _nonempty,
    "tls_client_cert": _nonempty,
    "key_hint": _nonempty,
    "env": _environment,
    "reader": _reader,
    "timeout": _seconds,
    "cron": _nonempty,
    **dict.fromkeys(LATER, _anything),
}


def unknown(key: object, known: Collection[str]) -> str:
    """The sentence about a key that is none of ``known``, with the nearest one that is."""
    near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else f"; known keys: {', '.join(known)}"
    return f"unknown key {key!r}{hint}"


def check(entry: Mapping[Any, Any]) -> dict[Any, str]:
    """What is wrong with the keys of one entry, and with the types of their values."""
    problems: dict[Any, str] = {}
    for key, value in entry.items():
        if key not in CHECKS:
            problems[key] = unknown(key, CHECKS)
            continue
        problem = CHECKS[key](value)
        if problem is not None:
            problems[key] = f"{key}: {problem}"
    for key in repeated_keys(entry):
        problems[key] = f"{key}: stands twice"
    return problems
