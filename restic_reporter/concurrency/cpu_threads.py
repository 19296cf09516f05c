"""A few threads for work that takes the processor, shared by all repositories."""

import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure

from .daemon_threads import fire

T = TypeVar("T")


def usable_cores() -> int:
    """Return the number of processors that this process may run on."""
    return len(os.sched_getaffinity(0))


@define(eq=False)
class _Job:
    """A call that waits for a thread; ``work`` is taken out when it begins or is given up."""

    result: "Deferred[Any]"
    work: Callable[[], Any] | None


@define(eq=False)
class WorkerThreads:
    """
    At most ``size`` threads, started as they are needed, that never wait for anything but work.

    Short jobs go before long ones, so that a queue of key derivations holds up nothing else.
    The threads do not hold up the end of the process.

    Twisted's own pool has one queue, waits for its threads at its stop, and takes three times
    as long for a short job where the queues are kept outside of it.
    """

    _reactor: IReactorFromThreads
    _size: int = field(factory=usable_cores)
    _changed: threading.Condition = field(factory=threading.Condition)
    _short: deque[_Job] = field(factory=deque)
    _long: deque[_Job] = field(factory=deque)
    _threads: int = 0
    _idle: int = 0
    _stopped: bool = False

    def run(
        self, function: Callable[..., T], *arguments: object, long: bool = False
    ) -> "Deferred[T]":
        """
        Call ``function`` in a thread when it is its turn.

        Cancelling takes a job out of the queue. One that has begun goes on, and what comes
        of it is dropped.

        :raises RuntimeError: no thread can be started, or this has been stopped.
        """

        def give_up(_: object) -> None:
            job.work = None

        result: Deferred[T] = Deferred(give_up)
        job = _Job(result, lambda: function(*arguments))
        with self._changed:
            if self._stopped:
                raise RuntimeError("the worker threads have been stopped")
            waiting = len(self._short) + len(self._long)
            if self._idle <= waiting and self._threads < self._size:
                self._start()
            (self._long if long else self._short).append(job)
            self._changed.notify()
        return result

    def stop(self) -> None:
        """Begin nothing more. Returns at once; jobs in the queue never end."""
        with self._changed:
            self._stopped = True
            self._short.clear()
            self._long.clear()
            self._changed.notify_all()

    def _start(self) -> None:
        try:
            threading.Thread(target=self._work, name="restic-reporter-worker", daemon=True).start()
        except RuntimeError:  # no more threads
            if not self._threads:
                raise
        else:
            self._threads += 1

    def _work(self) -> None:
        while True:
            job = self._next()
            if job is None:
                return
            work, job.work = job.work, None
            if work is None:
                continue
            outcome: object
            try:
                outcome = work()
            except BaseException:
                outcome = Failure()
            self._reactor.callFromThread(fire, job.result, outcome)
            # An idle thread must not keep what its last job was about.
            del job, work, outcome

    def _next(self) -> _Job | None:
        with self._changed:
            while not (self._short or self._long or self._stopped):
                self._idle += 1
                self._changed.wait()
                self._idle -= 1
            if self._stopped:
                return None
            return (self._short or self._long).popleft()
