"""Write the log in a thread, so that a slow disk, pipe or terminal blocks nothing."""

import sys
import threading
import time
from collections import deque
from collections.abc import Callable

from attrs import define, field
from twisted.logger import ILogObserver, LogEvent, LogLevel, LogPublisher
from zope.interface import implementer

# Bytes of memory for waiting events.
LIMIT = 4 * 2**20

# Bytes of an event besides its text.
_EVENT_SIZE = 1024

# Seconds until the retry of a failed write, on a full disk for example.
RETRY = 1.0

# Seconds that the end of the process waits for the log in all.
TIMEOUT = 0.5


@implementer(ILogObserver)
@define(eq=False)
class LogQueue:
    """
    Passes events from `.log_observer.RedactingObserver` to ``observer`` in a thread, in order.

    Beyond ``limit`` bytes new events are dropped until the queue is empty; then an event gives
    the number of missing lines. ``dropped`` is their total. Events wait for `start`: twistd
    forks after the first ones, and a thread does not survive a fork.
    """

    observer: Callable[[LogEvent], object] = field(factory=LogPublisher)
    dropped: int = 0
    _limit: int = LIMIT
    _retry: float = RETRY
    _changed: threading.Condition = field(factory=threading.Condition)
    _events: deque[LogEvent] = field(factory=deque)
    _size: int = 0
    _unreported: int = 0
    _writing: bool = False
    _thread: threading.Thread | None = None
    _deadline: float | None = None

    def __call__(self, event: LogEvent) -> None:
        """Queue ``event``; after `finish`, wait until it is written, or for the timeout."""
        # The lock is reentrant: garbage collection in here can log.
        with self._changed:
            if self._unreported or self._size + _size(event) > self._limit:
                self._drop(event)
            else:
                self._size += _size(event)
                self._events.append(event)
                self._changed.notify_all()
        if self._deadline is not None and threading.current_thread() is not self._thread:
            self._wait(self._deadline)

    def start(self) -> None:
        """Begin to write; call this after the last fork."""
        self._thread = threading.Thread(target=self._work, name="restic-reporter-log", daemon=True)
        self._thread.start()

    def finish(self, timeout: float = TIMEOUT) -> None:
        """
        Wait until all is written, for at most ``timeout`` seconds in all.

        Later events wait too, as the process may end after any of them.
        """
        if self._deadline is None:
            self._deadline = time.monotonic() + timeout
        if self._thread is None:
            # The start failed, and Python starts no threads at exit.
            while self._events:
                self._observed(self._next())
            self._writing = False
        self._wait(self._deadline)

    def _drop(self, event: LogEvent) -> None:
        lines = _text(event).count("\n") + 1
        self.dropped += lines
        self._unreported += lines

    def _wait(self, deadline: float) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: not (self._events or self._unreported or self._writing),
                max(0.0, deadline - time.monotonic()),
            )

    def _work(self) -> None:
        while True:
            event = self._next()
            while not self._observed(event):
                time.sleep(self._retry)

    def _next(self) -> LogEvent:
        with self._changed:
            self._writing = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._events or self._unreported)
            self._writing = True
            if not self._events:
                dropped, self._unreported = self._unreported, 0
                return _notice(dropped)
            event = self._events.popleft()
            self._size -= _size(event)
            return event

    def _observed(self, event: LogEvent) -> bool:
        """Write ``event``; return whether no retry is needed."""
        try:
            self.observer(event)
        except OSError:
            return False
        except Exception:
            # It cannot be logged, only counted.
            with self._changed:
                self._drop(event)
        return True


def _text(event: LogEvent) -> str:
    return str(event.get("log_text", ""))


def _size(event: LogEvent) -> int:
    return _EVENT_SIZE + sys.getsizeof(_text(event))


def _notice(dropped: int) -> LogEvent:
    lines = "1 log line" if dropped == 1 else f"{dropped} log lines"
    return {
        "log_time": time.time(),
        "log_level": LogLevel.warn,
        "log_system": LogLevel.warn.name,
        "log_namespace": __name__,
        "log_format": "{log_text}",
        "log_text": f"dropped {lines}: the log was not read, or could not be written",
    }
