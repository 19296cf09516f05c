"""Tests of `restic_reporter.schedule.cron_service`."""

import random
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.schedule.cron import parse_cron
from restic_reporter.schedule.cron_service import LONGEST_SLEEP, CronService
from tests.doubles.local_time import local_time

BERLIN = ZoneInfo("Europe/Berlin")
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


class CronServiceTests(CronServiceTestCase):
    """Tests of `CronService`."""

    def test_daily(self) -> None:
        """A schedule is due at its exact times, day after day."""
        world = World(at(1, 12), {"a": "0 0 * * *"})
        world.pass_time(3 * DAY)
        self.assertEqual(world.times(), ["02 00:00:00", "03 00:00:00", "04 00:00:00"])

    def test_not_due_at_start(self) -> None:
        """A due time at which the service starts is not made up for."""
        world = World(at(1), {"a": "0 0 * * *"})
        world.pass_time(DAY - 1)
        self.assertEqual(world.times(), [])

    def test_merged(self) -> None:
        """Schedules that are due in one moment are due in one call, others in their own."""
        world = World(
            at(1, 12),
            {"a": "0 0 * * *", "b": "0 */12 * * *", "c": "0  0 * * *", "d": "1 0 * * *"},
        )
        world.pass_time(DAY)
        self.assertEqual(
            [keys for _, keys in world.runs],
            [frozenset("abc"), frozenset("d"), frozenset("b")],
        )

    def test_next_due(self) -> None:
        """The soonest due time of all schedules can be read, before and after it."""
        world = World(at(1, 12), {"a": "0 0 * * *", "b": "0 6 * * *"})
        self.assertEqual(world.service.next_due, at(2).timestamp())
        world.pass_time(DAY / 2)
        self.assertEqual(world.service.next_due, at(2, 6).timestamp())
        world.service.stopService()
        self.assertIsNone(world.service.next_due)

    def test_no_schedules(self) -> None:
        """Without schedules there is no due time, and nothing wakes."""
        world = World(at(1), {})
        self.assertIsNone(world.service.next_due)
        self.assertEqual(world.clock.getDelayedCalls(), [])
        world.replace({"a": "0 0 * * *"})
        world.pass_time(DAY)
        self.assertEqual(world.times(), ["02 00:00:00"])
        world.replace({})
        self.assertEqual(world.clock.getDelayedCalls(), [])

    def test_looks_often(self) -> None:
        """However far the next due time, the service looks at the clock every 30 s."""
        world = World(at(1, 12), {"a": "0 0 * * *"})
        for _ in range(10):
            [call] = world.clock.getDelayedCalls()
            self.assertLessEqual(call.getTime() - world.clock.seconds(), LONGEST_SLEEP)
            world.pass_time(LONGEST_SLEEP)

    def test_exception(self) -> None:
        """An exception of what is started is logged, and the schedule goes on."""

        def fail(keys: Keys) -> None:
            raise LookupError("broken")

        world = World(at(1, 12), {"a": "0 0 * * *"}, fail)
        world.pass_time(2 * DAY)
        self.assertEqual(world.times(), ["02 00:00:00", "03 00:00:00"])
        self.assertEqual(len(self.flushLoggedErrors(LookupError)), 2)

    def test_stop(self) -> None:
        """A stopped service never wakes again."""
        world = World(at(1, 12), {"a": "0 0 * * *"})
        world.pass_time(HOUR)
        world.service.stopService()
        self.assertEqual(world.clock.getDelayedCalls(), [])
        world.replace({"b": "* * * * *"})
        self.assertEqual(world.clock.getDelayedCalls(), [])
        world.pass_time(2 * DAY)
        self.assertEqual(world.runs, [])

    def test_stop_when_due(self) -> None:
        """The service may be stopped by what it starts."""
        world = World(at(1, 12), {"a": "* * * * *"}, lambda keys: stop())
        stop = world.service.stopService
        world.pass_time(HOUR)
        self.assertEqual(world.times(), ["01 12:01:00"])
        self.assertEqual(world.clock.getDelayedCalls(), [])

    def test_start_again(self) -> None:
        """A service that was stopped starts anew from the present, with its latest schedules."""
        world = World(at(1, 12), {"a": "0 0 * * *"})
        world.service.stopService()
        world.replace({"b": "0 6 * * *"})
        world.pass_time(DAY)
        world.service.startService()
        world.pass_time(DAY)
        self.assertEqual(world.runs, [(at(3, 6).timestamp(), frozenset("b"))])


