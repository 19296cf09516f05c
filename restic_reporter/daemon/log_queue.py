"""A log observer that never waits for the program, disk or terminal that takes the log."""

import sys
import threading
import time
from collections import deque
from collections.abc import Callable

from attrs import define, field
from twisted.logger import ILogObserver, LogEvent, LogLevel, LogPublisher
from zope.interface import implementer

# Bytes of memory that events may take while they wait to be written.
LIMIT = 4 * 2**20

# Bytes that an event takes beside its text.
_EVENT_SIZE = 1024

# Seconds until a write that failed, on a full disk for instance, is tried again.
RETRY = 1.0

# Seconds in all that the end of the process waits for the log.
PATIENCE = 0.5


@implementer(ILogObserver)
@define(eq=False)
class LogQueue:
    """
    Hands events to ``observer`` in a thread, in order, from `start` on.

    The events are those of `.log_observer.RedactingObserver`: texts without secrets.
    Once more than ``limit`` bytes of them wait, new ones are dropped until the queue is empty;
    then an event says how many lines were ``dropped``, which is their total. Until `start`
    events wait: twistd forks after its first ones, and a thread does not survive that.
    """

    observer: Callable[[LogEvent], object] = field(factory=LogPublisher)
    dropped: int = 0
    _limit: int = LIMIT
    _retry: float = RETRY
    _changed: threading.Condition = field(factory=threading.Condition)
    _events: deque[LogEvent] = field(factory=deque)
    _size: int = 0
    _untold: int = 0
    _writing: bool = False
    _thread: threading.Thread | None = None
    _deadline: float | None = None

    def __call__(self, event: LogEvent) -> None:
        """Take ``event``. After `finish` wait, for a bounded time, until it is written."""
        # The lock is reentrant: garbage collection in here can log.
        with self._changed:
            if self._untold or self._size + _size(event) > self._limit:
                self._drop(event)
            else:
                self._size += _size(event)
                self._events.append(event)
                self._changed.notify_all()
        if self._deadline is not None and threading.current_thread() is not self._thread:
            self._wait(self._deadline)

    def start(self) -> None:
        """Begin to write. Call it after the last fork."""
        self._thread = threading.Thread(target=self._work, name="restic-reporter-log", daemon=True)
        self._thread.start()

    def finish(self, patience: float = PATIENCE) -> None:
        """
        Wait until all is written, and from now on after each event too, since the process may
        end after any of them: for at most ``patience`` seconds in all.
        """
        if self._deadline is None:
            self._deadline = time.monotonic() + patience
        if self._thread is None:
            # The start has failed. While Python ends it starts no thread.
            while self._events:
                self._observed(self._next())
            self._writing = False
        self._wait(self._deadline)

    def _drop(self, event: LogEvent) -> None:
        lines = _text(event).count("\n") + 1
        self.dropped += lines
        self._untold += lines

    def _wait(self, deadline: float) -> None:
        with self._changed:
            self._changed.wait_for(self._is_idle, max(0.0, deadline - time.monotonic()))

    def _is_idle(self) -> bool:
        return not (self._events or self._untold or self._writing)

    def _work(self) -> None:
        while True:
            event = self._next()
            while not self._observed(event):
                time.sleep(self._retry)

    def _next(self) -> LogEvent:
        with self._changed:
            self._writing = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._events or self._untold)
            self._writing = True
            if not self._events:
                dropped, self._untold = self._untold, 0
                return _notice(dropped)
            event = self._events.popleft()
            self._size -= _size(event)
            return event

    def _observed(self, event: LogEvent) -> bool:
        """Whether no other try can help: it is written, or it cannot be."""
        try:
            self.observer(event)
        except OSError:
            return False
        except Exception:
            # There is nowhere to say so but the count.
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
