"""Downloads files in parallel and ahead of use, and holds a limited amount."""

from collections import deque
from collections.abc import Awaitable, Callable, Iterable

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore

from ...interfaces import IBackend, ReadRequest
from ...model.errors import ReadError, Reason

# The most parallel downloads from a backend that allows several.
PARALLEL = 8

# Downloads pause while this many bytes are not used yet.
HELD_LIMIT = 8 * 2**20

# Files in one batch: decrypting them takes a few milliseconds.
BATCH = 128

# Bytes of memory for a file besides its content.
_OVERHEAD = 512

# Reasons that concern one file only; any other ends the read.
OF_ONE_FILE = frozenset((Reason.NOT_FOUND, Reason.PROTOCOL, Reason.TOO_LARGE))

Fetched = tuple[str, bytes | ReadError]


class RepositoryFiles:
    """Loads files from ``backend`` for one read, at most ``parallel`` at a time."""

    def __init__(self, request: ReadRequest, backend: IBackend) -> None:
        self.backend = backend
        self.parallel = min(PARALLEL, backend.concurrent_loads)
        self._request = request
        self._gate = DeferredSemaphore(self.parallel)

    async def load(self, path: str, limit: int) -> bytes:
        """Load one encrypted file; see `IBackend.load`."""
        request = self._request
        async with self._gate:
            return await self.backend.load(path, limit, request.deadline, request.meter)


@define(eq=False)
class Fetching:
    """
    Fetches files with ``load``, ``parallel`` at a time.

    Returns the error in place of a file that cannot be loaded.
    """

    _load: Callable[[str], Awaitable[bytes]]
    _parallel: int
    _names: list[str] = field(factory=list)
    _ready: deque[Fetched] = field(factory=deque)
    _held: int = 0
    _tasks: "list[Deferred[None]]" = field(factory=list)
    _running: int = 0
    _error: Exception | None = None
    _waiting: "Deferred[None] | None" = None
    _full: "list[Deferred[None]]" = field(factory=list)

    def start(self, names: Iterable[str]) -> None:
        """Start to fetch the files ``names``."""
        self._names = list(names)
        number = min(self._parallel, len(self._names))
        self._running = number
        for _ in range(number):
            self._tasks.append(Deferred.fromCoroutine(self._work()))

    def stop(self) -> None:
        """Cancel all downloads."""
        self._names.clear()
        for task in self._tasks:
            task.cancel()

    async def batch(self) -> list[Fetched]:
        """
        Return some more files, at most `BATCH` and half of `HELD_LIMIT`; none at the end.

        :raises Exception: the error that ended the downloads, after all files before it.
        """
        if not self._is_enough():
            self._waiting = Deferred()
            try:
                await self._waiting
            finally:
                self._waiting = None
        some: list[Fetched] = []
        size = 0
        while self._ready and len(some) < BATCH and size < HELD_LIMIT // 2:
            size += _size(self._ready[0])
            some.append(self._ready.popleft())
        self._held -= size
        self._go_on()
        if not some and self._error is not None:
            raise self._error
        return some

    def _is_enough(self) -> bool:
        return not self._running or len(self._ready) >= BATCH or self._held >= HELD_LIMIT // 2

    def _go_on(self) -> None:
        while self._full and self._held < HELD_LIMIT:
            self._full.pop().callback(None)

    async def _work(self) -> None:
        try:
            while self._names and self._error is None:
                if self._held >= HELD_LIMIT:
                    room: Deferred[None] = Deferred(self._full.remove)
                    self._full.append(room)
                    await room
                    continue
                await self._fetch(self._names.pop())
        except Exception as error:
            if not isinstance(error, CancelledError):
                self._error = self._error or error
            self._names.clear()
        finally:
            self._running -= 1
            self._notify()

    async def _fetch(self, name: str) -> None:
        one: Fetched
        try:
            one = (name, await self._load(name))
        except ReadError as error:
            if error.reason not in OF_ONE_FILE:
                raise
            one = (name, error)
        self._ready.append(one)
        self._held += _size(one)
        self._notify()

    def _notify(self) -> None:
        if self._waiting is not None and self._is_enough():
            waiting, self._waiting = self._waiting, None
            waiting.callback(None)


def _size(one: Fetched) -> int:
    return _OVERHEAD + (len(one[1]) if isinstance(one[1], bytes) else 0)
