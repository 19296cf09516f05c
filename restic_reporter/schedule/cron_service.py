"""The service that tells which schedules are due, whatever the clocks do."""

from collections.abc import Callable, Hashable, Mapping
from typing import Generic, TypeVar

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from .cron import CronExpression, next_due

# The wall clock can be set, and stands out of our sight during a suspend: look this often.
LONGEST_SLEEP = 30.0

# Seconds by which the wall clock may be set back for a due time not to be due again. Further
# back, it was wrong before. Where "every so often" is meant, a long pause would be worse.
LONGEST_STEP_BACK = 3 * 3600.0
LONGEST_STEP_BACK_BY_INTERVAL = 600.0

# Seconds by which two clocks may differ after a sleep without one having been set.
_TOLERANCE = 1.0

K = TypeVar("K", bound=Hashable)


@define
class _Plan:
    """
    When an expression is ``due`` next, in Unix seconds like all times here.

    ``ran`` are the due times at which it was, as far as the clock may come back to them;
    ``latest`` is the latest time that the clock has shown.
    """

    _expression: CronExpression
    latest: float
    due: float = field(init=False)
    ran: set[float] = field(factory=set)

    def __attrs_post_init__(self) -> None:
        self.due = self._after(self.latest)

    def pass_due(self, now: float) -> bool:
        """Whether it is due at ``now``; if so, once, and it is due next after that."""
        self.latest = max(self.latest, now)
        if self.due > now:
            return False
        self.ran = {one for one in self.ran if one > now - self._step_back} | {self.due}
        self.due = self._after(now)
        return True

    def set_back(self, start: float) -> bool:
        """
        The clock was set back to ``start``: what has not been due yet may be due from there.

        :return: whether it was set back too far for what has been to count.
        """
        far = start < self.latest - self._step_back
        if far:
            self.ran.clear()
            self.latest = start
        self.due = self._after(start)
        return far

    def _after(self, moment: float) -> float:
        due = next_due(self._expression, moment)
        while due in self.ran:
            due = next_due(self._expression, due)
        return due

    @property
    def _step_back(self) -> float:
        by_interval = self._expression.by_interval
        return LONGEST_STEP_BACK_BY_INTERVAL if by_interval else LONGEST_STEP_BACK


class CronService(Service, Generic[K]):
    """
    Calls ``due`` at the due times of several schedules.

    ``clock`` must be monotonic and only measures the sleep between two looks at ``now``, the
    wall clock in Unix seconds. ``due`` is called synchronously, once for each look at which
    anything is due, with the keys of all schedules that are. However many due times have
    passed since the last look, each schedule is due once. After the wall clock was set back,
    a due time at which a schedule was due is not due again, unless the clock was set back
    by more than `LONGEST_STEP_BACK` (or `LONGEST_STEP_BACK_BY_INTERVAL`): then that schedule
    starts anew, from where the clock was set to.
    """

    log = Logger()

    def __init__(
        self,
        *,
        clock: IReactorTime,
        now: Callable[[], float],
        due: Callable[[frozenset[K]], None],
        schedules: Mapping[K, CronExpression],
    ) -> None:
        self._clock = clock
        self._now = now
        self._due = due
        self._schedules = dict(schedules)
        # By expression and not by key: what is due together stays together over a reload.
        self._plans: dict[CronExpression, _Plan] = {}
        # When the clocks were compared last, on either.
        self._monotonic = self._wall = 0.0
        self._call: IDelayedCall | None = None

    @property
    def next_due(self) -> float | None:
        """
        The soonest due time of all schedules in Unix seconds; ``None`` while the service is
        stopped or has no schedules.
        """
        return min((plan.due for plan in self._plans.values()), default=None)

    def startService(self) -> None:
        """Start all schedules from the present: no due time up to now is made up for."""
        super().startService()
        self._monotonic, self._wall = self._clock.seconds(), self._now()
        self._plan()
        self._sleep()

    def stopService(self) -> None:
        """Forget all due times; ``due`` is not called any more."""
        super().stopService()
        self._plans = {}
        self._sleep()

    def set_schedules(self, schedules: Mapping[K, CronExpression]) -> None:
        """
        Replace all schedules. An expression that was there before, under any key, keeps its
        due time, even one that has passed unseen; a new one starts from the present.
        """
        self._schedules = dict(schedules)
        if self.running:
            self._follow_clock()
            self._plan()
            self._sleep()

    def _plan(self) -> None:
        known = self._plans
        self._plans = {
            expression: known.get(expression) or _Plan(expression, self._wall)
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

    def _follow_clock(self) -> None:
        """Bring the plans up to date where the wall clock was set back since the last time."""
        passed = self._clock.seconds() - self._monotonic
        self._monotonic += passed
        before, self._wall = self._wall, self._now()
        # Wherever it was set to, that was not before this.
        start = self._wall - passed
        if start < before - _TOLERANCE:
            far = [plan for plan in self._plans.values() if plan.set_back(start)]
            if far:
                self.log.warn(
                    "clock was set back by {seconds:.0f} s, restarting schedules",
                    seconds=before - start,
                )

    def _look(self) -> None:
        self._call = None
        self._follow_clock()
        passed = {one for one, plan in self._plans.items() if plan.pass_due(self._wall)}
        keys = frozenset(key for key, expression in self._schedules.items() if expression in passed)
        if keys:
            try:
                self._due(keys)
            except Exception:
                self.log.failure("bug in a scheduled run; schedules continue")
        self._sleep()
