"""A config file, and the password and certificate files that it names, to a `Config`."""

import os
from collections.abc import Mapping
from typing import Any

from ..model.errors import ConfigError
from ..model.repository import Config, Repository
from . import keys
from .context import ConfigContext
from .document import Problems, parse_document, repeated_keys
from .entry import EntryLoader
from .open_files import config_warnings, file_warnings
from .sources import read_file
from .wording import unknown

_MAX_CONFIG = 64 * 2**20


def load_config(path: str, context: ConfigContext) -> Config:
    """
    The config in the file ``path``. Blocks while it reads files.

    :raises ConfigError: with all that is wrong.
    """
    return build_config(load_document(path, context.directory), path, context)


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


def build_config(document: Any, name: str, context: ConfigContext) -> Config:
    """The config in an already parsed ``document`` of the file called ``name``."""
    problems = Problems()
    entries, defaults = entries_of(document, context, problems)
    repositories: list[Repository] = []
    labels: dict[str, int] = {}
    open_files: dict[tuple[str, str], list[int]] = {}
    for position, entry in enumerate(entries, 1):
        loader = EntryLoader(position, entry, defaults, context)
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
    place = os.path.join(context.directory, name)
    found = (
        *config_warnings(place, entries, defaults, context.secret_keys),
        *file_warnings(open_files, context.directory, context.environ),
    )
    warnings = [f"{name}: {warning}" for warning in found]
    if not repositories:
        what = "no repository is enabled" if not labels else "no repository is in this shard"
        warnings.append(f"{name}: {what}")
    return Config(tuple(repositories), tuple(warnings), name)


def entries_of(
    document: Any, context: ConfigContext, problems: Problems
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
    problems.add(*(unknown(key, known) for key in document if key not in known))
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
    stores = keys.stores_in(defaults, context.owners) if context.broken else context.stores
    wrong = keys.check(defaults, stores, context.owners)
    problems.add(*(f"defaults: {problem}" for problem in wrong.values()))
    return entries, {key: value for key, value in defaults.items() if key not in wrong}
