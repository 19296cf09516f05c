"""The daemon as a service: what happens at start, at each tick, at a signal and at stop."""

import atexit
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from attrs import field, frozen
from twisted.application.service import Service
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IListeningPort
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized

from ..collection.collector import Collector
from ..collection.run_queue import DEFAULT, Runs
from ..collection.state import Task
from ..collection.task_maker import TaskMaker
from ..concurrency.cpu_threads import WorkerThreads
from ..concurrency.daemon_threads import in_daemon_thread
from ..concurrency.deadline import Deadline, within
from ..config.secrets_of_config import masks_of
from ..http import BoundedHTTPClient
from ..interfaces import ISecretStore
from ..model.errors import ConfigError, ReadError
from ..model.repository import Config
from ..redaction.masks import Masks, Redactor
from ..schedule.cron import CronExpression
from ..schedule.cron_service import CronService
from ..web.listener import AddressError, Listener
from ..web.server import BoundedSite
from .garbage import long_lived
from .log_queue import LogQueue
from .reactor_lag import ReactorLag
from .signals import quiet_second_stop, stop_once_running

# Responses in flight may take this long at stop, and all of the stop a little longer.
_SCRAPE_PATIENCE = 5.0
_STOP_PATIENCE = 9.0

# A config, or a password file, may be on a network mount that hangs.
_LOAD_PATIENCE = 60.0


@frozen
class Parts:
    """The rooms of the daemon, as `restic_reporter.daemon.wiring` has put them together."""

    reactor: Any
    listener: Listener
    load_config: Callable[[], Config] = field(repr=False)
    task_maker: TaskMaker
    workers: WorkerThreads
    lag: ReactorLag
    log_queue: LogQueue
    redactor: Redactor
    stores: Mapping[str, ISecretStore]
    collector: Collector
    runs: Runs
    site: BoundedSite
    http: BoundedHTTPClient
    cron: CronExpression
    cron_service: "CronService[str | None]"
    now: Callable[[], float]


