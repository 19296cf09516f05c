"""The keys that an entry may have, and what their values must look like."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date
from typing import Any

from ..concurrency.deadline import LONGEST_TIMEOUT
from ..interfaces import IBackendMaker
from ..model.schemes import READERS
from . import freshness
from .document import repeated_keys
from .wording import kind, unknown

# The end of the keys that name a document in a secret store.
MATERIAL = "_material"

_SURROGATE = re.compile("[\ud800-\udfff]")


def _string(value: Any) -> str | None:
    if isinstance(value, str):
        return "must not contain half a surrogate pair" if _SURROGATE.search(value) else None
    if isinstance(value, int | float | date) and not isinstance(value, bool):
        return "must be a string: put it in quotes"
    return f"must be a string, not {kind(value)}"


def _nonempty(value: Any) -> str | None:
    problem = _string(value)
    if problem is not None:
        return problem
    if not value:
        return "must not be empty"
    return "must not contain a NUL" if "\0" in value else None


def _boolean(value: Any) -> str | None:
    return None if isinstance(value, bool) else f"must be true or false, not {kind(value)}"


def _seconds(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"must be a number of seconds, not {kind(value)}"
    if not 0 < value <= LONGEST_TIMEOUT:
        return "must be a number of seconds above 0, and at most a year"
    return None


def _reader(value: Any) -> str | None:
    return None if value in READERS else f"must be one of {', '.join(READERS)}"


def _environment(value: Any) -> str | None:
    if not isinstance(value, dict):
        return f"must be a map of strings, not {kind(value)}"
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


CHECKS: Mapping[str, Callable[[Any], str | None]] = {
    "disabled": _boolean,
    "repo": _nonempty,
    "password": _string,
    "password_file": _nonempty,
    "password_command": _nonempty,
    "cacert": _nonempty,
    "tls_client_cert": _nonempty,
    "key_hint": _nonempty,
    "env": _environment,
    "reader": _reader,
    "timeout": _seconds,
    "cron": _nonempty,
    **freshness.CHECKS,
}


def password_sources(stores: Iterable[str]) -> tuple[str, ...]:
    """The keys of which an entry needs exactly one."""
    return (
        *("password", "password_file", "password_command"),
        *(f"{store}{MATERIAL}" for store in stores),
    )


def from_documents(maker: IBackendMaker) -> tuple[str, ...]:
    """The keys of a backend whose values a document may give."""
    return tuple(key.name for key in maker.keys if key.field is not None)


def materials(maker: IBackendMaker, stores: Iterable[str]) -> dict[str, str]:
    """The keys that name a document for a backend's keys, with the stores they name it in."""
    if not from_documents(maker):
        return {}
    return {f"{maker.name}_{store}{MATERIAL}": store for store in stores}


def own_keys(maker: IBackendMaker, stores: Iterable[str]) -> tuple[str, ...]:
    """All keys that only the repositories of one backend have."""
    return (*(key.name for key in maker.keys), *materials(maker, stores))


def alternatives(
    stores: Collection[str], makers: Iterable[IBackendMaker]
) -> tuple[tuple[tuple[str, ...], ...], ...]:
    """
    Keys that stand for one another.

    An entry that has a key of one alternative takes none of the others from the defaults.
    """
    return (
        tuple((source,) for source in password_sources(stores)),
        freshness.ALTERNATIVES,
        *(
            (from_documents(maker), *((key,) for key in materials(maker, stores)))
            for maker in makers
        ),
    )


def merge(
    entry: Mapping[Any, Any],
    defaults: Mapping[str, Any],
    stores: Collection[str],
    makers: Iterable[IBackendMaker],
) -> dict[Any, Any]:
    """``entry`` with what it takes from ``defaults``."""
    own = set(entry)
    for group in alternatives(stores, makers):
        for chosen in group:
            if not entry.keys().isdisjoint(chosen):
                own.update(key for other in group if other != chosen for key in other)
    return {**{key: value for key, value in defaults.items() if key not in own}, **entry}


def stores_in(entry: Mapping[Any, Any], makers: Iterable[IBackendMaker]) -> set[str]:
    """The names of secret stores that the keys of ``entry`` speak of, installed or not."""
    uses = "|".join(re.escape(f"{maker.name}_") for maker in makers)
    pattern = re.compile(rf"(?:{uses})?([a-z][a-z0-9]*){MATERIAL}")
    found = (pattern.fullmatch(key) for key in entry if isinstance(key, str))
    return {match[1] for match in found if match}


def checks(
    stores: Iterable[str], makers: Iterable[IBackendMaker]
) -> Mapping[str, Callable[[Any], str | None]]:
    """What checks the value of each key, where these are the secret stores and backends."""
    stores = tuple(stores)
    own: dict[str, Callable[[Any], str | None]] = {}
    for maker in makers:
        own.update({one.name: _string if one.optional else _nonempty for one in maker.keys})
        own.update(dict.fromkeys(materials(maker, stores), _nonempty))
    return {**CHECKS, **own, **{f"{store}{MATERIAL}": _nonempty for store in stores}}


def check(
    entry: Mapping[Any, Any], stores: Iterable[str], makers: Iterable[IBackendMaker]
) -> dict[Any, str]:
    """What is wrong with the keys of one entry, and with the types of their values."""
    known = checks(stores, makers)
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
