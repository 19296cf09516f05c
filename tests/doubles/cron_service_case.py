"""What the tests of the cron service share."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.schedule.cron import parse_cron
from restic_reporter.schedule.cron_service import CronService
from tests.doubles.local_time import local_time

HOUR = 3600.0


DAY = 24 * HOUR


Keys = frozenset[str]


class World:
    """
    A monotonic clock, a wall clock that can go its own way, and a running service.

    ``runs`` has, for every call of ``due``, the wall time and the keys.
    """

    def __init__(
        self,
        start: datetime,
        schedules: Mapping[str, str],
        due: Callable[[Keys], None] = lambda keys: None,
    ) -> None:
        assert start.tzinfo is not None
        self.clock = Clock()
        self.wall = start.timestamp()
        self.zone: tzinfo = start.tzinfo
        self.runs: list[tuple[float, Keys]] = []

        def record(keys: Keys) -> None:
            self.runs.append((self.wall, keys))
            due(keys)

        self.service = CronService(
            clock=self.clock,
            now=lambda: self.wall,
            due=record,
            schedules={key: parse_cron(text) for key, text in schedules.items()},
        )
        self.service.startService()

    def pass_time(self, seconds: float) -> None:
        """Both clocks go on, and every call is made at its own time."""
        while seconds > 0:
            now = self.clock.seconds()
            calls = [call.getTime() - now for call in self.clock.getDelayedCalls()]
            step = min([seconds, *(delay for delay in calls if delay > 0)])
            self.wall += step
            self.clock.advance(step)
            seconds -= step

    def replace(self, schedules: Mapping[str, str]) -> None:
        """A reload, which parses everything anew."""
        self.service.set_schedules({key: parse_cron(text) for key, text in schedules.items()})

    def times(self) -> list[str]:
        """The wall times of all runs."""
        return [f"{datetime.fromtimestamp(at, self.zone):%d %H:%M:%S}" for at, _ in self.runs]


def at(*parts: int, zone: tzinfo = UTC) -> datetime:
    """A moment of June 2026: day, hour, minute, second."""
    day, hour, minute, second = (*parts, 0, 0, 0)[:4]
    return datetime(2026, 6, day, hour, minute, second, tzinfo=zone)


class CronServiceTestCase(SynchronousTestCase):
    """The local time is that of ``zone``."""

    zone = "UTC"

    def setUp(self) -> None:
        """The zone."""
        self.enterContext(local_time(self.zone))
