"""The files of one repository, for one read."""

from attrs import define, field
from twisted.internet.defer import DeferredSemaphore

from ...concurrency.deadline import Deadline
from ...interfaces import IBackend, ReadRequest
from ...model.snapshots import Meter
from .downloads import PARALLEL


@define(eq=False)
class RepositoryFiles:
    """Asks ``backend`` for files, and for no more at one time than it can do."""

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
        """The files of the repository that ``request`` is about."""
        parallel = min(PARALLEL, backend.concurrent_loads)
        return cls(backend, request.deadline, request.meter, parallel)

    async def load(self, path: str, limit: int) -> bytes:
        """One file, encrypted; see `IBackend.load`."""
        await self._gate.acquire()
        try:
            return await self.backend.load(path, limit, self._deadline, self._meter)
        finally:
            self._gate.release()
