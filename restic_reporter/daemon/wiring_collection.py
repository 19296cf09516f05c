"""Wire the parts that read repositories, for the daemon or a single run."""

import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..collection.collector import Collector, nothing_known
from ..collection.read_repository import read_repository
from ..collection.reader_choice import Readers
from ..collection.result_book import ResultBook
from ..collection.run import ReadOne
from ..collection.run_queue import Runs
from ..collection.state import CollectionState, RepositoryStatus
from ..collection.task_maker import TaskMaker
from ..concurrency.cpu_threads import WorkerThreads
from ..concurrency.daemon_threads import KeyedThreads
from ..concurrency.deadline import sleep
from ..concurrency.resolver import DaemonThreadResolver
from ..config import ConfigContext, load_config
from ..config.environment import EnvironmentConfig
from ..config.secrets_of_config import secrets_of
from ..config.sharding import Shard
from ..http import BoundedHTTPClient
from ..interfaces import BackendTools, ISecretStore, ISecretStoreMaker, StoreTools
from ..metrics.page import MetricsPage
from ..model.compat import Compat
from ..model.errors import ConfigError
from ..pings.pinger import Pinger
from ..plugin.discovery import by_name, by_scheme, installed_plugins
from ..readers.cache import SnapshotCache
from ..readers.native import NativeReader
from ..readers.restic import ResticReader
from ..redaction.masks import Redactor
from ..schedule.cron_service import CronService
from ..schedule.time_zone import check_time_zone
from ..secret_stores.lookup import Lookups
from ..state.folder import HeldError, StateFolder
from ..state.keeper import LOOK_AFTER, StateKeeper
from ..upkeep.checks import Checks
from ..upkeep.restic_check import ResticCheck
from ..upkeep.service import UpkeepService
from ..upkeep.sizes import Sizes
from .children import SecretStores
from .garbage import set_apart
from .reload import ConfigLoader

_log = Logger()


@frozen
class Collection:
    """The parts that read repositories, for the daemon or a single run, and their state."""

    state: CollectionState
    page: MetricsPage
    loader: ConfigLoader
    collector: Collector
    runs: Runs
    book: ResultBook
    cron_service: "CronService[str | None]"
    upkeep: UpkeepService
    stores: SecretStores
    redactor: Redactor
    workers: WorkerThreads
    http: BoundedHTTPClient
    keeper: StateKeeper | None
    pinger: Pinger


