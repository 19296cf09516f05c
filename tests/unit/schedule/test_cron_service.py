"""Tests of `restic_reporter.schedule.cron_service`."""

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from restic_reporter.schedule.cron_service import LONGEST_SLEEP
from tests.doubles.cron_service_case import DAY, HOUR, CronServiceTestCase, Keys, World, at

BERLIN = ZoneInfo("Europe/Berlin")


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
