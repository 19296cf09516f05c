"""Does a job for one repository after another."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from ..collection.state import Underway
from ..schedule.cron import CronExpression


@define(eq=False)
class JobQueue:
    """
    Does ``job`` for each label that is due, one at a time; ``underway`` shows it.

    ``what`` is the job in log messages, ``now`` returns Unix seconds.
    """

    _log = Logger()

    _what: str
    _job: Callable[[str], Coroutine[Any, Any, None]]
    _now: Callable[[], float]
    _underway: Underway = field(factory=Underway)
    _work: "Deferred[None] | None" = field(default=None, init=False)
    _working: bool = field(default=False, init=False)
    _stopped: bool = field(default=False, init=False)

    def due(self, labels: frozenset[str]) -> None:
        """Do the job for these too; each waits once, and not while its own job runs."""
        if self._stopped:
            return
        if self._underway.label in labels:
            self._log.warn(
                f"{self._what} of {{url}} skipped: the last one is still running",
                url=self._underway.label,
            )
        for label in sorted(labels - {self._underway.label}):
            self._underway.waiting.setdefault(label)
        if not self._working:
            self._working = True
            self._work = Deferred.fromCoroutine(self._do_all())

    def set_schedules(self, schedules: Mapping[str, CronExpression]) -> None:
        """Show these schedules, and let no label wait that has none."""
        self._underway.schedules = schedules
        for label in self._underway.waiting.keys() - schedules.keys():
            del self._underway.waiting[label]

    async def _do_all(self) -> None:
        underway = self._underway
        try:
            while underway.waiting and not self._stopped:
                label = next(iter(underway.waiting))
                del underway.waiting[label]
                underway.label, underway.began = label, self._now()
                try:
                    await self._job(label)
                except CancelledError:
                    return
                except Exception:
                    self._log.failure(f"{self._what} of {{url}}: bug in restic-reporter", url=label)
        finally:
            underway.label, self._working = None, False

    async def stop(self) -> None:
        """End the running job, start no other; return when it has ended."""
        self._stopped = True
        self._underway.waiting.clear()
        if self._work is not None:
            self._work.cancel()
            await self._work
