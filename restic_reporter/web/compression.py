"""gzip, in a thread if it would block the reactor."""

# Much of Twisted has no types yet.
# mypy: allow-untyped-calls

import gzip

from twisted.internet.defer import DeferredSemaphore
from twisted.internet.interfaces import IReactorFromThreads

from ..concurrency.daemon_threads import in_daemon_thread

# Level 1 compresses this much in about a millisecond.
INLINE = 256 * 1024


def compress(body: bytes) -> bytes:
    """Compress ``body`` as gzip, at the fastest level."""
    return gzip.compress(body, compresslevel=1, mtime=0)


class Compressor:
    """
    Compresses small bodies at once and large ones in a thread, at most two at a time.

    It does not use the reactor's threads, which may be busy for seconds. Each thread ends with
    its body, so there is no pool to stop.
    """

    def __init__(self, reactor: IReactorFromThreads) -> None:
        self._reactor = reactor
        self._turns = DeferredSemaphore(2)

    async def compress(self, body: bytes) -> bytes:
        """Compress ``body`` as gzip."""
        if len(body) <= INLINE:
            return compress(body)
        return await self._turns.run(in_daemon_thread, self._reactor, compress, body)
