"""``twistd restic-reporter``: the options, and the one place that wires everything together."""

import os
import shutil
import time
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from twisted.application.service import IService
from twisted.logger import Logger
from twisted.python.usage import Options as UsageOptions

from . import __version__
from .collection import Collector
from .config import ConfigError, load_config
from .cron_service import CronService
from .http import BoundedHTTPClient
from .interfaces import BackendTools
from .listening import AddressError, Listener, parse_address
from .logs import LEVELS, observer_factory
from .metrics import MetricsPage
from .plugin import installed_backend_makers
from .readers.restic import ResticReader
from .schedule import local_zone, parse_cron
from .service import Parts, ReporterService
from .signals import SignalHandlers
from .tasks import TaskMaker
from .web.server import make_site

READERS = ("auto", "restic")

_log = Logger()


def _refuse(problem: str) -> NoReturn:
    """End the process with status 1 and one message."""
    raise SystemExit(f"restic-reporter: {problem}")


class Options(UsageOptions):
    """The daemon's command line."""

    synopsis = "[options]"
    longdesc = "Tell Prometheus which restic backups are late or broken."

    optParameters = [
        ["bind", "b", ":9121", "Address of the web server: :PORT, HOST:PORT, [V6]:PORT, or a"
         " Twisted endpoint string."],
        ["config", "c", "config.json", "The config file; JSON, or YAML where its name ends in"
         " .yaml or .yml."],
        ["cron", None, "0 0 * * *", "When to collect, besides at start: five fields of cron, in"
         " the local time zone."],
        ["reader", None, "auto", "What reads the repositories: auto or restic."],
        ["restic", None, "restic", "The restic program."],
        ["concurrency", None, "8", "How many repositories are read at one time."],
        ["timeout", None, "300", "How many seconds one repository's read may take."],
        ["log-level", None, "info", "The least important events to log: debug, info, warn or"
         " error."],
    ]

    def opt_version(self) -> NoReturn:
        """Show the version and exit."""
        print(f"restic-reporter {__version__}")
        raise SystemExit(0)

    def postOptions(self) -> None:
        """
        Check and convert the values.

        Paths are made absolute, since twistd will change directory.
        """
        self["directory"] = os.getcwd()
        self["bind"] = self._checked("bind", parse_address)
        self["cron"] = self._checked("cron", parse_cron)
        self["reader"] = self._one_of("reader", READERS)
        self["log-level"] = self._one_of("log-level", LEVELS)
        self["concurrency"] = self._checked("concurrency", _whole_number)
        self["timeout"] = self._checked("timeout", _seconds)
        if os.sep in self["restic"]:
            self["restic"] = os.path.abspath(self["restic"])

    def _checked(self, name: str, convert: Any) -> Any:
        try:
            return convert(self[name])
        except ValueError as error:
            _refuse(f"--{name}: {error}")

    def _one_of(self, name: str, values: tuple[str, ...]) -> str:
        value: str = self[name]
        if value == "native":
            _refuse("--reader: 'native' is not available in this version")
        if value not in values:
            _refuse(f"--{name}: {value!r} is none of {', '.join(values)}")
        return value


def _whole_number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ValueError(f"{text!r} is no whole number above 0")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ValueError(f"{text!r} is no number of seconds above 0")
    return value


def makeService(options: Options) -> IService:
    """
    The daemon as a service.

    :raises SystemExit: with a message, where it cannot run with these options or this config.
    """
    from twisted.internet import reactor

    return make_service(options, reactor, os.environ)


def make_service(options: Options, reactor: Any, environ: Any) -> ReporterService:
    """Like `makeService`, in a given world."""
    # Twisted's timers follow the wall clock, so that a step back by an hour would stretch
    # every deadline by an hour.
    reactor.seconds = time.monotonic
    # Until there are handlers, HUP and USR1 end the process; calls wait for the service.
    calls: dict[str, Any] = {}
    SignalHandlers.install(
        reactor, hup=lambda: calls["reload"](), usr1=lambda: calls["collect_now"]()
    )
    directory: str = options["directory"]
    try:
        zone = local_zone(environ)
        makers = installed_backend_makers()
    except ValueError as error:
        _refuse(str(error))
    listener = Listener(options["bind"])
    try:
        # While there is somebody to tell that it is in use: later we may be in the background.
        listener.bind()
        listener.release()
    except AddressError as error:
        _refuse(f"--bind: {error}")
    load = partial(load_config, options["config"], directory, tuple(makers))
    http = BoundedHTTPClient(reactor, connections_per_host=options["concurrency"])
    collector = Collector(reactor, time.time, options["concurrency"])
    cron_service: CronService[str | None] = CronService(
        clock=reactor,
        now=time.time,
        zone=zone,
        due=lambda keys: service.due(keys),
        schedules={},
    )
    page = MetricsPage(collector, time.time, lambda: cron_service.next_due)
    collector.on_read = page.prepare
    parts = Parts(
        reactor=reactor,
        listener=listener,
        load_config=load,
        task_maker=TaskMaker(
            makers,
            BackendTools(http),
            ResticReader(reactor, options["restic"], dict(environ)),
            options["timeout"],
        ),
        collector=collector,
        page=page,
        site=make_site(reactor, page.render, __version__),
        http=http,
        cron=options["cron"],
        cron_service=cron_service,
        now=time.time,
    )
    twistd_options = options.parent or {}
    pidfile = twistd_options.get("pidfile")
    try:
        service = ReporterService(
            parts,
            load(),
            pidfile=str(Path(directory, pidfile)) if pidfile else None,
            log_observer=observer_factory(twistd_options, options["log-level"]),
        )
    except ConfigError as error:
        _refuse("\n".join(["the config cannot be used", *error.problems]))
    calls.update(reload=service.reload, collect_now=service.collect_now)
    if shutil.which(options["restic"], path=environ.get("PATH")) is None:
        _log.warn(
            "there is no program {restic!r}: what has to be read with it will fail",
            restic=options["restic"],
        )
    return service