class ReloadTests(CronServiceTestCase):
    """Tests of `CronService.set_schedules`."""

    def test_unchanged(self) -> None:
        """Reloads at any moment change nothing for a schedule that stays."""
        world = World(at(1, 12), {"a": "0 * * * *"})
        for _ in range(36):
            world.pass_time(599)
            world.replace({"a": "0 * * * *", "b": "30 1 * * *"})
        self.assertEqual(world.times(), [f"01 {hour}:00:00" for hour in range(13, 18)])

    def test_passed_unseen(self) -> None:
        """A due time that passed just before a reload is kept, one of a new schedule is not."""
        world = World(at(1, 23, 59, 50), {"a": "0 0 * * *"})
        world.wall += 15
        world.replace({"b": "0 0 * * *", "c": "0-1 0 * * *"})
        [call] = world.clock.getDelayedCalls()
        self.assertEqual(call.getTime(), world.clock.seconds())
        world.pass_time(30)
        self.assertEqual([keys for _, keys in world.runs], [frozenset("b")])
        world.pass_time(DAY - HOUR)
        self.assertEqual([keys for _, keys in world.runs], [frozenset("b"), frozenset("c")])

    def test_changed(self) -> None:
        """A schedule that changes is due at its new times only."""
        world = World(at(1, 12), {"a": "0 0 * * *", "b": "0 0 * * *"})
        world.replace({"a": "0 13 * * *", "b": "0 0 * * *"})
        world.pass_time(DAY)
        self.assertEqual(
            [(time, *keys) for time, (_, keys) in zip(world.times(), world.runs, strict=True)],
            [("01 13:00:00", "a"), ("02 00:00:00", "b")],
        )

    def test_reload_when_due(self) -> None:
        """What is started may replace the schedules."""
        world = World(at(1, 12), {"a": "0 0 * * *"}, lambda keys: replace({"b": "5 0 * * *"}))
        replace = world.replace
        world.pass_time(DAY)
        self.assertEqual([keys for _, keys in world.runs], [frozenset("a"), frozenset("b")])
        self.assertEqual(len(world.clock.getDelayedCalls()), 1)

    def test_after_step_back(self) -> None:
        """A reload after a small step back does not make a past due time due again."""
        world = World(at(1, 23, 59), {"a": "0 0 * * *"})
        world.pass_time(300)
        world.wall -= HOUR
        world.replace({"a": "0 0 * * *"})
        world.pass_time(2 * HOUR)
        self.assertEqual(world.times(), ["02 00:00:00"])


