"""Runs one collection in this process, from the start of the reactor to its end."""

import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import IO, Any, cast

from attrs import define
from twisted.internet.defer import Deferred
from twisted.logger import Logger, globalLogBeginner, textFileLogObserver
from twisted.python.failure import Failure

from ..collection.run import ReadOne
from ..collection.state import CollectionState
from ..daemon.descriptors import raise_limit
from ..daemon.log_observer import observer_factory
from ..daemon.wiring_collection import Collection, wire_collection
from ..tap import Options
from .screen import Screen

_log = Logger()

# Seconds that the end may take after a signal.
_STOP_TIMEOUT = 9.0

# Seconds between two looks at how far it is.
_STEP = 0.2

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):  # noqa: N818
    """A signal ended the run; ``status`` is the exit status."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.status = 128 + number


def run_once(options: Options, read: ReadOne, screen: Screen) -> Collection:
    """
    Read all repositories of the config once, each by ``read``, and log to standard error.

    To be called once in a process, as it runs the reactor.

    :raises ValueError: it cannot run like this; the message is for the user.
    :raises Interrupted: by INT, TERM or HUP, after all work has ended.
    """
    from twisted.internet import reactor

    raise_limit()
    collection = wire_collection(
        options, reactor, os.environ, CollectionState(), read, one_run=True
    )
    _begin_log(options["log-level"], collection.redactor.redact, screen)
    run = _Run(reactor, collection, screen)
    run.run()
    return collection


def _begin_log(level: str, redact: Callable[[str], str], screen: Screen) -> None:
    stream = cast(IO[str], screen)
    make = observer_factory({}, level, redact, lambda: textFileLogObserver(stream))
    assert make is not None
    globalLogBeginner.beginLoggingTo([make()], redirectStandardIO=False)


@define(eq=False)
class _Run:
    """Starts the collection, and stops the reactor after it or by a signal."""

    _reactor: Any
    _collection: Collection
    _screen: Screen
    _collecting: "Deferred[None] | None" = None
    _signal: int | None = None
    _failure: Failure | None = None
    _ended: bool = False
    _stopped: bool = False

    def run(self) -> None:
        """
        Run the reactor until all is done.

        :raises Interrupted: by a signal.
        """
        self._handle_signals()
        self._reactor.callWhenRunning(self._begin)
        with self._screen:
            self._reactor.run()
        if self._failure is not None:
            _log.failure("collection failed: bug in restic-reporter", self._failure)
            raise SystemExit(1)
        if self._signal is not None:
            raise Interrupted(self._signal)
        if not self._ended:
            # The reactor's own handler of TERM was in place for a moment.
            raise Interrupted(signal.SIGTERM)

    def _handle_signals(self) -> None:
        for number in _SIGNALS:
            signal.signal(number, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        # This is between any two instructions: leave all work to the reactor.
        self._reactor.callFromThread(self._interrupt, number)

    def _interrupt(self, number: int) -> None:
        if self._signal is not None or self._ended:
            return
        self._signal = number
        self._reactor.callLater(_STOP_TIMEOUT, self._stop)
        if self._collecting is not None:
            self._collecting.cancel()

    def _begin(self) -> None:
        # The reactor has just put its own in place.
        self._handle_signals()
        ended = Deferred.fromCoroutine(self._work())
        ended.addErrback(self._note_bug)
        ended.addCallback(lambda _: self._stop())

    def _stop(self) -> None:
        """Stop the reactor. What still hangs ends with this process."""
        if not self._stopped:
            self._stopped = True
            self._reactor.stop()

    def _note_bug(self, failure: Failure) -> None:
        self._failure = failure

    async def _work(self) -> None:
        collection = self._collection
        collection.stores.startService()
        if self._signal is None:
            self._collecting = collection.collector.collect()
            self._show()
            await self._collecting
        self._ended = True
        self._reactor.callLater(_STOP_TIMEOUT, self._stop)
        if collection.keeper is not None:
            await collection.keeper.stop()
        collection.stores.stopService()
        collection.workers.stop()
        await collection.http.close()

    def _show(self) -> None:
        collector = self._collection.collector
        if self._collection.state.job.running:
            progress = collector.progress()
            count = collector.count
            self._screen.show(count - progress.left, count, progress.longest)
            self._reactor.callLater(_STEP, self._show)
