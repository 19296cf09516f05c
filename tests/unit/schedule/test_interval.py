"""Tests of `restic_reporter.schedule.interval`."""

from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.schedule.cron_service import LONGEST_STEP_BACK_BY_INTERVAL
from restic_reporter.schedule.interval import Interval, parse_interval
from tests.doubles.cron_service_case import HOUR, World, at

START = 1_700_000_000.5


class IntervalTests(SynchronousTestCase):
    """Due times."""

    def test_grid(self) -> None:
        """They are at exact distances from the start, whatever the moment of the question."""
        interval = Interval(90, START)
        for after, due in ((0, 90), (1, 90), (89.9, 90), (90, 180), (90.1, 180), (-1, 0)):
            self.assertEqual(interval.next_due(START + after), START + due)

    def test_long(self) -> None:
        """No rounding adds up, in a hundred thousand intervals."""
        interval, due = Interval(7, START), START
        for _ in range(100_000):
            due = interval.next_due(due)
        self.assertEqual(due, START + 700_000)

    def test_text(self) -> None:
        """Only a whole number of seconds is one, up to a year."""
        self.assertEqual(parse_interval("3600", START), Interval(3600, START))
        for bad in ("", "0", "-5", "1.5", "1h", "3600 # 1 hour", "1e3", "99999999", "٣"):
            error = self.assertRaises(ValueError, parse_interval, bad, START)
            self.assertIn(repr(bad), str(error))


class ServiceTests(SynchronousTestCase):
    """Intervals in the service of schedules."""

    def test_due(self) -> None:
        """It is due again and again, also with the length of a day that 7 does not divide."""
        world = World(at(1), {})
        start = at(1).timestamp()
        world.service.set_schedules({"a": Interval(7 * 3600, start)})
        world.pass_time(50 * HOUR)
        self.assertEqual(
            [time - start for time, _ in world.runs], [7 * HOUR * n for n in range(1, 8)]
        )

    def test_clock_set_back(self) -> None:
        """A clock that is set back a little gives no second run, one set back far no long pause."""
        world = World(at(1), {})
        start = at(1).timestamp()
        world.service.set_schedules({"a": Interval(3600, start)})
        world.pass_time(HOUR)
        world.wall -= LONGEST_STEP_BACK_BY_INTERVAL / 2
        world.pass_time(HOUR)
        self.assertEqual([time - start for time, _ in world.runs], [HOUR])
        world.wall -= 30 * HOUR
        world.pass_time(HOUR)
        self.assertEqual(len(world.runs), 2)