class WrongClockTests(CronServiceTestCase):
    """Tests of `CronService` when the wall clock does not go evenly."""

    def late(self, world: World) -> None:
        """Assert that there is one run, within 30 s from now, and then the usual ones."""
        before = world.wall
        world.pass_time(LONGEST_SLEEP)
        self.assertEqual(len(world.runs), 1)
        self.assertLessEqual(world.runs[0][0] - before, LONGEST_SLEEP)
        due = world.service.next_due
        assert due is not None
        self.assertEqual(datetime.fromtimestamp(due, UTC).time(), at(1).time())
        world.pass_time(due - world.wall)
        self.assertEqual([time for time, _ in world.runs][1:], [due])

    def test_step_forward(self) -> None:
        """A step forward over a due time, from any moment before it, leads to one run."""
        for before in (1, 29, 30, 31, 600):
            for step in (before, before + 1, HOUR + before):
                world = World(at(2) - timedelta(seconds=before + 100), {"a": "0 0 * * *"})
                world.pass_time(100)
                world.wall += step
                self.late(world)

    def test_suspend(self) -> None:
        """After a suspend of days there is one run, not one for each time that was missed."""
        for suspended in (HOUR, DAY, 10 * DAY):
            world = World(at(1, 23, 30), {"a": "0 0 * * *"})
            world.pass_time(100)
            world.wall += suspended
            self.late(world)

    def test_step_forward_before_due(self) -> None:
        """A step forward to just before a due time neither misses nor doubles it."""
        world = World(at(1, 22), {"a": "0 0 * * *"})
        world.pass_time(100)
        world.wall = at(1, 23, 59, 59).timestamp()
        world.pass_time(DAY)
        self.assertEqual(len(world.runs), 1)
        self.assertLessEqual(world.runs[0][0], at(2, 0, 0, 29).timestamp())

    def test_step_back_after_due(self) -> None:
        """A due time that comes again after a step back is not due again."""
        for after in (0, 1, 29, 30, 31, 600):
            for back in (1, 60, HOUR, 3 * HOUR - 600):
                world = World(at(1, 23), {"a": "0 0 * * *"})
                world.pass_time(HOUR + after)
                world.wall -= back
                world.pass_time(DAY + back)
                self.assertEqual(len(world.runs), 2, (after, back))
                self.assertEqual(world.times(), ["02 00:00:00", "03 00:00:00"])

    def test_step_back_before_due(self) -> None:
        """A step back just before a due time makes it come later, once."""
        for before in (1, 29, 30, 31, 600):
            world = World(at(1, 23), {"a": "0 0 * * *"})
            world.pass_time(HOUR - before)
            world.wall -= HOUR
            world.pass_time(HOUR + before)
            self.assertEqual(world.times(), ["02 00:00:00"])
            world.pass_time(DAY)
            self.assertEqual(world.times(), ["02 00:00:00", "03 00:00:00"])

    def test_step_back_to_just_before_due(self) -> None:
        """A due time that comes within the sleep after a step back is not missed: where it was
        not due yet, since the service started later, or where the clock was set back far."""
        for back in (60, HOUR, 3 * HOUR - 10, 3 * HOUR + 10, 8 * HOUR, DAY, 10 * DAY):
            for before in (0, 1, 5, 29):
                for runs in (False, True):
                    start = at(20) + timedelta(seconds=back - before)
                    world = World(start, {"a": "0 0 * * *"})
                    if runs:
                        # It was due at that very time.
                        world = World(at(20) - timedelta(seconds=60), {"a": "0 0 * * *"})
                        world.pass_time(60 + back - before)
                    # Some time after a look.
                    world.pass_time(7)
                    world.runs.clear()
                    world.wall -= back + 7
                    world.pass_time(DAY + 60)
                    again = not runs or back > 3 * HOUR
                    self.assertEqual(len(world.runs), 1 + again, (back, before, runs))
                    if again:
                        first = world.runs[0][0] - at(20).timestamp()
                        self.assertTrue(0 <= first <= LONGEST_SLEEP, (back, before, first))
                    self.assertEqual(world.times()[-1], "21 00:00:00")

    def test_due_while_ahead(self) -> None:
        """What was due while the clock was ahead is not due again, what was skipped is."""
        world = World(at(1, 23, 30), {"a": "0,30 0-3 * * *"})
        world.wall += 2 * HOUR
        world.pass_time(1900)
        # One for all that the step had passed, and one in time.
        self.assertEqual(world.times(), ["02 01:30:30", "02 02:00:00"])
        world.wall -= 2 * HOUR
        world.runs.clear()
        world.pass_time(5 * HOUR)
        self.assertEqual(
            world.times(),
            [f"02 {time}:00" for time in ("00:30", "01:00", "01:30", "02:30", "03:00", "03:30")],
        )

    def test_interval_goes_on(self) -> None:
        """After a step back of more than ten minutes what is due every so often goes on at once,
        as in the repeated hour of autumn."""
        for back in (601, HOUR, 2 * HOUR, DAY):
            world = World(at(2, 12), {"a": "*/5 * * * *", "b": "0 * * * *"})
            world.pass_time(2 * HOUR)
            world.wall -= back
            world.runs.clear()
            start = world.wall
            world.pass_time(2 * HOUR)
            times = [moment for moment, keys in world.runs if "a" in keys]
            gaps = [b - a for a, b in zip([start, *times], times, strict=False)]
            self.assertLessEqual(max(gaps), 300 + LONGEST_SLEEP, back)
            self.assertEqual(len([keys for _, keys in world.runs if "b" in keys]), 2, back)

    def test_small_step_of_an_interval(self) -> None:
        """After a smaller one it is not due again at the same time."""
        for back in (2, 60, 590):
            world = World(at(2, 12), {"a": "*/5 * * * *"})
            world.pass_time(HOUR)
            world.wall -= back
            world.pass_time(HOUR + back)
            self.assertEqual(len(set(world.times())), 24, back)
            self.assertEqual(len(world.runs), 24, back)

    def test_started_with_the_clock_ahead(self) -> None:
        """Where the clock is set right after the start, by the offset of a time zone for
        instance, schedules follow the present at once."""
        world = World(at(1, 14, 1), {"a": "*/5 * * * *", "b": "30 12 * * *", "c": "0 14 * * *"})
        world.pass_time(60)
        world.wall -= 2 * HOUR
        world.pass_time(2 * HOUR)
        self.assertEqual(len([keys for _, keys in world.runs if "a" in keys]), 24)
        for key, expected in (("b", "01 12:30:00"), ("c", "01 14:00:00")):
            [moment] = [moment for moment, keys in world.runs if key in keys]
            self.assertEqual(f"{datetime.fromtimestamp(moment, UTC):%d %H:%M:%S}", expected)

    def test_any_steps(self) -> None:
        """However the clock goes within three hours of the latest time that it has shown, each
        due time of a daily job is one run."""
        for seed in range(20):
            chance = random.Random(seed)
            world = World(at(1, 20), {"a": "0 0 * * *"})
            latest = world.wall
            for _ in range(300):
                world.pass_time(chance.choice((1, 29, 30, 600, 1800)))
                latest = max(latest, world.wall)
                step = chance.choice((-HOUR, -600, -61, -5, 5, 61, 600, HOUR, HOUR))
                world.wall = max(world.wall + step, latest - 2.9 * HOUR)
                latest = max(latest, world.wall)
            world.pass_time(3 * HOUR)
            days = int(max(latest, world.wall) // DAY) - int(at(1, 20).timestamp() // DAY)
            self.assertEqual(len(world.runs), days, seed)
            self.assertGreater(days, 1)

    def test_small_steps(self) -> None:
        """A clock that is adjusted by seconds to and fro all the time loses and doubles nothing."""
        world = World(at(1, 12), {"a": "0 * * * *"})
        for number in range(2000):
            world.pass_time(44)
            world.wall += (-7, 7)[number % 2]
        hours = {int(time + 60) // 3600 for time, _ in world.runs}
        self.assertEqual(len(world.runs), len(hours))
        self.assertEqual(len(hours), 24)

    def test_clock_was_far_ahead(self) -> None:
        """After a correction from a date in the future, schedules follow the present."""
        world = World(at(1, 12) + timedelta(days=4000), {"a": "0 0 * * *"})
        world.pass_time(DAY)
        world.wall = at(1, 12).timestamp()
        world.pass_time(2 * DAY)
        self.assertEqual(world.times()[1:], ["02 00:00:00", "03 00:00:00"])

    def test_clock_was_far_behind(self) -> None:
        """After a correction from 1970, there is one run at once and then the usual ones."""
        world = World(datetime(1970, 1, 1, 12, tzinfo=UTC), {"a": "0 0 * * *"})
        world.pass_time(100)
        world.wall = at(1, 12).timestamp()
        self.late(world)

    def test_steps_while_idle(self) -> None:
        """What the clock did while there was no schedule, or no service, is of no account."""
        for stop in (True, False):
            world = World(at(10, 12), {})
            world.pass_time(HOUR)
            if stop:
                world.service.stopService()
            world.pass_time(HOUR)
            world.wall -= 5 * DAY
            world.pass_time(HOUR)
            if stop:
                world.service.startService()
            world.replace({"a": "0 0 * * *"})
            world.pass_time(2 * DAY)
            self.assertEqual(world.times(), ["06 00:00:00", "07 00:00:00"])

    def test_several_steps_back(self) -> None:
        """Steps back that are more than three hours in all make the schedules start anew."""
        world = World(at(1, 23, 30), {"a": "0 0 * * *"})
        world.pass_time(HOUR)
        for _ in range(3):
            world.wall -= HOUR
            world.pass_time(60)
        self.assertEqual(world.service.next_due, at(3).timestamp())
        world.wall -= HOUR
        world.pass_time(60)
        self.assertEqual(world.service.next_due, at(2).timestamp())


class DaylightSavingTests(CronServiceTestCase):
    """Tests of `CronService` over the days on which the clocks change."""

    zone = "Europe/Berlin"

    def days(self, start: datetime, texts: Iterable[str]) -> list[tuple[str, str]]:
        """All runs of three days, as time with offset, and key."""
        world = World(start, {text: text for text in texts})
        world.pass_time(3 * DAY)
        return [
            (f"{datetime.fromtimestamp(moment, BERLIN):%d %H:%M %z}", key)
            for moment, keys in world.runs
            for key in sorted(keys)
        ]

    def test_spring(self) -> None:
        """In spring a daily job runs once each day, at the end of the gap if it must."""
        midnight, gap = "0 0 * * *", "30 2 * * *"
        self.assertEqual(
            self.days(datetime(2026, 3, 27, 22, tzinfo=BERLIN), (midnight, gap)),
            [
                ("28 00:00 +0100", midnight),
                ("28 02:30 +0100", gap),
                ("29 00:00 +0100", midnight),
                ("29 03:00 +0200", gap),
                ("30 00:00 +0200", midnight),
                ("30 02:30 +0200", gap),
            ],
        )

    def test_autumn(self) -> None:
        """In autumn a daily job runs once each day, in the first pass of the repeated hour."""
        midnight, repeated = "0 0 * * *", "30 2 * * *"
        self.assertEqual(
            self.days(datetime(2026, 10, 23, 22, tzinfo=BERLIN), (midnight, repeated)),
            [
                ("24 00:00 +0200", midnight),
                ("24 02:30 +0200", repeated),
                ("25 00:00 +0200", midnight),
                ("25 02:30 +0200", repeated),
                ("26 00:00 +0100", midnight),
                ("26 02:30 +0100", repeated),
            ],
        )

    def test_set_back_in_autumn(self) -> None:
        """A clock that is set by hand when the clocks change has a daily job run once."""
        for back in (60, 1800, HOUR, 2 * HOUR):
            world = World(datetime(2026, 10, 25, 1, tzinfo=BERLIN), {"a": "30 2 * * *"})
            world.pass_time(2 * HOUR)
            world.wall -= back
            world.pass_time(DAY + 3 * HOUR)
            self.assertEqual(world.times(), ["25 02:30:00", "26 02:30:00"], back)

    def test_hourly(self) -> None:
        """An hourly job runs every 3600 s through both changes."""
        for month, day in ((3, 28), (10, 24)):
            world = World(datetime(2026, month, day, 0, 30, tzinfo=BERLIN), {"a": "0 * * * *"})
            world.pass_time(3 * DAY)
            start = world.runs[0][0]
            self.assertEqual(
                [moment for moment, _ in world.runs], [start + n * HOUR for n in range(72)]
            )
