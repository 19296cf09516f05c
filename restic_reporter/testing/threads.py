"""Waits for threads that nothing else waits for."""

import threading
from typing import Any

from twisted.internet import reactor as default_reactor

from ..concurrency.daemon_threads import in_daemon_thread

reactor: Any = default_reactor

# Seconds; a thread that takes longer hangs.
_TIMEOUT = 30.0


async def all_threads_back() -> None:
    """Wait for the end of all threads of `BackendTools.threads` that are running now."""
    before = [one for one in threading.enumerate() if one.name == "restic-reporter"]

    def wait() -> None:
        for one in before:
            one.join(_TIMEOUT)

    # Its own result reaches the reactor after theirs.
    await in_daemon_thread(reactor, wait)
