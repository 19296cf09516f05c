"""The service that starts due schedules, also across clock changes."""

from collections.abc import Callable, Hashable, Mapping
from typing import Generic, Protocol, TypeVar

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

# Seconds between two checks of the wall clock, which may be set or run on during a suspend.
LONGEST_SLEEP = 30.0

# If the wall clock is set back by at most these seconds, due times are not due again. Further
# back, the clock was wrong before. Shorter for intervals, where a long pause would be worse.
LONGEST_STEP_BACK = 3 * 3600.0
LONGEST_STEP_BACK_BY_INTERVAL = 600.0

# Seconds that the two clocks may differ after a sleep, without a change of the wall clock.
_TOLERANCE = 1.0

K = TypeVar("K", bound=Hashable)


class Schedule(Protocol):
    """Due times: a `CronExpression` or an `Interval`; equal ones are due at the same times."""

    @property
    def by_interval(self) -> bool:
        """Whether a missed due time matters little, as the next one comes soon."""

    def next_due(self, after: float) -> float:
        """Return the first due time later than ``after``, in Unix seconds."""

    def __hash__(self) -> int: ...


@define
class _Plan:
    """
    The next ``due`` time of a schedule, in Unix seconds like all times here.

    ``ran`` are past due times that the clock may reach again; ``latest`` is the latest time
    that the clock has shown.
    """

    _schedule: Schedule
    latest: float
    due: float = field(init=False)
    ran: set[float] = field(factory=set)

    def __attrs_post_init__(self) -> None:
        self.due = self._after(self.latest)

    def pass_due(self, now: float) -> bool:
        """Return whether it is due at ``now``; if so, set the next due time."""
        self.latest = max(self.latest, now)
        if self.due > now:
            return False
        self.ran = {one for one in self.ran if one > now - self._step_back} | {self.due}
        self.due = self._after(now)
        return True

    def set_back(self, start: float) -> bool:
        """
        Plan again from ``start``, to which the clock was set back.

        :return: whether it was set back so far that past due times are due again.
        """
        far = start < self.latest - self._step_back
        if far:
            self.ran.clear()
            self.latest = start
        self.due = self._after(start)
        return far

    def _after(self, moment: float) -> float:
        due = self._schedule.next_due(moment)
        while due in self.ran:
            due = self._schedule.next_due(due)
        return due

    @property
    def _step_back(self) -> float:
        by_interval = self._schedule.by_interval
        return LONGEST_STEP_BACK_BY_INTERVAL if by_interval else LONGEST_STEP_BACK


@define(eq=False, kw_only=True)
class CronService(Service, Generic[K]):
    """
    Calls ``due`` at the due times of several schedules.

    ``clock`` must be monotonic and only measures the sleep between two checks of ``now``, the
    wall clock in Unix seconds. ``due`` is called synchronously, once for each check, with the
    keys of all due schedules. A schedule that missed several due times since the last check
    is due once. After the wall clock was set back, past due times are not due again, unless
    it was set back by more than `LONGEST_STEP_BACK` (or `LONGEST_STEP_BACK_BY_INTERVAL`):
    then the schedule restarts from the new time.
    """

    log = Logger()

    _clock: IReactorTime
    _now: Callable[[], float]
    _due: Callable[[frozenset[K]], None]
    _schedules: Mapping[K, Schedule]
    # By schedule, not by key: equal ones stay together across a reload.
    _plans: dict[Schedule, _Plan] = field(factory=dict, init=False)
    # The times of both clocks at their latest comparison.
    _monotonic: float = field(default=0.0, init=False)
    _wall: float = field(default=0.0, init=False)
    _call: IDelayedCall | None = field(default=None, init=False)

    @property
    def next_due(self) -> float | None:
        """
        Return the soonest due time of all schedules in Unix seconds.

        ``None`` while the service is stopped or has no schedules.
        """
        return min((plan.due for plan in self._plans.values()), default=None)

    def startService(self) -> None:
        """Start all schedules from now on; earlier due times are not caught up."""
        super().startService()
        self._monotonic, self._wall = self._clock.seconds(), self._now()
        self._plan()
        self._sleep()

    def stopService(self) -> None:
        """Forget all due times; ``due`` is not called any more."""
        super().stopService()
        self._plans = {}
        self._sleep()

    def set_schedules(self, schedules: Mapping[K, Schedule]) -> None:
        """
        Replace all schedules.

        A known schedule, under any key, keeps its due time, even a missed one. A new one
        starts from now.
        """
        self._schedules = dict(schedules)
        if self.running:
            self._follow_clock()
            self._plan()
            self._sleep()

    def _plan(self) -> None:
        known = self._plans
        self._plans = {
            one: known.get(one) or _Plan(one, self._wall)
            # Thousands of schedules may share one.
            for one in set(self._schedules.values())
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
        """Update the plans if the wall clock was set back since the last check."""
        passed = self._clock.seconds() - self._monotonic
        self._monotonic += passed
        before, self._wall = self._wall, self._now()
        # The earliest time that the clock can have been set to.
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
        keys = frozenset(key for key, one in self._schedules.items() if one in passed)
        if keys:
            try:
                self._due(keys)
            except Exception:
                self.log.failure("bug in a scheduled run; schedules continue")
        self._sleep()
