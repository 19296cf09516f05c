"""
Signal handlers that leave all work to the reactor.

A handler runs between any two instructions of the main thread, so it only calls
`callFromThread`; such calls wait until the reactor runs.

In the order of a start: `hold_signals` when options are parsed, `install_handlers` with the
reactor, `stop_once_running` when twistd has written its pidfile, and `quiet_second_stop` when
the reactor runs.
"""

import os
import signal
from collections.abc import Callable, Collection
from types import FrameType
from typing import Any

from twisted.internet.interfaces import IReactorCore, IReactorFromThreads
from twisted.logger import Logger

_log = Logger()

_Handler = Callable[[int, FrameType | None], object]

_STOPS = (signal.SIGINT, signal.SIGTERM)


class IStoppableReactor(IReactorCore, IReactorFromThreads):
    """The reactor that `quiet_second_stop` needs."""


def hold_signals() -> Collection[int]:
    """
    Collect HUP and USR1, and let INT and TERM end the process at once.

    :return: the signals collected until now; it grows.
    """
    held: set[int] = set()
    for number in (signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, lambda number, frame: held.add(number))
    for number in _STOPS:
        signal.signal(number, _end)
    return held


def _end(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    # Process 1 of a container survives its own signals.
    os._exit(128 + number)


def install_handlers(
    reactor: IReactorFromThreads,
    *,
    hup: Callable[[], object],
    usr1: Callable[[], object],
    held: Collection[int] = (),
) -> None:
    """
    Call ``hup`` and ``usr1`` in the reactor's thread at their signals, and at once for ``held``.

    Several fast signals can cause one call; one always follows the last.
    """
    for number, callback in ((signal.SIGHUP, hup), (signal.SIGUSR1, usr1)):
        _handle(number, reactor, callback)
        if number in held:
            reactor.callFromThread(callback)


def _handle(
    number: int, reactor: IReactorFromThreads, callback: Callable[..., object], *arguments: object
) -> None:
    signal.signal(number, lambda _, frame: reactor.callFromThread(callback, *arguments))


def stop_once_running(reactor: Any) -> None:
    """
    Let the first INT or TERM stop ``reactor`` as its own handlers do, when it runs.

    Twisted replaces only Python's handler of INT, and shells let programs started with ``&``
    ignore INT.
    """
    came = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal came
        # A second stop would be an error.
        if not came:
            came = True
            (reactor.sigInt if number == signal.SIGINT else reactor.sigTerm)(number, frame)

    for number in _STOPS:
        signal.signal(number, handle)


def quiet_second_stop(reactor: IStoppableReactor) -> None:
    """
    Log INT and TERM, at debug, while ``reactor`` is stopping: Twisted would log a traceback.

    Call this when the reactor runs, as its own handlers exist only then. The first signal still
    reaches them, so that the process ends by it.
    """
    stopping = False

    def mark() -> None:
        nonlocal stopping
        stopping = True

    def stop(number: int, original: _Handler) -> None:
        if stopping:
            _log.debug("already stopping: {name}", name=signal.Signals(number).name)
        else:
            mark()
            original(number, None)

    reactor.addSystemEventTrigger("before", "shutdown", mark)
    for number in _STOPS:
        original = signal.getsignal(number)
        # Ignored signals, and those left to Python or the system, do not stop the reactor.
        if callable(original) and original is not signal.default_int_handler:
            _handle(number, reactor, stop, number, original)
