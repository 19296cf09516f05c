"""Tests of `restic_reporter.cron_service`."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.cron_service import LONGEST_SLEEP, CronService
from restic_reporter.schedule import parse_cron

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
            zone=self.zone,
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


class CronServiceTests(SynchronousTestCase):
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


class ReloadTests(SynchronousTestCase):
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


class WrongClockTests(SynchronousTestCase):
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


class DaylightSavingTests(SynchronousTestCase):
    """Tests of `CronService` over the days on which the clocks change."""

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

    def test_hourly(self) -> None:
        """An hourly job runs every 3600 s through both changes."""
        for month, day in ((3, 28), (10, 24)):
            world = World(datetime(2026, month, day, 0, 30, tzinfo=BERLIN), {"a": "0 * * * *"})
            world.pass_time(3 * DAY)
            start = world.runs[0][0]
            self.assertEqual(
                [moment for moment, _ in world.runs], [start + n * HOUR for n in range(72)]
            )
