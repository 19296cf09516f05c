"""Load a config file, with the password and certificate files that it names."""

import os
from collections.abc import Mapping
from typing import Any

from ..model.errors import ConfigError
from ..model.repository import Config, Repository
from . import keys
from .context import ConfigContext
from .copies import CopyLinks
from .document import Problems, parse_document, repeated_keys
from .entry import EntryLoader
from .environment import NAME, EnvironmentConfig
from .open_files import config_warnings, file_warnings
from .sources import read_private_file
from .wording import unknown

_MAX_CONFIG = 64 * 2**20

# The path of a config file, or the environment.
Source = str | EnvironmentConfig


def load_config(source: Source, context: ConfigContext) -> Config:
    """Return the config in ``source``, or raise a `ConfigError`; block to read files."""
    return build_config(load_document(source, context.directory), source, context)


def load_document(source: Source, directory: str) -> Any:
    """Return the lists and maps in ``source``, or raise a `ConfigError`."""
    if isinstance(source, EnvironmentConfig):
        return source.document(directory)
    path = source
    try:
        content, _ = read_private_file(os.path.join(directory, path), _MAX_CONFIG)
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    except ValueError as error:
        raise ConfigError([f"{path}: {error}"]) from None
    return parse_document(content, path)


def build_config(document: Any, source: Source, context: ConfigContext) -> Config:
    """
    Return the config in the parsed ``document`` of ``source``.

    :raises ConfigError: with all problems.
    """
    name = source if isinstance(source, str) else NAME
    problems = Problems()
    entries, defaults = entries_of(document, context, problems)
    repositories: list[Repository] = []
    warnings: list[str] = []
    labels: dict[str, int] = {}
    links = CopyLinks()
    open_files: dict[tuple[str, str], list[int]] = {}
    for position, entry in enumerate(entries, 1):
        loader = EntryLoader(position, entry, defaults, context)
        repository = loader.load()
        problems.add(*(_placed(problem, position, source) for problem in loader.problems))
        warnings.extend(_placed(warning, position, source) for warning in loader.warnings)
        for file in loader.open_files:
            open_files.setdefault(file, []).append(position)
        links.add(position, loader.repo, loader.label, loader.copies)
        if loader.label is None:
            continue
        first = labels.setdefault(loader.label, position)
        if first != position:
            problems.add(
                f"entry {position}: repo: duplicates entry {first}: {loader.label!r};"
                " remove or disable one"
            )
        if repository is not None:
            repositories.append(repository)
    links.check(problems)
    problems.raise_any(name)
    whole, of_copies = links.resolve(repositories)
    warnings += of_copies
    if isinstance(source, str):
        place = os.path.join(context.directory, source)
        warnings += config_warnings(place, entries, defaults, context.secret_keys)
    warnings += file_warnings(open_files, context.directory, context.environ)
    if not repositories:
        warnings.append(f"no repository is {'in this shard' if labels else 'enabled'}")
    return Config(whole, tuple(f"{name}: {one}" for one in warnings), name)


def _placed(problem: str, position: int, source: Source) -> str:
    """Return a problem of an entry with its place."""
    return f"entry {position}: {problem}" if isinstance(source, str) else source.place(problem)


def entries_of(
    document: Any, context: ConfigContext, problems: Problems
) -> tuple[list[Any], Mapping[str, Any]]:
    """Return the entries and the defaults of either form of ``document``; add ``problems``."""
    if isinstance(document, list):
        return document, {}
    if not isinstance(document, dict):
        problems.add("must be a list of entries, or a map with the key 'repositories'")
        return [], {}
    if "repo" in document and "repositories" not in document:
        problems.add("is one entry; must be a list of entries: [{…}], or in YAML - repo: …")
        return [], {}
    known = ("repositories", "defaults")
    problems.add(*(unknown(key, known) for key in document if key not in known))
    problems.add(*(f"duplicate key {key!r}" for key in repeated_keys(document)))
    entries = document.get("repositories")
    if not isinstance(entries, list):
        problem = "must be a list of entries" if "repositories" in document else "is missing"
        problems.add(f"the key 'repositories' {problem}")
        entries = []
    defaults = document.get("defaults", {})
    if not isinstance(defaults, dict):
        problems.add("defaults: must be a map of keys of an entry")
        return entries, {}
    wrong = keys.check(defaults, context.stores_for(defaults), context.owners)
    problems.add(*(f"defaults: {problem}" for problem in wrong.values()))
    return entries, {key: value for key, value in defaults.items() if key not in wrong}
