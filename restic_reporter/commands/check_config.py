"""What ``restic-reporter check-config`` prints: the config as the daemon would take it."""

import shlex
import shutil
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any

from attrs import frozen

from ..collection.reader_choice import Readers
from ..collection.state import Task
from ..collection.task_maker import BrokenBackend, TaskMaker
from ..concurrency.daemon_threads import KeyedThreads
from ..config.document import Problems
from ..config.keys import B2_KEYS, merge, stores_in
from ..config.load import build_config, entries_of, load_document
from ..config.location import parse_rest
from ..config.open_files import SECRET_KEYS, user_warnings
from ..config.secrets_of_config import masks_of
from ..config.sharding import WHOLE, Shard
from ..config.sources import resolve
from ..http import BoundedHTTPClient
from ..interfaces import BackendTools
from ..plugin.discovery import Plugins, by_name, by_scheme, installed_plugins
from ..readers.restic import ResticReader
from ..redaction.masks import Masks
from ..redaction.secret import MASK, redact_url
from ..secret_stores.lookup import Lookups

# The keys of an entry that name files which the daemon reads.
_FILES = ("password_file", "cacert", "tls_client_cert")


@frozen
class Checked:
    """
    A config that the daemon would take: the entries of its shard with the defaults in them,
    and what is worth a look. Neither shows a secret.
    """

    entries: tuple[Mapping[str, Any], ...]
    warnings: tuple[str, ...]


def check_config(
    path: str,
    directory: str,
    environ: Mapping[str, str],
    reactor: Any,
    restic: str = "restic",
    reader: str = "auto",
    shard: Shard = WHOLE,
    plugins: Plugins | None = None,
) -> Checked:
    """
    The config in the file ``path``, checked as the daemon does it.

    ``environ`` is the environment; ``restic``, ``reader`` and ``shard`` are the daemon's
    options. Nothing but the files that it names is looked at: no repository, and no secret
    store; ``reactor`` is not run.

    :raises ConfigError: with all that is wrong.
    :raises ValueError: the plugins that are installed cannot be used together.
    """
    plugins = plugins or installed_plugins()
    makers = by_scheme(plugins.makers)
    # One of the broken plugins may be the one that serves an unknown scheme or secret store.
    schemes = None if plugins.broken else tuple(makers)
    stores = None if plugins.broken else tuple(by_name(plugins.stores))
    document = load_document(path, directory)
    config = build_config(document, path, directory, schemes, environ, stores, shard.holds)
    has_restic = shutil.which(restic, path=environ.get("PATH")) is not None
    any_reader = ResticReader(reactor, restic, environ)
    readers = Readers(any_reader, any_reader, reader, lambda: has_restic, restic)
    maker = TaskMaker(
        makers,
        BackendTools(reactor, BoundedHTTPClient(reactor), KeyedThreads(reactor)),
        readers,
        timeout=1,
        lookups=Lookups(reactor, {}),
        broken=plugins.broken,
    )
    tasks = maker.tasks(config)
    held = {one.position for one in config.repositories}
    entries = tuple(_shown_entries(document, stores, held))
    files = [path, *(entry[key] for entry in entries for key in _FILES if key in entry)]
    warnings = [
        *(f"the plugin {broken}" for broken in plugins.broken),
        *config.warnings,
        *(f"{path}: {problem}" for problem in _broken(tasks.values(), masks_of(config))),
        *readers.warnings(),
        *user_warnings((file, resolve(file, directory, environ)) for file in files),
    ]
    return Checked(entries, tuple(warnings))


def _broken(tasks: Iterable[Task], masks: Masks) -> Iterator[str]:
    for task in tasks:
        backend: Any = task.backend
        if isinstance(backend, BrokenBackend):
            yield f"entry {task.repository.position}: {masks.redact(backend.problem)}"


def _shown_entries(
    document: Any, stores: tuple[str, ...] | None, held: Set[int]
) -> Iterator[Mapping[str, Any]]:
    """The disabled entries, and those with the positions ``held``."""
    entries, defaults = entries_of(document, stores, Problems())
    for position, entry in enumerate(entries, 1):
        names = stores_in({**defaults, **entry}) if stores is None else stores
        merged = merge(entry, defaults, sorted(names))
        if merged.get("disabled"):
            # What else it has is not in use, and has not been looked at.
            shown: Mapping[str, Any] = {
                key: merged[key] for key in ("repo", "disabled") if key in merged
            }
        elif position not in held:
            continue
        else:
            shown = {
                key: value
                for key, value in {"repo": "", **merged}.items()
                if key in entry or _applies(key, str(merged["repo"]))
            }
        yield {key: _shown(key, value) for key, value in shown.items()}


def _applies(key: str, repo: str) -> bool:
    """Whether an entry for ``repo`` takes this ``key`` from the defaults, if it is there."""
    if key.startswith("rest_"):
        return repo.startswith("rest:") and parse_rest(repo).username is None
    return not (key in B2_KEYS or key.startswith("b2_")) or repo.startswith("b2:")


def _shown(key: str, value: Any) -> Any:
    if key in SECRET_KEYS:
        return MASK
    if key == "env":
        return dict.fromkeys(value, MASK)
    if key == "password_command":
        program, *arguments = shlex.split(value)
        return f"{shlex.quote(program)} {MASK}" if arguments else shlex.quote(program)
    return redact_url(value) if isinstance(value, str) else value
