"""The keys of an entry, and checks of their values."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from ..concurrency.deadline import LONGEST_TIMEOUT
from ..interfaces import IBackendMaker
from ..model.schemes import READERS
from . import freshness, ping, restic_options, upkeep
from .copies import copies_problem
from .document import repeated_keys
from .wording import kind, unknown

# Ends the keys that name a document in a secret store.
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
        return "must be a number of seconds greater than 0, at most a year"
    return None


def _environment(value: Any) -> str | None:
    if not isinstance(value, dict):
        return f"must be a map of strings, not {kind(value)}"
    for name in repeated_keys(value):
        return f"duplicate name {name!r}"
    for name, content in value.items():
        if _string(name) or not name or "=" in name or "\0" in name:
            return f"invalid name of an environment variable: {name!r}"
        if name in OURS:
            return f"{name} is set by restic-reporter; use the key {OURS[name]!r}"
        problem = _string(content)
        if problem is not None or "\0" in content:
            return f"{name}: {problem or 'must not contain a NUL'}"
    return None


_SAME_NAME = (
    *("password", "password_file", "password_command", "key_hint", "cacert", "tls_client_cert"),
    *("rest_username", "rest_password"),
)

# Variables that restic-reporter sets for restic, with the keys of their values.
OURS: Mapping[str, str] = {
    "RESTIC_REPOSITORY": "repo",
    "RESTIC_REPOSITORY_FILE": "repo",
    **{f"RESTIC_{key.upper()}": key for key in _SAME_NAME},
}


# Each returns the problem of a value, if any.
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
    "options": restic_options.problem_of,
    "reader": lambda value: None if value in READERS else f"must be one of {', '.join(READERS)}",
    "timeout": _seconds,
    "cron": _nonempty,
    "copies": copies_problem,
    **freshness.CHECKS,
    **upkeep.CHECKS,
    **ping.CHECKS,
}


def password_sources(stores: Iterable[str]) -> tuple[str, ...]:
    """Return the keys of which an entry needs exactly one."""
    documents = (f"{store}{MATERIAL}" for store in stores)
    return ("password", "password_file", "password_command", *documents)


def from_documents(maker: IBackendMaker) -> tuple[str, ...]:
    """Return the keys of a backend whose values may be in a document."""
    return tuple(key.name for key in maker.keys if key.field is not None)


def materials(maker: IBackendMaker, stores: Iterable[str]) -> dict[str, str]:
    """Return the keys that name a document with a backend's values, each with its store."""
    if not from_documents(maker):
        return {}
    return {f"{maker.name}_{store}{MATERIAL}": store for store in stores}


def own_keys(maker: IBackendMaker, stores: Iterable[str]) -> tuple[str, ...]:
    """Return all keys that only the repositories of one backend have."""
    return (*(key.name for key in maker.keys), *materials(maker, stores))


def merge(
    entry: Mapping[Any, Any],
    defaults: Mapping[str, Any],
    stores: Collection[str],
    makers: Iterable[IBackendMaker],
) -> dict[Any, Any]:
    """
    Return ``entry`` completed from ``defaults``.

    Some keys are alternatives: an entry with one of them takes none of the others.
    """
    alternatives: list[Sequence[Collection[str]]] = [
        [{key} for key in password_sources(stores)],
        freshness.ALTERNATIVES,
    ]
    for maker in makers:
        alternatives.append([from_documents(maker), *({key} for key in materials(maker, stores))])
    own = set(entry)
    for group in alternatives:
        for chosen in group:
            if not entry.keys().isdisjoint(chosen):
                own.update(key for other in group if other != chosen for key in other)
    return {**{key: value for key, value in defaults.items() if key not in own}, **entry}


def stores_in(keys: Iterable[object], makers: Iterable[IBackendMaker]) -> set[str]:
    """Return the names of secret stores in ``keys``, installed or not."""
    uses = "|".join(re.escape(f"{maker.name}_") for maker in makers)
    pattern = re.compile(rf"(?:{uses})?([a-z][a-z0-9]*){MATERIAL}")
    found = (pattern.fullmatch(key) for key in keys if isinstance(key, str))
    return {match[1] for match in found if match}


def checks(
    stores: Iterable[str], makers: Iterable[IBackendMaker]
) -> Mapping[str, Callable[[Any], str | None]]:
    """Return the check of each key, with these secret stores and backends."""
    stores = tuple(stores)
    own: dict[str, Callable[[Any], str | None]] = {}
    for maker in makers:
        own.update({one.name: _string if one.optional else _nonempty for one in maker.keys})
        own.update(dict.fromkeys(materials(maker, stores), _nonempty))
    return {**CHECKS, **own, **{f"{store}{MATERIAL}": _nonempty for store in stores}}


def check(
    entry: Mapping[Any, Any], stores: Iterable[str], makers: Iterable[IBackendMaker]
) -> dict[Any, str]:
    """Return the problems of an entry's keys and of their values' types."""
    known = checks(stores, makers)
    problems: dict[Any, str] = {}
    for key, value in entry.items():
        if key not in known:
            problems[key] = unknown(key, known)
        elif (problem := known[key](value)) is not None:
            problems[key] = f"{key}: {problem}"
    problems.update({key: f"duplicate key {key!r}" for key in repeated_keys(entry)})
    return problems
