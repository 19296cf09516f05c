"""gzip, off the reactor's thread where it would hold the reactor."""

# Much of Twisted has no types yet.
# mypy: allow-untyped-calls

import gzip

from twisted.internet.defer import DeferredSemaphore
from twisted.internet.interfaces import IReactorFromThreads

from ..concurrency.daemon_threads import in_daemon_thread

# Level 1 compresses this much in about a millisecond.
INLINE = 256 * 1024


def compress(body: bytes) -> bytes:
    """``body`` as gzip, at the level that costs least time."""
    return gzip.compress(body, compresslevel=1, mtime=0)


class Compressor:
    """
    Compresses small bodies at once and large ones in a thread, at most two at a time.

    The threads are not the reactor's, whose pool may be full of work that takes seconds,
    and each ends with its body, so that there is no pool to be stopped.
    """

    def __init__(self, reactor: IReactorFromThreads) -> None:
        self._reactor = reactor
        self._turns = DeferredSemaphore(2)

    async def compress(self, body: bytes) -> bytes:
        """``body`` as gzip."""
        if len(body) <= INLINE:
            return compress(body)
        return await self._turns.run(in_daemon_thread, self._reactor, compress, body)
