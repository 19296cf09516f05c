"""``restic-reporter check-config``: check and print a config."""

import shlex
import shutil
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any

from attrs import frozen

from ..collection.reader_choice import Readers
from ..collection.task_maker import BrokenBackend, TaskMaker, restic_only_warnings
from ..concurrency.daemon_threads import KeyedThreads
from ..config.context import ConfigContext
from ..config.document import Problems
from ..config.environment import EnvironmentConfig
from ..config.keys import from_documents, materials, merge, own_keys
from ..config.load import Source, build_config, entries_of, load_document
from ..config.open_files import user_warnings
from ..config.secrets_of_config import masks_of
from ..config.sharding import WHOLE, Shard
from ..config.sources import resolve
from ..http import BoundedHTTPClient
from ..interfaces import BackendTools
from ..model.repository import Config, Repository
from ..plugin.discovery import Plugins, by_name, by_scheme, installed_plugins
from ..readers.restic import ResticReader
from ..redaction.secret import MASK, redact_url
from ..secret_stores.lookup import Lookups
from ..upkeep.ability import upkeep_warnings

# The keys of an entry that name files which the daemon reads.
_FILES = ("password_file", "cacert", "tls_client_cert")


@frozen
class Checked:
    """A valid config: the entries of the shard, with defaults, and warnings; without secrets."""

    entries: tuple[Mapping[str, Any], ...]
    warnings: tuple[str, ...]


def check_config(
    source: Source,
    directory: str,
    environ: Mapping[str, str],
    reactor: Any,
    restic: str = "restic",
    reader: str = "auto",
    shard: Shard = WHOLE,
    plugins: Plugins | None = None,
    with_files: bool = True,
) -> Checked:
    """
    Check the config in ``source`` as the daemon does.

    ``restic``, ``reader`` and ``shard`` are the daemon's options. Only the config and the files
    that it names are read, no repository or secret store; ``reactor`` does not run. If not
    ``with_files``, only the config is read, and nothing of it is returned.

    :raises ConfigError: with all problems.
    :raises ValueError: installed plugins conflict.
    """
    plugins = plugins or installed_plugins()
    makers, stores = by_scheme(plugins.makers), tuple(by_name(plugins.stores))
    broken = bool(plugins.broken)
    holds = shard.holds if with_files else lambda _: False
    context = ConfigContext(directory, makers, stores, broken, environ, holds)
    document = load_document(source, directory)
    config = build_config(document, source, context)
    if not with_files:
        return Checked((), ())
    has_restic = shutil.which(restic, path=environ.get("PATH")) is not None
    any_reader = ResticReader(reactor, restic, environ)
    readers = Readers(any_reader, any_reader, reader, lambda: has_restic, restic)
    tools = BackendTools(reactor, BoundedHTTPClient(reactor), KeyedThreads(reactor))
    lookups = Lookups(reactor, {}, makers)
    tasks = TaskMaker(makers, tools, readers, 1, lookups, plugins.broken).tasks(config)
    entries = tuple(_shown_entries(document, context, config))
    files = [source] if isinstance(source, str) else []
    files += [entry[key] for entry in entries for key in _FILES if key in entry]
    masks = masks_of(config)
    backends: Iterable[tuple[int, Any]] = [
        (task.repository.position, task.backend) for task in tasks.values()
    ]
    warnings = [
        *(f"the plugin {plugin}" for plugin in plugins.broken),
        *config.warnings,
        *(source.warnings(compat=False) if isinstance(source, EnvironmentConfig) else ()),
        *(
            f"{config.name}: entry {position}: {masks.redact(backend.problem)}"
            for position, backend in backends
            if isinstance(backend, BrokenBackend)
        ),
        *readers.warnings(),
        *restic_only_warnings(tasks),
        *upkeep_warnings(tasks, makers),
        *user_warnings((file, resolve(file, directory, environ)) for file in files),
    ]
    return Checked(entries, tuple(warnings))


def _shown_entries(
    document: Any, context: ConfigContext, config: Config
) -> Iterator[Mapping[str, Any]]:
    """Yield the disabled entries, and those of ``config``."""
    entries, defaults = entries_of(document, context, Problems())
    owners, hidden = context.owners, context.secret_keys
    held = {one.position: one for one in config.repositories}
    for position, entry in enumerate(entries, 1):
        stores = context.stores_for(defaults, entry)
        merged = merge(entry, defaults, stores, owners)
        if merged.get("disabled"):
            # Its other keys are not used, and not all checked.
            keys = [key for key in ("repo", "disabled") if key in merged]
        elif position not in held:
            continue
        else:
            unused = set(_unused(held[position], context, stores)) - entry.keys()
            keys = [key for key in {"repo": "", **merged} if key not in unused]
        yield {key: _shown(key, merged[key], hidden) for key in keys}


def _unused(repository: Repository, context: ConfigContext, stores: Iterable[str]) -> Iterator[str]:
    """Yield the keys of backends that the repository does not take from the defaults."""
    maker = context.makers.get(repository.scheme)
    for owner in context.owners:
        if owner is not maker:
            yield from own_keys(owner, stores)
        elif repository.settings.has_credentials:
            yield from from_documents(owner)
            yield from materials(owner, stores)


def _shown(key: str, value: Any, hidden: Set[str]) -> Any:
    if key in hidden:
        return MASK
    if key == "env":
        return dict.fromkeys(value, MASK)
    if key == "password_command":
        program, *arguments = shlex.split(value)
        return f"{shlex.quote(program)} {MASK}" if arguments else shlex.quote(program)
    if isinstance(value, list):
        return [_shown("", one, hidden) for one in value]
    return redact_url(value) if isinstance(value, str) else value
