"""Blocking calls off the reactor."""

import threading
from collections.abc import Callable
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure

T = TypeVar("T")


def in_daemon_thread(
    reactor: IReactorFromThreads, function: Callable[..., T], *arguments: object
) -> "Deferred[T]":
    """
    Call ``function`` in a thread of its own.

    Unlike a thread of a pool it does not hold up the end of the process when it hangs, on
    a dead network mount for instance. The caller sees to it that there are not many.
    """
    result: Deferred[T] = Deferred(lambda _: None)

    def call() -> None:
        outcome: T | Failure
        try:
            outcome = function(*arguments)
        except BaseException:
            outcome = Failure()
        reactor.callFromThread(_fire, result, outcome)

    threading.Thread(target=call, name="restic-reporter", daemon=True).start()
    return result


def _fire(result: "Deferred[T]", outcome: T | Failure) -> None:
    if not result.called:
        result.callback(outcome)
