"""The files of one repository, for one read."""

from attrs import define, field
from twisted.internet.defer import DeferredSemaphore

from ...concurrency.deadline import Deadline
from ...interfaces import IBackend, ReadRequest
from ...model.snapshots import Meter
from .downloads import PARALLEL


@define(eq=False)
class RepositoryFiles:
    """Loads files from ``backend``, at most ``parallel`` at a time."""

    backend: IBackend
    _deadline: Deadline
    _meter: Meter
    parallel: int
    _gate: DeferredSemaphore = field()

    @_gate.default
    def _make_gate(self) -> DeferredSemaphore:
        return DeferredSemaphore(self.parallel)

    @classmethod
    def of(cls, request: ReadRequest, backend: IBackend) -> "RepositoryFiles":
        """Return the files of the repository of ``request``."""
        parallel = min(PARALLEL, backend.concurrent_loads)
        return cls(backend, request.deadline, request.meter, parallel)

    async def load(self, path: str, limit: int) -> bytes:
        """Load one encrypted file; see `IBackend.load`."""
        await self._gate.acquire()
        try:
            return await self.backend.load(path, limit, self._deadline, self._meter)
        finally:
            self._gate.release()
