"""Tests of the cron service with a wall clock that is set."""

import random
from datetime import UTC, datetime, timedelta

from restic_reporter.schedule.cron_service import LONGEST_SLEEP
from tests.doubles.cron_service_case import DAY, HOUR, CronServiceTestCase, World, at


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
