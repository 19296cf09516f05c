"""A config file, and the password and certificate files that it names, to a `Config`."""

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from . import keys
from .document import ConfigError, parse_document, repeated_keys
from .entry import EntryLoader
from .settings import Config, Repository
from .sources import read_file

_MAX_CONFIG = 64 * 2**20


def load_config(
    path: str,
    directory: str,
    schemes: tuple[str, ...] | None = (),
    environ: Mapping[str, str] = MappingProxyType({}),
) -> Config:
    """
    The config in the file ``path``.

    Relative paths, ``path`` included, start in ``directory``. ``schemes`` are those that
    plugins serve beyond restic's own, ``None`` where there may be any. ``environ`` is the
    daemon's environment, which may hold a key for B2. Blocks while it reads files.

    :raises ConfigError: with all that is wrong.
    """
    try:
        content = read_file(os.path.join(directory, path), _MAX_CONFIG)
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    except ValueError as error:
        raise ConfigError([f"{path}: {error}"]) from None
    return build_config(parse_document(content, path), path, directory, schemes, environ)


def build_config(
    document: Any,
    name: str,
    directory: str,
    schemes: tuple[str, ...] | None = (),
    environ: Mapping[str, str] = MappingProxyType({}),
) -> Config:
    """The config in an already parsed ``document`` of the file called ``name``."""
    problems: list[str] = []
    entries, defaults = _entries(document, problems)
    repositories: list[Repository] = []
    labels: dict[str, int] = {}
    for position, entry in enumerate(entries, 1):
        loader = EntryLoader(position, entry, defaults, directory, schemes, environ)
        repository = loader.load()
        problems.extend(f"entry {position}: {problem}" for problem in loader.problems)
        if loader.label is None:
            continue
        if loader.label in labels:
            problems.append(
                f"entry {position}: repo: has the same label as entry {labels[loader.label]}:"
                f" {loader.label!r}; each repository may stand in one enabled entry only"
            )
        labels.setdefault(loader.label, position)
        if repository is not None:
            repositories.append(repository)
    if problems:
        raise ConfigError([f"{name}: {problem}" for problem in problems])
    warnings = () if repositories else (f"{name}: no repository is enabled",)
    return Config(tuple(repositories), warnings, name)


def _entries(document: Any, problems: list[str]) -> tuple[list[Any], Mapping[str, Any]]:
    """The list of entries and the defaults of either form of the document."""
    if isinstance(document, list):
        return document, {}
    if not isinstance(document, dict):
        problems.append("must be a list of entries, or a map with the key 'repositories'")
        return [], {}
    known = ("repositories", "defaults")
    problems.extend(keys.unknown(key, known) for key in document if key not in known)
    problems.extend(f"the key {key!r} stands twice" for key in repeated_keys(document))
    entries = document.get("repositories")
    if not isinstance(entries, list):
        what = "must be a list of entries" if "repositories" in document else "is missing"
        problems.append(f"the key 'repositories' {what}")
        entries = []
    defaults = document.get("defaults", {})
    if not isinstance(defaults, dict):
        problems.append("defaults: must be a map of keys of an entry")
        return entries, {}
    wrong = keys.check(defaults)
    problems.extend(f"defaults: {problem}" for problem in wrong.values())
    return entries, {key: value for key, value in defaults.items() if key not in wrong}
