"""
Signal handlers that leave all work to the reactor.

The body of a handler runs between any two instructions of the main thread, so it does nothing
but `callFromThread`; calls made before the reactor runs wait until it does.
"""

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

from attrs import define, field
from twisted.internet.interfaces import IReactorCore, IReactorFromThreads
from twisted.logger import Logger

_log = Logger()

_Handler = Callable[[int, FrameType | None], object]


class IStoppableReactor(IReactorCore, IReactorFromThreads):
    """What `quiet_second_stop` needs of a reactor."""


@define
class SignalHandlers:
    """The handlers of HUP and USR1 that `install` has put in place."""

    _replaced: dict[signal.Signals, Any] = field(factory=dict)

    @classmethod
    def install(
        cls,
        reactor: IReactorFromThreads,
        *,
        hup: Callable[[], object],
        usr1: Callable[[], object],
    ) -> "SignalHandlers":
        """
        From now on ``hup`` and ``usr1`` are called in the reactor's thread when their signal
        has come. Signals that come faster than the process can take them may be one call;
        after the last of them there always is one.
        """
        handlers = cls()
        for number, callback in ((signal.SIGHUP, hup), (signal.SIGUSR1, usr1)):
            replaced = signal.signal(number, _passing_on(reactor, callback))
            handlers._replaced[number] = replaced
        return handlers

    def restore(self) -> None:
        """Put the handlers back that were there before; by default they end the process."""
        while self._replaced:
            number, handler = self._replaced.popitem()
            # None stands for a handler that was not set from Python, and can't be set again.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _passing_on(reactor: IReactorFromThreads, callback: Callable[[], object]) -> _Handler:
    def handle(number: int, frame: FrameType | None) -> None:
        reactor.callFromThread(callback)

    return handle


def heed_interrupt() -> None:
    """
    See to it that INT stops the reactor. Call it before the reactor runs.

    A script that starts a program with ``&`` has it ignore INT, and Twisted puts its own
    handler in place only where Python's is.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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
