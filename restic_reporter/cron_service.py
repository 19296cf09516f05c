"""The service that tells which schedules are due, whatever the clocks do."""

from collections.abc import Callable, Hashable, Mapping
from datetime import tzinfo
from typing import Generic, TypeVar

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from .schedule import CronExpression, next_due

# The wall clock can be set, and stands out of our sight during a suspend: look this often.
LONGEST_SLEEP = 30.0

# A wall clock that goes back further than this was wrong before, not adjusted.
LONGEST_STEP_BACK = 3 * 3600.0

K = TypeVar("K", bound=Hashable)


class CronService(Service, Generic[K]):
    """
    Calls ``due`` at the due times of several schedules.

    ``clock`` must be monotonic and only measures the sleep between two looks at ``now``, the
    wall clock in Unix seconds. ``due`` is called synchronously, once for each look at which
    anything is due, with the keys of all schedules that are. However many due times have
    passed since the last look, each schedule is due once. A due time that the wall clock
    passes again because it was set back is not due again, unless it was set back more than
    three hours: then all schedules start anew from the present.
    """

    log = Logger()

    def __init__(
        self,
        *,
        clock: IReactorTime,
        now: Callable[[], float],
        zone: tzinfo,
        due: Callable[[frozenset[K]], None],
        schedules: Mapping[K, CronExpression],
    ) -> None:
        self._clock = clock
        self._now = now
        self._zone = zone
        self._due = due
        self._schedules = dict(schedules)
        # By expression and not by key: what is due together stays together over a reload.
        self._due_times: dict[CronExpression, float] = {}
        self._latest_look = 0.0
        self._call: IDelayedCall | None = None

    @property
    def next_due(self) -> float | None:
        """
        The soonest due time of all schedules in Unix seconds; ``None`` while the service is
        stopped or has no schedules.
        """
        return min(self._due_times.values(), default=None)

    def startService(self) -> None:
        """Start all schedules from the present: no due time up to now is made up for."""
        super().startService()
        self._start_anew()
        self._sleep()

    def stopService(self) -> None:
        """Forget all due times; ``due`` is not called any more."""
        super().stopService()
        self._due_times = {}
        self._sleep()

    def set_schedules(self, schedules: Mapping[K, CronExpression]) -> None:
        """
        Replace all schedules. An expression that was there before, under any key, keeps its
        due time, even one that has passed unseen; a new one starts from the present.
        """
        self._schedules = dict(schedules)
        if self.running:
            now = self._now()
            known = self._due_times
            self._due_times = {
                expression: known[expression]
                if expression in known
                else next_due(expression, now, self._zone)
                for expression in self._schedules.values()
            }
            self._sleep()

    def _start_anew(self) -> None:
        self._latest_look = now = self._now()
        self._due_times = {
            expression: next_due(expression, now, self._zone)
            for expression in self._schedules.values()
        }

    def _sleep(self) -> None:
        if self._call is not None:
            self._call.cancel()
            self._call = None
        soonest = self.next_due
        if soonest is not None:
            delay = min(LONGEST_SLEEP, max(0.0, soonest - self._now()))
            self._call = self._clock.callLater(delay, self._look)

    def _look(self) -> None:
        self._call = None
        now = self._now()
        if now < self._latest_look - LONGEST_STEP_BACK:
            self.log.warn(
                "the clock was set back by {seconds:.0f} s: all schedules start anew",
                seconds=self._latest_look - now,
            )
            self._start_anew()
        self._latest_look = max(self._latest_look, now)
        passed = {expression for expression, time in self._due_times.items() if time <= now}
        for expression in passed:
            self._due_times[expression] = next_due(expression, now, self._zone)
        keys = frozenset(key for key, expression in self._schedules.items() if expression in passed)
        if keys:
            try:
                self._due(keys)
            except Exception:
                self.log.failure("a bug in what schedules start; they go on")
        self._sleep()