def wire_collection(
    options: Mapping[str, Any],
    reactor: Any,
    environ: Mapping[str, str],
    state: CollectionState,
    read: ReadOne = read_repository,
    on_read: Callable[[RepositoryStatus], None] = lambda _: None,
    on_reload: Callable[[bool], object] = lambda _: None,
    owner: tuple[int | None, int | None] = (None, None),
    one_run: bool = False,
    **page_values: Any,
) -> Collection:
    """
    Return the parts that read repositories: with the config loaded, and not started.

    They write ``state``. ``read`` reads one repository; ``on_read`` is called after each read,
    and ``on_reload`` around each reload, as by `ConfigLoader`.
    ``owner`` are the user and the group that the process will change to. With ``one_run`` there
    will be one collection. ``page_values`` are for `MetricsPage`.

    :raises ValueError: it cannot run with these options; the message is for the user.
    """
    # Twisted's timers use the wall clock: an hour back would extend each deadline by an hour.
    reactor.seconds = time.monotonic
    reactor.installNameResolver(DaemonThreadResolver(reactor))
    check_time_zone()
    plugins = installed_plugins()
    makers = by_scheme(plugins.makers)
    for plugin in plugins.broken:
        _log.error("the plugin {broken}", broken=str(plugin))
    store_makers = by_name(plugins.stores)
    keeper = _keeper(options["state-dir"], reactor, state, owner, one_run)
    shard: Shard = options["shard"]
    compat: Compat | None = options["compat"]
    http = BoundedHTTPClient(reactor, connections_per_host=options["concurrency"])
    stores = SecretStores(_stores(store_makers, environ, StoreTools(reactor, http, time.time)))
    redactor = Redactor(stores.secrets)
    pinger = Pinger(reactor, time.time, http)
    vault = stores.stores.get("vault")
    page = MetricsPage(
        state,
        time.time,
        lambda: cron_service.next_due,
        shard=str(shard),
        state_health=keeper.health if keeper is not None else None,
        vault_token_expiry=lambda: vault.expires_at if vault is not None else None,
        one_run=one_run,
        compat=compat,
        **page_values,
    )

    def prepare(status: RepositoryStatus) -> None:
        page.prepare(status)
        on_read(status)
        if not one_run:
            pinger.note(status)
        if keeper is not None:
            keeper.save(status)

    def note_result(label: str) -> None:
        if keeper is not None:
            keeper.save_results(label)
        if label in state.statuses:
            page.prepare(state.statuses[label])
            on_read(state.statuses[label])

    async def rest(number: int) -> None:
        # Connections are cycles: those set apart would stay in memory when they are closed.
        await http.close_idle()
        # The last one to be closed is still in use by its own end.
        await sleep(reactor, 0)
        if runs.resting == number:
            set_apart()

    def tidy() -> None:
        if keeper is not None:
            keeper.save_job()
        resting = Deferred.fromCoroutine(rest(runs.resting))
        resting.addErrback(lambda failure: _log.failure("idle connections not closed", failure))

    collector = Collector(
        reactor,
        time.time,
        options["concurrency"],
        state,
        prepare,
        read=read,
        restore=nothing_known if keeper is None else keeper.restore,
        open_restored=not one_run,
    )
    runs = Runs(collector, tidy)
    book = ResultBook(state, note_result)
    cron_service: CronService[str | None] = CronService(
        clock=reactor, now=time.time, due=runs.due, schedules={}
    )
    check = ResticCheck(reactor, options["restic"], dict(environ), options["cache-dir"])
    upkeep = UpkeepService(
        reactor,
        time.time,
        state,
        makers,
        Checks(reactor, state, time.time, check.run, book.add),
        Sizes(reactor, state, time.time, prepare),
    )
    workers = WorkerThreads(reactor)
    readers = _readers(options, reactor, environ, workers)
    broken = bool(plugins.broken)
    context = ConfigContext(
        options["directory"],
        makers,
        tuple(store_makers),
        broken,
        environ,
        shard.holds,
        compat.paths if compat is not None else None,
    )
    loader = ConfigLoader(
        reactor=reactor,
        load_config=partial(load_config, options["config"], context),
        task_maker=TaskMaker(
            makers,
            BackendTools(reactor, http, KeyedThreads(reactor)),
            readers,
            options["timeout"],
            Lookups(reactor, stores.stores, makers),
            plugins.broken,
            completed=lambda one: redactor.add(secrets_of([one])),
        ),
        redactor=redactor,
        collector=collector,
        runs=runs,
        http=http,
        cron=options["cron"],
        cron_service=cron_service,
        upkeep=upkeep,
        now=time.time,
        on_reload=on_reload,
    )
    try:
        loader.load()
    except ConfigError as error:
        raise ValueError(f"invalid config\n{error}") from None
    if isinstance(options["config"], EnvironmentConfig):
        _log.info("no config.json, using the environment's RESTIC_REPOSITORY")
        for warning in options["config"].warnings(compat is not None):
            _log.warn("{warning}", warning=warning)
    return Collection(
        state,
        page,
        loader,
        collector,
        runs,
        book,
        cron_service,
        upkeep,
        stores,
        redactor,
        workers,
        http,
        keeper,
        pinger,
    )


def _keeper(
    path: str | None,
    reactor: Any,
    state: CollectionState,
    owner: tuple[int | None, int | None],
    one_run: bool,
) -> StateKeeper | None:
    """
    Return the keeper of the state in the folder ``path``, if there is one, locked for ``owner``.

    :raises ValueError: another process uses it.
    """
    if path is None:
        return None
    folder = StateFolder(Path(path))
    # Of any other error the keeper tries again, and reports it.
    with suppress(OSError):
        try:
            folder.take(*owner)
        except HeldError as error:
            raise ValueError(f"--state-dir: {error}") from None
    # One run has no later collection in which to look at the keys.
    return StateKeeper(reactor, time.time, folder, state, 0.0 if one_run else LOOK_AFTER)


def _stores(
    makers: Mapping[str, ISecretStoreMaker], environ: Mapping[str, str], tools: StoreTools
) -> dict[str, ISecretStore]:
    """Return the secret stores by name; raise a ValueError if settings are incomplete."""
    stores = {}
    for name, maker in makers.items():
        try:
            stores[name] = maker.make(environ, tools)
        except ValueError:
            raise
        except Exception as error:
            # Without its text: an exception of a plugin can contain secrets.
            kind = type(error).__name__
            _log.error("the secret store {name!r} cannot be made: {kind}", name=name, kind=kind)
    return stores


def _readers(
    options: Mapping[str, Any], reactor: Any, environ: Mapping[str, str], workers: WorkerThreads
) -> Readers:
    program, cache_dir = options["restic"], options["cache-dir"]
    cache = SnapshotCache(reactor, cache_dir) if cache_dir is not None else None
    return Readers(
        restic=ResticReader(reactor, program, dict(environ), cache_dir),
        native=NativeReader(reactor, dict(environ), workers, cache),
        default=options["reader"],
        has_restic=lambda: shutil.which(program, path=environ.get("PATH")) is not None,
        program=program,
    )
