"""The one place that puts the rooms of the daemon together."""

import atexit
import shutil
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.logger import Logger

from .. import __version__
from ..collection.collector import Collector
from ..collection.reader_choice import Readers
from ..collection.run_queue import Runs
from ..collection.state import CollectionState, RepositoryStatus
from ..collection.task_maker import TaskMaker
from ..concurrency.cooperative import in_turns
from ..concurrency.cpu_threads import WorkerThreads
from ..concurrency.daemon_threads import KeyedThreads
from ..concurrency.resolver import DaemonThreadResolver
from ..config import ConfigContext, load_config
from ..config.secrets_of_config import secrets_of
from ..config.sharding import Shard
from ..http import BoundedHTTPClient
from ..interfaces import BackendTools, ISecretStore, ISecretStoreMaker, StoreTools
from ..metrics.page import MetricsPage
from ..model.errors import ConfigError
from ..plugin.discovery import by_name, by_scheme, installed_plugins
from ..readers.cache import SnapshotCache
from ..readers.native import NativeReader
from ..readers.restic import ResticReader
from ..redaction.masks import Redactor
from ..schedule.cron_service import CronService
from ..schedule.time_zone import check_time_zone
from ..secret_stores.lookup import Lookups
from ..status_page.pages import StatusPages
from ..status_page.resources import status_resources
from ..web.connections import DEFAULT_LIMITS, Limits
from ..web.listener import Address, AddressError, Listener
from ..web.server import make_site
from .children import SecretStores, WebServer
from .descriptors import connections_for, raise_limit
from .garbage import set_apart
from .log_observer import observer_factory
from .log_queue import LogQueue
from .reactor_lag import ReactorLag
from .reload import ConfigLoader
from .service import Parts, ReporterService

_log = Logger()


def wire(
    options: Mapping[str, Any],
    twistd_options: Mapping[str, Any],
    reactor: Any,
    environ: Mapping[str, str],
) -> ReporterService:
    """
    The daemon's service, not yet started, from the values of `restic_reporter.tap.Options`
    and twistd's own.

    :raises ValueError: it cannot run like this; the message is for the user.
    """
    # Twisted's timers follow the wall clock, so that a step back by an hour would stretch
    # every deadline by an hour.
    reactor.seconds = time.monotonic
    reactor.installNameResolver(DaemonThreadResolver(reactor))
    check_time_zone()
    plugins = installed_plugins()
    makers = by_scheme(plugins.makers)
    for broken in plugins.broken:
        _log.error("the plugin {broken}", broken=str(broken))
    listener = _checked_listener(options["bind"])
    store_makers = by_name(plugins.stores)
    shard: Shard = options["shard"]
    limits = _web_limits(options["concurrency"])
    http = BoundedHTTPClient(reactor, connections_per_host=options["concurrency"])
    stores = SecretStores(_stores(store_makers, environ, StoreTools(reactor, http, time.time)))
    redactor = Redactor(stores.secrets)
    vault = stores.stores.get("vault")
    lag = ReactorLag(reactor)
    log_queue = LogQueue()
    # Where the start fails the reactor never runs.
    atexit.register(log_queue.finish)
    state = CollectionState()
    page = MetricsPage(
        state,
        time.time,
        lambda: cron_service.next_due,
        shard=str(shard),
        vault_token_expiry=lambda: vault.expires_at if vault is not None else None,
        reactor_lag=lag.take,
        log_lines_dropped=lambda: log_queue.dropped,
    )
    status_pages = StatusPages(
        reactor, state, time.time, lambda: cron_service.next_due, __version__
    )

    def prepare(status: RepositoryStatus) -> None:
        page.prepare(status)
        status_pages.prepare(status)

    collector = Collector(reactor, time.time, options["concurrency"], state, prepare)
    runs = Runs(collector, set_apart)
    cron_service: CronService[str | None] = CronService(
        clock=reactor,
        now=time.time,
        due=runs.due,
        schedules={},
    )
    workers = WorkerThreads(reactor)
    readers = _readers(options, reactor, environ, workers)
    context = ConfigContext(
        options["directory"],
        makers,
        tuple(store_makers),
        bool(plugins.broken),
        environ,
        shard.holds,
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
        now=time.time,
    )
    try:
        loader.load()
    except ConfigError as error:
        raise ValueError("\n".join(["the config cannot be used", *error.problems])) from None
    site = make_site(
        reactor,
        lambda openmetrics: in_turns(reactor, page.steps(openmetrics)),
        status_resources(reactor, status_pages),
        limits,
    )
    parts = Parts(
        reactor=reactor,
        log_queue=log_queue,
        loader=loader,
        collector=collector,
        runs=runs,
        stores=stores,
        lag=lag,
        cron_service=cron_service,
        web=WebServer(reactor, listener, site),
        workers=workers,
        http=http,
    )
    pidfile = twistd_options.get("pidfile")
    return ReporterService(
        parts,
        pidfile=str(Path(options["directory"], pidfile)) if pidfile else None,
        log_observer=observer_factory(
            twistd_options, options["log-level"], redactor.redact, options["logger"], log_queue
        ),
    )


def _checked_listener(address: Address) -> Listener:
    """
    The listener for ``address``, whose port is free now: later we may be in the background.

    :raises ValueError: it is not.
    """
    listener = Listener(address)
    try:
        listener.bind()
        listener.release()
    except AddressError as error:
        raise ValueError(f"--bind: {error}") from None
    return listener


def _web_limits(concurrency: int) -> Limits:
    """The web server's limits, with no more connections than there are descriptors for."""
    descriptors, usual = raise_limit(), DEFAULT_LIMITS.max_connections
    connections = connections_for(descriptors, concurrency, usual)
    if connections < usual:
        _log.warn(
            "only {connections} clients can be connected at one time, as there are {descriptors}"
            " file descriptors: raise the limit (ulimit -n, LimitNOFILE=)",
            connections=connections,
            descriptors=descriptors,
        )
    return evolve(DEFAULT_LIMITS, max_connections=connections)


def _stores(
    makers: Mapping[str, ISecretStoreMaker], environ: Mapping[str, str], tools: StoreTools
) -> dict[str, ISecretStore]:
    """
    The secret stores by name.

    :raises ValueError: one is set up by half.
    """
    stores = {}
    for name, maker in makers.items():
        try:
            stores[name] = maker.make(environ, tools)
        except ValueError:
            raise
        except Exception as error:
            # Not as a failure event: nobody knows what a plugin puts into its exceptions.
            _log.error(
                "the secret store {name!r} cannot be made: {kind}",
                name=name,
                kind=type(error).__name__,
            )
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
