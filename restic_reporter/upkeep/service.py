"""The service that checks and measures repositories by their schedules."""

from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredList

from ..collection.collector import Complete
from ..collection.state import CollectionState, Task
from ..interfaces import IBackendMaker
from ..model.errors import ReadError
from ..model.repository import Repository
from ..schedule.cron import CronExpression
from ..schedule.cron_service import CronService
from .ability import can_check, can_measure
from .checks import Checks
from .queue import JobQueue
from .sizes import Sizes

Job = Callable[[Task | ReadError, Repository], Coroutine[Any, Any, None]]


class UpkeepService(MultiService):
    """
    Checks repositories one at a time, and lists the packs of others one at a time.

    A due time while the service is stopped is missed.
    """

    def __init__(
        self,
        reactor: Any,
        now: Callable[[], float],
        state: CollectionState,
        makers: Mapping[str, IBackendMaker],
        checks: Checks,
        sizes: Sizes,
    ) -> None:
        super().__init__()
        self._makers = makers
        self._tasks: dict[str, Task] = {}
        self._complete: Complete
        self._checks = JobQueue("check", partial(self._do, checks.check), now, state.checks)
        self._sizes = JobQueue("size", partial(self._do, sizes.measure), now)
        self._crons: list[CronService[str]] = [
            CronService(clock=reactor, now=now, due=queue.due, schedules={})
            for queue in (self._checks, self._sizes)
        ]
        for cron in self._crons:
            cron.setServiceParent(self)

    def use(self, tasks: Mapping[str, Task], complete: Complete) -> None:
        """
        Use the schedules of ``tasks`` from now on; a job that runs ends as it began.

        ``complete`` returns tasks with their secrets, and backends of their own.
        """
        self._tasks, self._complete = dict(tasks), complete
        checks: dict[str, CronExpression] = {}
        sizes: dict[str, CronExpression] = {}
        for label, task in tasks.items():
            check, size_cron = task.repository.upkeep.check, task.repository.upkeep.size_cron
            if check is not None and can_check(task, self._makers):
                checks[label] = check.cron
            if size_cron is not None and can_measure(task):
                sizes[label] = size_cron
        for queue, cron, schedules in zip(
            (self._checks, self._sizes), self._crons, (checks, sizes), strict=True
        ):
            queue.set_schedules(schedules)
            cron.set_schedules(schedules)

    async def _do(self, job: Job, label: str) -> None:
        task = self._tasks[label]
        (complete,) = await self._complete([task])
        await job(complete, task.repository)

    def stopService(self) -> "Deferred[Any]":
        """End running jobs; fire when they have ended."""
        super().stopService()
        stops = [Deferred.fromCoroutine(one.stop()) for one in (self._checks, self._sizes)]
        return DeferredList(stops, consumeErrors=True)
