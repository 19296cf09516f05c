"""Wire the parts of the daemon, from all rooms."""

import atexit
import time
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.logger import Logger

from .. import __version__
from ..collection.state import CollectionState
from ..concurrency.cooperative import in_turns
from ..config.web_config_file import WebConfigFile
from ..model.errors import ConfigError
from ..status_page.pages import StatusPages
from ..status_page.resources import status_resources
from ..web.connections import DEFAULT_LIMITS, Limits
from ..web.listener import Address, AddressError, Listener
from ..web.security.gate import Security
from ..web.server import make_site
from .children import WebServer
from .descriptors import connections_for, raise_limit
from .log_observer import observer_factory
from .log_queue import LogQueue
from .notify import Notifier, describe
from .orders import Orders
from .reactor_lag import ReactorLag
from .service import Parts, ReporterService
from .web_config_watch import WebConfigWatch
from .wiring_collection import wire_collection

_log = Logger()

# After and during the first collection.
_READY = b"OK\n"
_RESTORED = b"OK, with values from before the restart; the first collection is running\n"


def wire(
    options: Mapping[str, Any],
    twistd_options: Mapping[str, Any],
    reactor: Any,
    environ: MutableMapping[str, str],
) -> ReporterService:
    """
    Return the daemon's service, from the values of `restic_reporter.tap.Options` and twistd's.

    The variables that are for this process alone are taken out of ``environ``.

    :raises ValueError: it cannot run with these; the message is for the user.
    """
    lag = ReactorLag(reactor)
    log_queue = LogQueue()
    # If the start fails, the reactor never runs.
    atexit.register(log_queue.finish)
    listener = _checked_listener(options["bind"], environ)
    limits = _web_limits(options["concurrency"])
    state = CollectionState()
    status_pages = StatusPages(
        reactor, state, time.time, lambda: collection.cron_service.next_due, __version__
    )
    notifier = Notifier(reactor, environ, lambda: describe(state, collection.cron_service.next_due))
    collection = wire_collection(
        options,
        reactor,
        environ,
        state,
        on_read=status_pages.prepare,
        on_reload=notifier.reloading,
        owner=(twistd_options.get("uid"), twistd_options.get("gid")),
        reactor_lag=lag.take,
        log_lines_dropped=lambda: log_queue.dropped,
    )
    # After the reactor has got its clock, for the rate limit.
    security = Security(reactor)
    watch = _web_config_watch(options["web-config"], options["directory"], reactor, security)
    orders = Orders(collection.loader, collection.runs, collection.stores, collection.book)
    page = collection.page
    site = make_site(
        reactor,
        lambda openmetrics: in_turns(reactor, page.steps(openmetrics)),
        status_resources(reactor, status_pages),
        limits,
        security,
        orders if options["enable-lifecycle"] else None,
        lambda: _READY if state.job.duration is not None else _RESTORED,
    )
    parts = Parts(
        reactor=reactor,
        log_queue=log_queue,
        loader=collection.loader,
        collector=collection.collector,
        runs=collection.runs,
        orders=orders,
        notifier=notifier,
        stores=collection.stores,
        lag=lag,
        cron_service=collection.cron_service,
        upkeep=collection.upkeep,
        web=WebServer(reactor, listener, site),
        web_config_watch=watch,
        workers=collection.workers,
        http=collection.http,
        keeper=collection.keeper,
        pinger=collection.pinger,
    )
    pidfile = twistd_options.get("pidfile")
    return ReporterService(
        parts,
        pidfile=str(Path(options["directory"], pidfile)) if pidfile else None,
        log_observer=observer_factory(
            twistd_options,
            options["log-level"],
            collection.redactor.redact,
            options["logger"],
            log_queue,
        ),
    )


def _checked_listener(address: Address, environ: Mapping[str, str]) -> Listener:
    """Return the listener for ``address``; raise a ValueError while the user still sees it."""
    listener = Listener(address)
    try:
        listener.bind()
        listener.release()
    except AddressError as error:
        hint = "; did you mean the socket of systemd, 'systemd:domain=INET6:index=0'?"
        # Twisted takes LISTEN_FDS out of the environment, but not the names.
        raise ValueError(f"--bind: {error}{hint if 'LISTEN_FDNAMES' in environ else ''}") from None
    return listener


def _web_config_watch(
    path: str | None, directory: str, reactor: Any, security: Security
) -> WebConfigWatch | None:
    """
    Let ``security`` use the file of ``--web-config``; return what follows its changes.

    :raises ValueError: it is invalid.
    """
    if not path:
        return None
    file = WebConfigFile(path, directory)
    try:
        security.use(file.load())
    except ConfigError as error:
        problems = "\n".join(f"--web-config: {one}" for one in error.problems)
        raise ValueError(problems) from None
    return WebConfigWatch(reactor, file, security)


def _web_limits(concurrency: int) -> Limits:
    """Return the web server's limits, with connections limited by the file descriptors."""
    descriptors, usual = raise_limit(), DEFAULT_LIMITS.max_connections
    connections = connections_for(descriptors, concurrency, usual)
    if connections < usual:
        _log.warn(
            "only {connections} clients can be connected at a time, with {descriptors} file"
            " descriptors; raise the limit (ulimit -n, LimitNOFILE=)",
            connections=connections,
            descriptors=descriptors,
        )
    return evolve(DEFAULT_LIMITS, max_connections=connections)
