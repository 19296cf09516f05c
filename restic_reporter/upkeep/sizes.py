"""Lists the packs of a repository, to know its size."""

from collections.abc import Callable
from typing import Any

from attrs import define
from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from ..collection.outcomes import log_failure, plural
from ..collection.state import CollectionState, Measured, RepositoryStatus, Task
from ..concurrency.deadline import Deadline, within
from ..interfaces import IMeasurable
from ..model.errors import ReadError, Reason
from ..model.repository import Repository
from ..model.snapshots import Meter
from ..model.upkeep import Size

# Seconds for the packs of one repository.
_TIMEOUT = 3600.0


@define(eq=False)
class Sizes:
    """Notes the sizes of repositories in ``state``; ``on_size`` is called with the status."""

    _log = Logger()

    _reactor: Any
    _state: CollectionState
    _now: Callable[[], float]
    _on_size: Callable[[RepositoryStatus], object]

    async def measure(self, task: Task | ReadError, repository: Repository) -> None:
        """Measure ``repository``; ``task`` is as for `Checks.check`."""
        deadline = Deadline.after(self._reactor, _TIMEOUT)
        meter = self._state.meter_of(repository.url)
        size = None
        try:
            size = await within(deadline, _size(task, deadline, meter), "listing the packs")
        except CancelledError:
            raise
        except Exception as error:
            log_failure("size of {url} not known, keeping the last one", error, repository)
        else:
            self._log.info(
                f"size of {{url}}: {{bytes}} bytes in {{packs}} {plural('pack', size.packs)}",
                url=repository.url,
                bytes=size.bytes,
                packs=size.packs,
            )
        # The first collection may have made it meanwhile.
        status = self._state.statuses.get(repository.url)
        if status is not None:
            if size is not None:
                status.size = Measured(size, self._now())
            status.revision += 1
            self._on_size(status)


async def _size(task: Task | ReadError, deadline: Deadline, meter: Meter) -> Size:
    if isinstance(task, ReadError):
        raise task
    backend: Any = task.backend
    if not IMeasurable.providedBy(backend):
        message = f"the backend {task.backend_name!r} cannot list packs; remove 'size_cron'"
        raise ReadError(Reason.INTERNAL, message)
    size: Size = await backend.measure(deadline, meter)
    return size
