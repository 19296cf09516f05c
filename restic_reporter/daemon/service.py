"""The daemon as a service: start, signals and stop."""

import atexit
import os
import sys
from collections.abc import Callable
from typing import Any

from attrs import frozen
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized

from ..collection.collector import Collector
from ..collection.run_queue import Runs
from ..concurrency.cpu_threads import WorkerThreads
from ..concurrency.deadline import Deadline, within
from ..http import BoundedHTTPClient
from ..model.errors import ReadError
from ..pings.pinger import Pinger
from ..schedule.cron_service import CronService
from ..state.keeper import StateKeeper
from ..upkeep.service import UpkeepService
from ..web.listener import AddressError
from .children import SecretStores, WebServer
from .garbage import long_lived
from .log_queue import LogQueue
from .notify import Notifier
from .orders import Orders
from .reactor_lag import ReactorLag
from .reload import ConfigLoader
from .signals import quiet_second_stop, stop_once_running
from .web_config_watch import WebConfigWatch

# Seconds for the whole stop.
_STOP_TIMEOUT = 9.0


@frozen
class Parts:
    """The parts of the daemon, as wired by `restic_reporter.daemon.wiring`."""

    reactor: Any
    log_queue: LogQueue
    loader: ConfigLoader
    collector: Collector
    runs: Runs
    orders: Orders
    # Child services, in the order of their start.
    notifier: Notifier
    stores: SecretStores
    lag: ReactorLag
    cron_service: "CronService[str | None]"
    upkeep: UpkeepService
    web: WebServer
    web_config_watch: WebConfigWatch | None
    # Closed when all others have stopped.
    workers: WorkerThreads
    http: BoundedHTTPClient
    keeper: StateKeeper | None
    pinger: Pinger


class ReporterService(MultiService):
    """Collects at start and on schedule, serves the metrics, and handles signals."""

    _log = Logger()

    def __init__(
        self,
        parts: Parts,
        pidfile: str | None = None,
        log_observer: Callable[[], ILogObserver] | None = None,
    ) -> None:
        """
        Make the service; ``log_observer`` makes the observer that replaces twistd's.

        ``pidfile`` is twistd's: if the start fails, twistd leaves it behind.
        """
        super().__init__()
        self._parts = parts
        self._pidfile = pidfile
        self._log_observer = log_observer
        self._stopping = False
        for child in (
            parts.notifier,
            parts.stores,
            parts.lag,
            parts.cron_service,
            parts.upkeep,
            parts.web,
        ):
            child.setServiceParent(self)
        if parts.web_config_watch is not None:
            parts.web_config_watch.setServiceParent(self)

    def setServiceParent(self, parent: Any) -> None:
        """Join ``parent``, an application: twistd gets its log observer from there."""
        if self._log_observer is not None and isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self._log_observer())
        super().setServiceParent(parent)

    def privilegedStartService(self) -> None:
        """Begin to log, as twistd has forked, and bind the port while privileged."""
        reactor, log_queue = self._parts.reactor, self._parts.log_queue
        stop_once_running(reactor)
        log_queue.start()
        reactor.addSystemEventTrigger("after", "shutdown", log_queue.finish)
        try:
            super().privilegedStartService()
        except AddressError as error:
            # Twisted has written its pidfile, and removes it only after a run.
            if self._pidfile and os.path.exists(self._pidfile):
                os.unlink(self._pidfile)
            raise SystemExit(f"restic-reporter: --bind: {error}") from None

    def startService(self) -> None:
        """Begin the first collection when the reactor runs."""
        self._parts.reactor.callWhenRunning(self._begin)

    def _begin(self) -> None:
        quiet_second_stop(self._parts.reactor)
        super().startService()
        first = Deferred.fromCoroutine(self._serve())
        first.addErrback(lambda failure: self._log.failure("web server not opened", failure))

    async def _serve(self) -> None:
        """Collect, and listen: at once if all values are known from the state, else afterwards."""
        parts = self._parts
        if parts.keeper is not None:
            parts.keeper.started()
        with long_lived(lambda: True):
            restored = await parts.collector.restore()
        count = parts.collector.count
        repositories = "1 repository" if count == 1 else "{count} repositories"
        self._log.info(
            f"collecting {repositories}; {{address}} opens {'now' if restored else 'afterwards'}",
            count=count,
            address=parts.web.address,
        )
        parts.runs.collect_all()
        if not restored:
            await parts.runs.ended()
        try:
            await parts.web.open()
        except AddressError as error:
            self._log.critical("{error}", error=error)
            self._fail()
        else:
            parts.notifier.ready()

    def _fail(self) -> None:
        """Stop, and exit with status 1, which twistd cannot do."""

        def leave() -> None:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(1)

        atexit.register(leave)
        self._parts.reactor.stop()

    def stopService(self) -> "Deferred[None]":
        """Stop all work; fire when children and responses have ended, or after a timeout."""
        self._stopping = True
        self._parts.loader.stop()
        children = super().stopService()
        return Deferred.fromCoroutine(self._stop(children))

    async def _stop(self, children: "Deferred[Any]") -> None:
        deadline = Deadline.after(self._parts.reactor, _STOP_TIMEOUT)
        runs = self._parts.runs.stop()
        self._parts.pinger.stop()

        async def end() -> None:
            await children
            await runs
            await self._parts.collector.stop()
            if self._parts.keeper is not None:
                await self._parts.keeper.stop()
            self._parts.workers.stop()
            await self._parts.http.close()

        try:
            await within(deadline, end(), "stopping")
        except ReadError as error:
            self._log.error("{error}", error=error.message)

    def collect_now(self) -> None:
        """Collect all repositories now, unless a collection is running."""
        if not self._stopping:
            self._parts.orders.collect(None)

    def reload(self) -> None:
        """Load the config again; use a valid one from the next collection on."""
        if not self._stopping:
            self._parts.orders.reload()
