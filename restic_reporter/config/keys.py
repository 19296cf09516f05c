"""The keys that an entry may have, and what their values must look like."""

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date
from typing import Any

from ..concurrency.deadline import LONGEST_TIMEOUT
from ..model.schemes import READERS
from .document import repeated_keys

# Part of the contract, but this version has nothing that could honour them; ignoring one
# would be worse than refusing it. In a disabled entry they do no harm.
LATER = (
    "max_age",
    "expect",
    "retired",
)

B2_KEYS = ("b2_account_id", "b2_key", "b2_api_url")

# What a secret store may be called, so that what its keys are for can be told from them.
STORE_NAME = re.compile(r"(?!(?:b2|rest)$)[a-z][a-z0-9]*")

_MATERIAL = re.compile(rf"(?:b2_|rest_)?({STORE_NAME.pattern.replace('$', '_')})_material")

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
    return None if value in READERS else f"must be one of {', '.join(READERS)}"


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


def password_sources(stores: Iterable[str]) -> tuple[str, ...]:
    """The keys of which an entry needs exactly one."""
    return (
        *("password", "password_file", "password_command"),
        *(f"{store}_material" for store in stores),
    )


def alternatives(stores: Collection[str]) -> tuple[tuple[tuple[str, ...], ...], ...]:
    """
    Keys that stand for one another.

    An entry that has a key of one alternative takes none of the others from the defaults.
    """
    return (
        tuple((source,) for source in password_sources(stores)),
        (("rest_username", "rest_password"), *((f"rest_{store}_material",) for store in stores)),
        (("b2_account_id", "b2_key"), *((f"b2_{store}_material",) for store in stores)),
    )


def merge(
    entry: Mapping[Any, Any], defaults: Mapping[str, Any], stores: Collection[str]
) -> dict[Any, Any]:
    """``entry`` with what it takes from ``defaults``."""
    own = set(entry)
    for group in alternatives(stores):
        for chosen in group:
            if not entry.keys().isdisjoint(chosen):
                own.update(key for other in group if other != chosen for key in other)
    return {**{key: value for key, value in defaults.items() if key not in own}, **entry}


def stores_in(entry: Mapping[Any, Any]) -> set[str]:
    """The names of secret stores that the keys of ``entry`` speak of, installed or not."""
    found = (_MATERIAL.fullmatch(key) for key in entry if isinstance(key, str))
    return {match[1] for match in found if match}


def checks(stores: Iterable[str]) -> Mapping[str, Callable[[Any], str | None]]:
    """What checks the value of each key, where these are the names of the secret stores."""
    uses = ("", "b2_", "rest_")
    return {
        **CHECKS,
        **{f"{use}{store}_material": _nonempty for store in stores for use in uses},
    }


def check(entry: Mapping[Any, Any], stores: Iterable[str] = ()) -> dict[Any, str]:
    """
    What is wrong with the keys of one entry, and with the types of their values.

    ``stores`` are the names of the secret stores that may stand in keys.
    """
    known = checks(stores)
    problems: dict[Any, str] = {}
    for key, value in entry.items():
        if key not in known:
            problems[key] = unknown(key, known)
            continue
        problem = known[key](value)
        if problem is not None:
            problems[key] = f"{key}: {problem}"
    for key in repeated_keys(entry):
        problems[key] = f"{key}: stands twice"
    return problems
