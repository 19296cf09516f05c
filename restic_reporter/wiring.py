"""The one place that puts the rooms of the daemon together."""

import shutil
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from twisted.logger import Logger

from . import __version__
from .collection import Collector
from .config import ConfigError, load_config
from .cron_service import CronService
from .http import BoundedHTTPClient
from .installed import by_scheme, installed_plugins
from .interfaces import BackendTools
from .listening import AddressError, Listener
from .logs import observer_factory
from .metrics import MetricsPage
from .readers.restic import ResticReader
from .resolver import DaemonThreadResolver
from .runs import Runs
from .schedule import local_zone
from .service import Parts, ReporterService
from .tasks import TaskMaker
from .threads import KeyedThreads
from .web.server import make_site

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
    zone = local_zone(environ)
    plugins = installed_plugins()
    makers = by_scheme(plugins.makers)
    for broken in plugins.broken:
        _log.error("the plugin {broken}", broken=str(broken))
    listener = Listener(options["bind"])
    try:
        # While there is somebody to tell that it is in use: later we may be in the background.
        listener.bind()
        listener.release()
    except AddressError as error:
        raise ValueError(f"--bind: {error}") from None
    # One of the broken plugins may be the one that serves an unknown scheme.
    schemes = None if plugins.broken else tuple(makers)
    http = BoundedHTTPClient(reactor, connections_per_host=options["concurrency"])
    collector = Collector(reactor, time.time, options["concurrency"])
    runs = Runs(collector)
    cron_service: CronService[str | None] = CronService(
        clock=reactor,
        now=time.time,
        zone=zone,
        due=runs.due,
        schedules={},
    )
    page = MetricsPage(collector, time.time, lambda: cron_service.next_due)
    collector.on_read = page.prepare
    reader = ResticReader(reactor, options["restic"], dict(environ))
    parts = Parts(
        reactor=reactor,
        listener=listener,
        load_config=partial(load_config, options["config"], options["directory"], schemes, environ),
        task_maker=TaskMaker(
            makers,
            BackendTools(reactor, http, KeyedThreads(reactor)),
            reader,
            options["timeout"],
            plugins.broken,
        ),
        collector=collector,
        runs=runs,
        page=page,
        site=make_site(reactor, page.render, __version__),
        http=http,
        cron=options["cron"],
        cron_service=cron_service,
        now=time.time,
    )
    pidfile = twistd_options.get("pidfile")
    try:
        service = ReporterService(
            parts,
            parts.load_config(),
            pidfile=str(Path(options["directory"], pidfile)) if pidfile else None,
            log_observer=observer_factory(twistd_options, options["log-level"]),
        )
    except ConfigError as error:
        raise ValueError("\n".join(["the config cannot be used", *error.problems])) from None
    if shutil.which(options["restic"], path=environ.get("PATH")) is None:
        _log.warn(
            "there is no program {restic!r}: what has to be read with it will fail",
            restic=options["restic"],
        )
    return service
