"""A bounded number of threads for the blocking calls to Vault, none of which is waited for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure

from ...concurrency.daemon_threads import in_daemon_thread
from .errors import VaultOutageError, VaultRefusedError
from .settings import VaultSettings

if TYPE_CHECKING:
    from .transport import Channel

T = TypeVar("T")

AT_ONE_TIME = 8

# How many threads may hang after their calls were given up.
MOST_LEFT = 8


@define(eq=False)
class _Job:
    """A call, waiting or running; ``channel`` is there once it runs."""

    function: Callable[[Channel], Any]
    result: Deferred[Any]
    channel: Channel | None = None


@define(eq=False)
class VaultCalls:
    """
    Runs calls in daemon threads, `AT_ONE_TIME` together; the others wait for their turn.

    A call that is cancelled has its connection ended, which ends its thread as a rule. Where
    it does not, the thread stays behind, and when `MOST_LEFT` have, calls fail at once.
    Connections are kept as long as calls follow each other, and closed after the last.
    """

    _reactor: IReactorFromThreads
    _settings: VaultSettings
    _running: set[_Job] = field(factory=set)
    _left: set[_Job] = field(factory=set)
    _waiting: deque[_Job] = field(factory=deque)
    _free: list[Channel] = field(factory=list)
    _stopped: bool = False

    @property
    def idle(self) -> bool:
        """Whether no thread is at work, be it one that was given up."""
        return not self._running and not self._left

    def run(self, function: Callable[[Channel], T]) -> Deferred[T]:
        """
        Call ``function`` with a connection in a thread; it may be cancelled.

        :raises VaultOutageError: there are no threads left.
        """
        result: Deferred[T] = Deferred(lambda _: self._give_up(job))
        job = _Job(function, result)
        self._waiting.append(job)
        self._start()
        return result

    def stop(self) -> None:
        """Fail all calls, and start no other."""
        self._stopped = True
        jobs = [*self._waiting, *self._running]
        self._waiting.clear()
        for job in jobs:
            self._give_up(job)
        for job in jobs:
            if not job.result.called:
                job.result.errback(VaultOutageError("the daemon stops"))

    def _start(self) -> None:
        while self._waiting and len(self._running) < AT_ONE_TIME:
            job = self._waiting.popleft()
            if self._stopped:
                job.result.errback(VaultOutageError("the daemon stops"))
            elif len(self._left) >= MOST_LEFT:
                job.result.errback(VaultOutageError(f"{MOST_LEFT} calls to it hang already"))
            else:
                self._run(job)

    def _run(self, job: _Job) -> None:
        self._running.add(job)
        job.channel = self._free.pop() if self._free else None

        def call() -> Any:
            # In the thread, as importing the library and reading certificates takes time.
            if job.channel is None:
                from .transport import Channel

                job.channel = Channel(self._settings)
                if job not in self._running:
                    job.channel.abort()
            return job.function(job.channel)

        try:
            ended = in_daemon_thread(self._reactor, call)
        except RuntimeError:  # no more threads
            self._running.discard(job)
            if job.channel is not None:
                job.channel.close()
            job.result.errback(VaultOutageError("there are no more threads"))
            return
        ended.addBoth(self._ended, job)

    def _give_up(self, job: _Job) -> None:
        if job in self._running:
            self._running.discard(job)
            self._left.add(job)
            if job.channel is not None:
                job.channel.abort()
            self._start()
        elif job in self._waiting:
            self._waiting.remove(job)

    def _ended(self, outcome: Any, job: _Job) -> None:
        given_up = job in self._left
        self._left.discard(job)
        self._running.discard(job)
        if job.channel is not None:
            broken = isinstance(outcome, Failure) and not outcome.check(VaultRefusedError)
            if given_up or broken:
                job.channel.close()
            else:
                self._free.append(job.channel)
        if not given_up:
            job.result.callback(outcome)
        self._start()
        if not self._running:
            while self._free:
                self._free.pop().close()
