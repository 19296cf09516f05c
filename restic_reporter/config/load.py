"""A config file, and the password and certificate files that it names, to a `Config`."""

import os
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from ..model.errors import ConfigError
from ..model.repository import Config, Repository
from . import keys
from .document import Problems, parse_document, repeated_keys
from .entry import EntryLoader
from .open_files import config_warnings, file_warnings
from .sources import read_file

_MAX_CONFIG = 64 * 2**20


def load_config(
    path: str,
    directory: str,
    schemes: tuple[str, ...] | None = (),
    environ: Mapping[str, str] = MappingProxyType({}),
    stores: tuple[str, ...] | None = (),
    holds: Callable[[str], bool] = lambda _: True,
) -> Config:
    """
    The config in the file ``path``.

    Relative paths, ``path`` included, start in ``directory``. ``schemes`` are those that
    plugins serve beyond restic's own, ``None`` where there may be any; likewise ``stores``,
    the names of secret stores. ``environ`` is the daemon's environment, which may hold a key
    for B2. Only the repositories whose labels this process ``holds`` are in the result. Blocks
    while it reads files.

    :raises ConfigError: with all that is wrong.
    """
    document = load_document(path, directory)
    return build_config(document, path, directory, schemes, environ, stores, holds)


def load_document(path: str, directory: str) -> Any:
    """
    The lists and maps in the file ``path``.

    :raises ConfigError: it cannot be read, or is no JSON or YAML.
    """
    try:
        content = read_file(os.path.join(directory, path), _MAX_CONFIG)
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    except ValueError as error:
        raise ConfigError([f"{path}: {error}"]) from None
    return parse_document(content, path)


def build_config(
    document: Any,
    name: str,
    directory: str,
    schemes: tuple[str, ...] | None = (),
    environ: Mapping[str, str] = MappingProxyType({}),
    stores: tuple[str, ...] | None = (),
    holds: Callable[[str], bool] = lambda _: True,
) -> Config:
    """The config in an already parsed ``document`` of the file called ``name``."""
    problems = Problems()
    entries, defaults = entries_of(document, stores, problems)
    repositories: list[Repository] = []
    labels: dict[str, int] = {}
    open_files: dict[tuple[str, str], list[int]] = {}
    for position, entry in enumerate(entries, 1):
        loader = EntryLoader(position, entry, defaults, directory, schemes, environ, stores, holds)
        repository = loader.load()
        problems.add(*(f"entry {position}: {problem}" for problem in loader.problems))
        for file in loader.open_files:
            open_files.setdefault(file, []).append(position)
        if loader.label is None:
            continue
        if loader.label in labels:
            problems.add(
                f"entry {position}: repo: has the same label as entry {labels[loader.label]}:"
                f" {loader.label!r}; each repository may stand in one enabled entry only"
            )
        labels.setdefault(loader.label, position)
        if repository is not None:
            repositories.append(repository)
    problems.raise_any(name)
    place = os.path.join(directory, name)
    found = (
        *config_warnings(place, entries, defaults),
        *file_warnings(open_files, directory, environ),
    )
    warnings = [f"{name}: {warning}" for warning in found]
    if not repositories:
        what = "no repository is enabled" if not labels else "no repository is in this shard"
        warnings.append(f"{name}: {what}")
    return Config(tuple(repositories), tuple(warnings), name)


def entries_of(
    document: Any, stores: tuple[str, ...] | None, problems: Problems
) -> tuple[list[Any], Mapping[str, Any]]:
    """
    The list of entries and the defaults of either form of the ``document``.

    What is wrong with that form, or with the defaults, is added to ``problems``.
    """
    if isinstance(document, list):
        return document, {}
    if not isinstance(document, dict):
        problems.add("must be a list of entries, or a map with the key 'repositories'")
        return [], {}
    if "repo" in document and "repositories" not in document:
        problems.add("is one entry; must be a list of entries: [{…}], or in YAML - repo: …")
        return [], {}
    known = ("repositories", "defaults")
    problems.add(*(keys.unknown(key, known) for key in document if key not in known))
    problems.add(*(f"the key {key!r} stands twice" for key in repeated_keys(document)))
    entries = document.get("repositories")
    if not isinstance(entries, list):
        what = "must be a list of entries" if "repositories" in document else "is missing"
        problems.add(f"the key 'repositories' {what}")
        entries = []
    defaults = document.get("defaults", {})
    if not isinstance(defaults, dict):
        problems.add("defaults: must be a map of keys of an entry")
        return entries, {}
    wrong = keys.check(defaults, keys.stores_in(defaults) if stores is None else stores)
    problems.add(*(f"defaults: {problem}" for problem in wrong.values()))
    return entries, {key: value for key, value in defaults.items() if key not in wrong}
