"""Follows the files of ``--web-config``."""

from collections.abc import Iterable

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from ..concurrency.daemon_threads import in_daemon_thread
from ..config.web_config_file import WebConfigFile
from ..model.errors import ConfigError
from ..web.security.gate import IGateReactor, Security
from ..web.security.web_config import WebConfig, weakening

# Seconds between two looks at the files.
INTERVAL = 1.0


class WebConfigWatch(Service):
    """
    Looks at the files once a second, and swaps in what has changed.

    An invalid change is logged once, and the running config stays. A look that hangs, on a
    dead mount for instance, holds up nothing but the next look.
    """

    _log = Logger()

    def __init__(self, reactor: IGateReactor, file: WebConfigFile, security: Security) -> None:
        self._reactor = reactor
        self._file = file
        self._security = security
        self._call: IDelayedCall | None = None

    def startService(self) -> None:
        """Log what is worth a look, and begin."""
        super().startService()
        self._warn(self._security.config.warnings)
        self._wait()

    def stopService(self) -> None:
        """Look no more."""
        super().stopService()
        if self._call is not None and self._call.active():
            self._call.cancel()

    def _wait(self) -> None:
        if self.running:
            self._call = self._reactor.callLater(INTERVAL, self._look)

    def _look(self) -> None:
        looked: Deferred[WebConfig | ConfigError | None]
        try:
            looked = in_daemon_thread(self._reactor, self._file.changed)
        except RuntimeError:
            # No more threads; perhaps next time.
            self._wait()
            return
        looked.addCallback(self._swap)
        looked.addErrback(
            lambda failure: self._log.failure("web config not read because of a bug", failure)
        )
        looked.addBoth(lambda _: self._wait())

    def _swap(self, found: WebConfig | ConfigError | None) -> None:
        if found is None or not self.running:
            return
        problems: Iterable[str] = ()
        if isinstance(found, ConfigError):
            problems = found.problems
        else:
            weaker = weakening(self._security.config, found)
            if weaker is None:
                self._security.use(found)
                self._log.info("web config reloaded: {file}", file=self._file.path)
                self._warn(found.warnings)
            else:
                problems = [f"{self._file.path}: {weaker}"]
        for problem in problems:
            self._log.error(
                "web config not reloaded, keeping the running one: {problem}", problem=problem
            )

    def _warn(self, warnings: Iterable[str]) -> None:
        for warning in warnings:
            self._log.warn("{problem}", problem=warning)
