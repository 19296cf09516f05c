"""The daemon as a service: what happens at start, at each tick, at a signal and at stop."""

import atexit
import os
import sys
from collections.abc import Callable
from typing import Any

from attrs import frozen
from twisted.application.service import Service
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IListeningPort
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized

from .collection import Collector
from .config import Config, ConfigError
from .cron_service import CronService
from .deadline import Deadline, within
from .errors import ReadError
from .http import BoundedHTTPClient
from .listening import AddressError, Listener
from .metrics import MetricsPage
from .schedule import CronExpression
from .signals import quiet_second_stop
from .tasks import TaskMaker
from .threads import in_daemon_thread
from .web.server import BoundedSite

# Responses in flight may take this long at stop, and all of the stop a little longer.
_SCRAPE_PATIENCE = 5.0
_STOP_PATIENCE = 9.0

# A config, or a password file, may be on a network mount that hangs.
_LOAD_PATIENCE = 60.0

# The key of the schedule of all repositories that have none of their own.
_DEFAULT = None


@frozen
class Parts:
    """The rooms of the daemon, as `restic_reporter.wiring` has put them together."""

    reactor: Any
    listener: Listener
    load_config: Callable[[], Config]
    task_maker: TaskMaker
    collector: Collector
    page: MetricsPage
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
        self._collection: Deferred[None] | None = None
        self._current: frozenset[str | None] | None = None
        self._waiting: set[str | None] = set()
        self._own_schedules: dict[str, CronExpression] = {}
        self._reloading = False
        self._reload_again = False
        self._stopping = False
        self._use(config)

    # Start and stop

    def setServiceParent(self, parent: Any) -> None:
        """Join ``parent``; twistd takes the log observer from its application's components."""
        if self._log_observer is not None and isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self._log_observer())
        super().setServiceParent(parent)

    def privilegedStartService(self) -> None:
        """Take the port, as long as we may."""
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
        self._parts.cron_service.startService()
        self._collect(None, complete=True)
        first = Deferred.fromCoroutine(self._serve())
        first.addErrback(lambda failure: self._log.failure("the web server ended", failure))

    async def _serve(self) -> None:
        """Listen once the first collection has ended."""
        collection = self._collection
        if collection is not None:
            await _end_of(collection)
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
        parts.listener.release()
        try:
            await within(deadline, self._end_all(), "stopping")
        except ReadError as error:
            self._log.error("{error}", error=error.message)

    async def _end_all(self) -> None:
        ends: list[Deferred[Any]] = [self._parts.site.finish_in_flight(_SCRAPE_PATIENCE)]
        if self._port is not None:
            stopped = self._port.stopListening()
            if stopped is not None:
                ends.append(stopped)
        if self._collection is not None:
            self._collection.cancel()
            ends.append(Deferred.fromCoroutine(_end_of(self._collection)))
        await DeferredList(ends, consumeErrors=True)
        await self._parts.http.close()

    # Collections

    def collect_now(self) -> None:
        """Collect all repositories now; while a collection runs, only say so."""
        if self._stopping:
            return
        if self._collection is not None or not self.running:
            self._log.info("a collection is under way already: no other one is started")
            return
        self._log.info("collecting all repositories now")
        self._collect(None, complete=True)

    def due(self, keys: frozenset[str | None]) -> None:
        """
        Some schedules are due: `None` is that of all repositories without their own, any
        other key is the label of one.
        """
        if self._stopping:
            return
        if self._collection is None:
            self._collect_keys(keys)
            return
        # What is being collected right now is skipped; what is not must not be missed only
        # because others are at work.
        current = self._current
        late = {key for key in keys if current is None or key in current}
        if late:
            self._parts.collector.job.skipped += 1
            self._log.warn("a collection is due while one is under way: skipped")
        self._waiting |= keys - late

    def _collect_keys(self, keys: frozenset[str | None]) -> None:
        labels = set(keys - {_DEFAULT})
        config_labels = [one.url for one in self._config.repositories]
        if _DEFAULT in keys:
            labels.update(label for label in config_labels if label not in self._own_schedules)
        complete = _DEFAULT in keys or len(self._own_schedules) == len(config_labels)
        self._current = keys
        self._collect({label for label in labels if label is not None}, complete)

    def _collect(self, labels: set[str] | None, complete: bool) -> None:
        if labels is None:
            self._current = None
        self._collection = self._parts.collector.collect(labels, complete)
        self._collection.addBoth(self._collected)

    def _collected(self, result: Any) -> None:
        if result is not None:
            self._log.failure("a bug ended the collection", result)
        self._collection = None
        if self._waiting and not self._stopping:
            keys, self._waiting = frozenset(self._waiting), set()
            self._collect_keys(keys)

    # Config

    def reload(self) -> None:
        """Read the config again; a good one is used from the next collection on."""
        if self._stopping:
            return
        if self._reloading:
            self._reload_again = True
            return
        self._reloading = True
        reloaded = Deferred.fromCoroutine(self._reload())
        reloaded.addErrback(lambda failure: self._log.failure("a bug in reloading", failure))

    async def _reload(self) -> None:
        parts = self._parts
        try:
            config = await within(
                Deadline.after(parts.reactor, _LOAD_PATIENCE), self._load(), "reading the config"
            )
            self._use(config)
        except ConfigError as error:
            parts.page.config_successful = False
            for problem in error.problems:
                self._log.error("the config is not reloaded: {problem}", problem=problem)
        except ReadError as error:
            parts.page.config_successful = False
            self._log.error("the config is not reloaded: {problem}", problem=error.message)
        except BaseException:
            parts.page.config_successful = False
            raise
        else:
            self._log.info(
                "config reloaded: {count} repositories, from the next collection on",
                count=len(config.repositories),
            )
        finally:
            self._reloading = False
            if self._reload_again:
                self._reload_again = False
                self.reload()

    async def _load(self) -> Config:
        return await in_daemon_thread(self._parts.reactor, self._parts.load_config)

    def _use(self, config: Config) -> None:
        """Swap ``config`` in, whole or, where a backend refuses it, not at all."""
        parts = self._parts
        tasks = parts.task_maker.tasks(config)
        parts.collector.set_tasks(tasks)
        self._config = config
        self._own_schedules = {
            one.url: one.cron for one in config.repositories if one.cron is not None
        }
        schedules: dict[str | None, CronExpression] = {_DEFAULT: parts.cron}
        schedules.update(self._own_schedules)
        parts.cron_service.set_schedules(schedules)
        parts.page.config_successful = True
        parts.page.config_success_time = parts.now()
        for warning in config.warnings:
            self._log.warn("{warning}", warning=warning)


async def _end_of(collection: "Deferred[None]") -> None:
    """Wait for the end of ``collection`` without becoming its end."""
    end: Deferred[None] = Deferred()

    def note(result: Any) -> Any:
        if not end.called:
            end.callback(None)
        return result

    collection.addBoth(note)
    await end


def _shown(host: Any) -> str:
    if isinstance(host, UNIXAddress):
        return os.fsdecode(host.name or b"")
    name = f"[{host.host}]" if ":" in host.host else host.host
    return f"{name}:{host.port}"
