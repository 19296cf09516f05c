"""Runs blocking calls off the reactor."""

import threading
from collections.abc import Callable, Hashable
from typing import TypeVar

from attrs import Factory, define
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure

T = TypeVar("T")


class BusyError(Exception):
    """A thread for the same key is still running."""


@define
class KeyedThreads:
    """
    Daemon threads for calls that may hang for ever, at most one at a time for each key.

    A call on a dead network mount cannot be stopped: its thread stays. Another call with the
    same key fails at once; calls with other keys are not affected.
    """

    reactor: IReactorFromThreads
    _busy: set[Hashable] = Factory(set)

    def run(self, key: Hashable, function: Callable[..., T], *arguments: object) -> "Deferred[T]":
        """
        Call ``function`` in a thread; cancelling stops waiting, not the thread.

        :raises BusyError: the thread of an earlier call for ``key`` is still running.
        """
        if key in self._busy:
            raise BusyError
        self._busy.add(key)

        def call() -> T:
            try:
                return function(*arguments)
            finally:
                self.reactor.callFromThread(self._busy.discard, key)

        try:
            return in_daemon_thread(self.reactor, call)
        except RuntimeError:  # no more threads
            self._busy.discard(key)
            raise


def in_daemon_thread(
    reactor: IReactorFromThreads, function: Callable[..., T], *arguments: object
) -> "Deferred[T]":
    """
    Call ``function`` in a thread of its own.

    Unlike a pool's thread, it does not delay the end of the process if it hangs, on a dead
    network mount for instance. The caller must limit the number of threads.
    """
    result: Deferred[T] = Deferred(lambda _: None)

    def call() -> None:
        outcome: T | Failure
        try:
            outcome = function(*arguments)
        except BaseException:
            outcome = Failure()
        reactor.callFromThread(fire, result, outcome)

    threading.Thread(target=call, name="restic-reporter", daemon=True).start()
    return result


def fire(result: "Deferred[T]", outcome: T | Failure) -> None:
    """Fire ``result``, unless it was cancelled."""
    if not result.called:
        result.callback(outcome)