class ReporterService(Service):
    """Collects at start and at every tick, serves the metrics, obeys signals."""

    _log = Logger()

    def __init__(
        self,
        parts: Parts,
        config: Config,
        pidfile: str | None = None,
        log_observer: Callable[[], ILogObserver] | None = None,
    ) -> None:
        """
        ``config`` is the one to begin with. ``pidfile`` is what twistd will write, to be
        removed where the daemon ends before twistd can do that. ``log_observer`` makes what
        twistd is to log with, instead of its own.
        """
        self._parts = parts
        self._pidfile = pidfile
        self._log_observer = log_observer
        self._port: IListeningPort | None = None
        self._reloading = False
        self._reload_again = False
        self._stopping = False
        maker = self._parts.task_maker.renewed()
        self._use(config, masks_of(config), maker.tasks(config), maker)

    # Start and stop

    def setServiceParent(self, parent: Any) -> None:
        """Join ``parent``; twistd takes the log observer from its application's components."""
        if self._log_observer is not None and isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self._log_observer())
        super().setServiceParent(parent)

    def privilegedStartService(self) -> None:
        """Begin to log, now that twistd has forked; take the port, as long as we may."""
        stop_once_running(self._parts.reactor)
        self._parts.log_queue.start()
        self._parts.reactor.addSystemEventTrigger("after", "shutdown", self._parts.log_queue.finish)
        try:
            self._parts.listener.bind()
        except AddressError as error:
            # Twisted writes its pidfile before this, and removes it only after a run.
            if self._pidfile and os.path.exists(self._pidfile):
                os.unlink(self._pidfile)
            raise SystemExit(f"restic-reporter: --bind: {error}") from None

    def startService(self) -> None:
        """Begin the first collection; the web server starts at its end."""
        super().startService()
        self._parts.reactor.callWhenRunning(self._begin)

    def _begin(self) -> None:
        quiet_second_stop(self._parts.reactor)
        self._start_stores()
        self._parts.lag.startService()
        self._parts.cron_service.startService()
        count = self._parts.collector.count
        repositories = "1 repository" if count == 1 else "{count} repositories"
        self._log.info(
            f"collecting {repositories}; {{address}} opens afterwards",
            count=count,
            address=self._parts.listener.address.text,
        )
        self._parts.runs.collect_all()
        first = Deferred.fromCoroutine(self._serve())
        first.addErrback(lambda failure: self._log.failure("the web server ended", failure))

    def _start_stores(self) -> None:
        for name, store in self._parts.stores.items():
            try:
                store.start()
            except Exception:
                # What needs it will fail; all else must work.
                self._log.failure("the secret store {name!r} cannot be started", name=name)

    def _stop_stores(self) -> None:
        for name, store in self._parts.stores.items():
            try:
                store.stop()
            except Exception:
                self._log.failure("the secret store {name!r} cannot be stopped", name=name)

    def _forget_failures(self) -> None:
        """An order by hand asks secret stores anew, however recently they were out of reach."""
        for name, store in self._parts.stores.items():
            try:
                store.forget_failures()
            except Exception:
                self._log.failure("a bug of the secret store {name!r}", name=name)

    async def _serve(self) -> None:
        """Listen once the first collection has ended."""
        await self._parts.runs.ended()
        if self._stopping:
            return
        try:
            self._port = await self._parts.listener.listen(self._parts.reactor, self._parts.site)
        except AddressError as error:
            self._log.critical("{error}", error=error)
            self._fail()
            return
        if self._stopping:
            self._port.stopListening()
            return
        self._log.info("listening on {address}", address=_shown(self._port.getHost()))

    def _fail(self) -> None:
        """Stop, and let the process exit with status 1, which twistd has no way for."""

        def leave() -> None:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(1)

        atexit.register(leave)
        self._parts.reactor.stop()

    def stopService(self) -> "Deferred[None]":
        """
        Stop all work; fires when no child is left and every response is out, or after
        `_STOP_PATIENCE` seconds.
        """
        super().stopService()
        self._stopping = True
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        parts = self._parts
        deadline = Deadline.after(parts.reactor, _STOP_PATIENCE)
        if parts.cron_service.running:
            parts.cron_service.stopService()
        parts.lag.stopService()
        parts.listener.release()
        self._stop_stores()
        try:
            await within(deadline, self._end_all(), "stopping")
        except ReadError as error:
            self._log.error("{error}", error=error.message)

    async def _end_all(self) -> None:
        ends: list[Deferred[Any]] = [
            self._parts.site.connections.finish_in_flight(_SCRAPE_PATIENCE)
        ]
        if self._port is not None:
            stopped = self._port.stopListening()
            if stopped is not None:
                ends.append(stopped)
        ends.append(self._parts.runs.stop())
        await DeferredList(ends, consumeErrors=True)
        self._parts.workers.stop()
        await self._parts.http.close()

    # Signals

    def collect_now(self) -> None:
        """Collect all repositories now; while a collection runs, only say so."""
        if self._stopping:
            return
        self._forget_failures()
        if self._parts.runs.collect_all():
            self._log.info("collecting all repositories now")
        else:
            self._log.info("a collection is under way already: no other one is started")

    def reload(self) -> None:
        """Read the config again; a good one is used from the next collection on."""
        if self._stopping:
            return
        if self._reloading:
            self._reload_again = True
            return
        self._reloading = True
        self._forget_failures()
        reloaded = Deferred.fromCoroutine(self._reload())
        reloaded.addErrback(lambda failure: self._log.failure("a bug in reloading", failure))

    async def _reload(self) -> None:
        parts = self._parts
        try:
            with long_lived(lambda: parts.runs.resting):
                loaded = await within(
                    Deadline.after(parts.reactor, _LOAD_PATIENCE),
                    self._load(),
                    "reading the config",
                )
                if isinstance(loaded, ConfigError):
                    raise ConfigError(loaded.problems)
                if self._stopping:
                    return
                self._use(*loaded)
        except ConfigError as error:
            parts.collector.state.config.successful = False
            for problem in error.problems:
                self._log.error("the config is not reloaded: {problem}", problem=problem)
        except ReadError as error:
            parts.collector.state.config.successful = False
            self._log.error("the config is not reloaded: {problem}", problem=error.message)
        except BaseException:
            parts.collector.state.config.successful = False
            raise
        else:
            self._log.info(
                "config reloaded: {count} repositories, from the next collection on",
                count=len(loaded[0].repositories),
            )
        finally:
            self._reloading = False
            if self._reload_again:
                self._reload_again = False
                self.reload()

    async def _load(self) -> tuple[Config, Masks, Mapping[str, Task], TaskMaker] | ConfigError:
        """What to use, or why not: as an exception it would keep half a config, in a cycle."""
        parts, maker = self._parts, self._parts.task_maker.renewed()
        config = await in_daemon_thread(parts.reactor, _config_or_error, parts.load_config)
        if isinstance(config, ConfigError):
            return config
        try:
            config = await maker.lookups.complete_all(config)
            masks = await in_daemon_thread(parts.reactor, masks_of, config)
            tasks = await maker.tasks_in_turns(config)
        except ConfigError as error:
            return ConfigError(error.problems)
        return config, masks, tasks, maker

    def _use(
        self, config: Config, masks: Masks, tasks: Mapping[str, Task], maker: TaskMaker
    ) -> None:
        """Swap ``config`` in, with all that was made of it."""
        parts = self._parts
        parts.redactor.replace(masks)
        parts.collector.set_tasks(tasks, maker.complete)
        parts.http.keep_only(one.transport for one in config.repositories)
        own = {one.url: one.cron for one in config.repositories if one.cron is not None}
        parts.runs.set_schedules(tuple(tasks), own)
        schedules: dict[str | None, CronExpression] = {DEFAULT: parts.cron}
        schedules.update(own)
        parts.cron_service.set_schedules(schedules)
        parts.collector.state.config.successful = True
        parts.collector.state.config.success_time = parts.now()
        for warning in (*config.warnings, *parts.task_maker.warnings(tasks)):
            self._log.warn("{warning}", warning=warning)


def _config_or_error(load: Callable[[], Config]) -> Config | ConfigError:
    try:
        return load()
    except ConfigError as error:
        return ConfigError(error.problems)


def _shown(host: Any) -> str:
    if isinstance(host, UNIXAddress):
        return os.fsdecode(host.name or b"")
    name = f"[{host.host}]" if ":" in host.host else host.host
    return f"{name}:{host.port}"
