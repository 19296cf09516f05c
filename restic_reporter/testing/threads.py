"""Waiting for threads that nobody else waits for."""

import threading
from typing import Any

from twisted.internet import reactor as default_reactor

from ..concurrency.daemon_threads import in_daemon_thread

reactor: Any = default_reactor

# A thread that takes longer hangs.
_PATIENCE = 30.0


async def all_threads_back() -> None:
    """Wait until each thread of `BackendTools.threads` that is at work now has come back."""
    before = [one for one in threading.enumerate() if one.name == "restic-reporter"]

    def wait() -> None:
        for one in before:
            one.join(_PATIENCE)

    # Its own outcome comes to the reactor after theirs.
    await in_daemon_thread(reactor, wait)
