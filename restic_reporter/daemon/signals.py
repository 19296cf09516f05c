"""
Signal handlers that leave all work to the reactor.

The body of a handler runs between any two instructions of the main thread, so it does nothing
but `callFromThread`; calls made before the reactor runs wait until it does.

In the order of a start: `hold_signals` once options are parsed, `install_handlers` once
there is a reactor, `stop_once_running` once there is a pidfile to be removed, and
`quiet_second_stop` once the reactor runs.
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


class IStoppableReactor(IReactorCore, IReactorFromThreads):
    """What `quiet_second_stop` needs of a reactor."""


def hold_signals() -> Collection[int]:
    """
    From now on HUP and USR1 do no harm, and INT and TERM end the process at once.

    :return: the numbers of those of HUP and USR1 that come until others are in place.
    """
    came: set[int] = set()
    for number in (signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, lambda number, frame: came.add(number))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    return came


def _end(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    # Process 1 of a container outlives that.
    os._exit(128 + number)


def install_handlers(
    reactor: IReactorFromThreads,
    *,
    hup: Callable[[], object],
    usr1: Callable[[], object],
    held: Collection[int] = (),
) -> None:
    """
    From now on ``hup`` and ``usr1`` are called in the reactor's thread when their signal
    has come, and for those that were ``held`` until now. Signals that come faster than the
    process can take them may be one call; after the last of them there always is one.
    """
    for number, callback in ((signal.SIGHUP, hup), (signal.SIGUSR1, usr1)):
        signal.signal(number, _passing_on(reactor, callback))
        if number in held:
            reactor.callFromThread(callback)


def _passing_on(reactor: IReactorFromThreads, callback: Callable[[], object]) -> _Handler:
    def handle(number: int, frame: FrameType | None) -> None:
        reactor.callFromThread(callback)

    return handle


def stop_once_running(reactor: Any) -> None:
    """
    From now on INT and TERM stop ``reactor``, as soon as it runs, by its own handlers.

    Twisted puts its handler of INT in place only where Python's is; a script that starts a
    program with ``&`` has it ignore INT.
    """
    came = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal came
        # A second stop would be an error.
        if not came:
            came = True
            (reactor.sigInt if number == signal.SIGINT else reactor.sigTerm)(number, frame)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle)


def quiet_second_stop(reactor: IStoppableReactor) -> None:
    """
    From now on INT and TERM are only logged, at debug, once ``reactor`` is stopping.

    Call it when the reactor runs: its own handlers are there only then, and the first signal
    still goes to them, so that the process ends by it. They would try to stop a second time
    and log a traceback.
    """
    stopping = False

    def mark() -> None:
        nonlocal stopping
        stopping = True

    def quieted(original: _Handler) -> _Handler:
        def stop(number: int) -> None:
            if stopping:
                _log.debug("already stopping: {name}", name=signal.Signals(number).name)
            else:
                mark()
                original(number, None)

        def handle(number: int, frame: FrameType | None) -> None:
            reactor.callFromThread(stop, number)

        return handle

    reactor.addSystemEventTrigger("before", "shutdown", mark)
    for number in (signal.SIGINT, signal.SIGTERM):
        original = signal.getsignal(number)
        # One that is ignored, or left to Python or the system, does not stop the reactor.
        if callable(original) and original is not signal.default_int_handler:
            signal.signal(number, quieted(original))
