"""Tests for `restic_reporter.model.rhythm`."""

from array import array
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.model.rhythm import DAY, HOUR, WEEK, learned_max_age, runs

# A Monday at six.
START = 1_700_460_000.0


def every(pause: float, count: int, jitter: float = 0.0, start: float = START) -> list[float]:
    """Return the times of a job, each at most ``jitter`` early or late."""
    chance = Random(f"{pause} {count} {jitter}")
    return [start + pause * number + chance.uniform(-jitter, jitter) for number in range(count)]


def without(times: Iterable[float], first: float, last: float) -> list[float]:
    """Return the times without those from one day after the start to another."""
    return [one for one in times if not START + first * DAY <= one < START + last * DAY]


def working(times: Iterable[float]) -> list[float]:
    """Return the times from Monday to Friday."""
    return [one for one in times if (one - START + DAY / 4) % WEEK < 5 * DAY]


def thinned(times: Sequence[float], hourly: int = 24) -> list[float]:
    """Return what is left with 24 hourly, 7 daily, 5 weekly and 12 monthly snapshots."""
    kept = {times[-1]}
    for pause, count in ((HOUR, hourly), (DAY, 7), (WEEK, 5), (30 * DAY, 12)):
        last = {(one - START + 0.28 * DAY) // pause: one for one in times}
        kept.update(sorted(last.values())[-count:])
    return sorted(kept)


class RunsTests(SynchronousTestCase):
    """`runs`."""

    def test_few(self) -> None:
        """Nothing has no run, and one snapshot has one."""
        self.assertEqual(list(runs([])), [])
        self.assertEqual(list(runs(array("I", [5]))), [5])
        self.assertEqual(list(runs([5, 5, 5])), [5])

    def test_each(self) -> None:
        """Each snapshot of one path is a run, whatever the job."""
        for times in (
            every(HOUR, 1000, 900.0),
            every(DAY, 100, 3 * HOUR),
            every(WEEK, 20, 6 * HOUR),
            working(every(DAY, 100)),
            every(30 * DAY, 12),
        ):
            self.assertEqual(list(runs(times)), times)

    def test_paths(self) -> None:
        """Snapshots of several paths are one run, also when retention has thinned them."""
        for pause, shifts in (
            (HOUR, (0, 240, 400)),
            (DAY, (0, 600, 4000, 4100, 7200)),
            (WEEK, (0, 9000)),
            (30 * DAY, (0, 60, 3600)),
        ):
            begins = every(pause, 40, pause / 20)
            for starts in (begins, thinned(begins)):
                times = sorted(one + shift for one in starts for shift in shifts)
                self.assertEqual(list(runs(times)), starts)

    def test_outage(self) -> None:
        """The runs around an outage stay apart."""
        times = without(every(HOUR, 1000), 10, 25)
        self.assertEqual(list(runs(times)), times)


class LearnedTests(SynchronousTestCase):
    """`learned_max_age`."""

    def assert_told(self, times: Sequence[float], low: float, high: float) -> None:
        """Check that the age lies between two."""
        age = learned_max_age(times)
        self.assertIsNotNone(age)
        self.assertTrue(low <= (age or 0) <= high, f"{(age or 0) / DAY:.2f} days")

    def assert_quiet(self, times: Sequence[float], known: int = 20) -> None:
        """Check that no pause exceeds what was learned before it."""
        for place in range(known, len(times)):
            age = learned_max_age(times[:place])
            if age is not None:
                self.assertLess(times[place] - times[place - 1], age, place)

    def test_little(self) -> None:
        """Nothing is learned from less than two weeks or from few pauses."""
        for times in (
            [],
            [START],
            [START] * 100,
            every(HOUR, 12 * 24),
            every(DAY, 13),
            every(WEEK, 6),
            every(30 * DAY, 6),
            [START, START + 300 * DAY],
        ):
            self.assertIsNone(learned_max_age(times))

    @given(st.lists(st.integers(0, int(400 * DAY)), max_size=80), st.integers(0, 2**31))
    @settings(deadline=None)
    def test_any(self, times: list[int], shift: int) -> None:
        """Any times give an age or none, and the same ones at another time."""
        times.sort()
        age = learned_max_age(times)
        self.assertTrue(age is None or age > 0)
        self.assertEqual(learned_max_age([one + shift for one in times]), age)
        self.assertTrue(set(runs(times)) <= set(times))

    def test_duplicates(self) -> None:
        """Snapshots of the same second are one."""
        times = every(DAY, 60)
        self.assertEqual(learned_max_age(sorted(times * 3)), learned_max_age(times))

    def test_array(self) -> None:
        """The times may be an array of whole numbers."""
        times = every(DAY, 60)
        self.assertEqual(learned_max_age(array("I", map(int, times))), learned_max_age(times))

    def test_scheduled(self) -> None:
        """A stop is told within two usual pauses, or 1.6 where they are a week or longer."""
        for pause, jitter, count, most in (
            (HOUR, 0.0, 24 * 15, 1.6),
            (HOUR, 600.0, 24 * 60, 1.7),
            (HOUR, 900.0, 24 * 100, 1.9),
            (6 * HOUR, 1800.0, 4 * 30, 1.96),
            (DAY, 0.0, 22, 1.96),
            (DAY, 3 * HOUR, 200, 1.96),
            (WEEK, 6 * HOUR, 9, 1.55),
            (2 * WEEK, 6 * HOUR, 12, 1.55),
            (30 * DAY, 12 * HOUR, 10, 1.55),
        ):
            times = every(pause, count, jitter)
            self.assert_told(times, pause + 2 * jitter + 1, most * pause)
            self.assert_quiet(times[-300:])

    def test_paths(self) -> None:
        """Several paths in each run change little."""
        for shifts in ((0, 1800, 6000), range(0, 6000, 600)):
            times = [one + shift for one in every(DAY, 100, HOUR) for shift in shifts]
            self.assert_told(sorted(times), 1.5 * DAY, 1.96 * DAY)

    def test_late_runs(self) -> None:
        """A daily job that is late by two hours on average is not reported."""
        chance = Random(3)
        times = [START + DAY * day + chance.expovariate(1 / 2) * HOUR for day in range(400)]
        self.assert_quiet(times)
        self.assert_told(times, 1.6 * DAY, 1.96 * DAY)

    def test_months(self) -> None:
        """A job of the first of each month, or of its first Sunday, is not reported."""
        days = [datetime(2024 + number // 12, number % 12 + 1, 1) for number in range(24)]
        sundays = [day + timedelta(days=6 - day.weekday()) for day in days]
        for dates in (days, sundays):
            times = [day.replace(tzinfo=ZoneInfo("UTC")).timestamp() for day in dates]
            self.assert_quiet(times, 6)
            self.assert_told(times, 36 * DAY, 1.6 * 30.4 * DAY)

    def test_daylight_saving(self) -> None:
        """Days of 23 and 25 hours are not reported."""
        zone = ZoneInfo("Europe/Berlin")
        first = datetime(2024, 1, 1, 3, 30, tzinfo=zone)
        times = [(first + timedelta(days=day)).timestamp() for day in range(400)]
        self.assert_quiet(times)
        self.assert_told(times, 1.5 * DAY, 1.96 * DAY)

    def test_working_days(self) -> None:
        """Weekends, public holidays and Easter are not reported; a stop is within a week."""
        times = working(every(DAY, 300, HOUR))
        for first in (32.5, 59.5, 91.5, 150.5, 200.5):
            times = without(times, first, first + 1)
        times = without(times, 101.5, 105.5)
        self.assert_quiet(times)
        self.assert_told(times, 5 * DAY, 6 * DAY)

    def test_office_hours(self) -> None:
        """Nights, weekends and holidays of an hourly job of working days are not reported."""
        times = [one for one in working(every(HOUR, 24 * 100)) if 7 < one % DAY / HOUR < 19]
        times = without(times, 59.5, 60.5)
        self.assert_quiet(times)
        self.assert_told(times, 4 * DAY, 6 * DAY)

    def test_first_weekend(self) -> None:
        """A new set is not reported at its first weekends."""
        for hour in range(1, 13):
            times = working(every(hour * HOUR, 24 * 40 // hour))
            self.assert_quiet(times, 1)

    def test_outages(self) -> None:
        """Outages in the past neither end nor stretch the time."""
        for pause, count in ((HOUR, 24 * 100), (DAY, 100)):
            times = every(pause, count, pause / 8)
            for first, last in ((20, 22), (45, 50), (70, 90)):
                times = without(times, first, last)
            self.assert_told(times, 1.4 * pause, 1.96 * pause)

    def test_laptop(self) -> None:
        """A laptop is silent for half a year, and then has the time of a vacation."""
        chance = Random(5)
        times = [one for one in every(DAY, 400, 5 * HOUR) if chance.random() < 0.6]
        self.assertIsNone(learned_max_age(without(times, 170, 400)))
        self.assert_told(times, 4 * WEEK, 4 * WEEK)
        self.assert_told(without(times, 300, 321), 4 * WEEK, 5 * WEEK)

    def test_thinned(self) -> None:
        """What retention leaves is enough, whenever it is looked at."""
        for pause, jitter, most in (
            (HOUR, 240.0, 2.5),
            (6 * HOUR, 600.0, 1.96),
            (DAY, 2 * HOUR, 1.96),
            (WEEK, 2 * HOUR, 1.55),
            (30 * DAY, 2 * HOUR, 1.55),
        ):
            times = every(pause, int(380 * DAY / pause), jitter)
            for less in range(30):
                left = thinned(times[: len(times) - less * 5] if pause < WEEK else times)
                self.assert_told(left, pause + 2 * jitter + 1, most * pause)

    def test_seven_days(self) -> None:
        """Seven daily snapshots are few: a stop is reported, but in twice the time."""
        times = every(DAY, 300, 2 * HOUR)
        for place in range(270, 300):
            self.assert_told(thinned(times[:place], 1), 3.5 * DAY, 4.2 * DAY)

    def test_seven_days_of_a_laptop(self) -> None:
        """Seven daily snapshots of a laptop are seldom enough, by chance."""
        chance = Random(9)
        times = [one for one in every(DAY, 400, 5 * HOUR) if chance.random() < 0.6]
        ages = [learned_max_age(thinned(times[:place], 1)) for place in range(100, 200)]
        self.assertLess(sum(age is not None and age < 4 * WEEK for age in ages), 15)

    def test_thinned_working_days(self) -> None:
        """Thinned backups of working days are not reported at weekends."""
        for pause in (HOUR, DAY):
            times = [
                one
                for one in working(every(pause, int(300 * DAY / pause)))
                if pause == DAY or 7 < one % DAY / HOUR < 19
            ]
            for place in range(len(times) - 150, len(times)):
                age = learned_max_age(thinned(times[:place]))
                if age is not None:
                    self.assertLess(times[place] - times[place - 1], age)

    def test_state_begun_later(self) -> None:
        """A complete history is used three weeks after it has begun."""
        times = every(DAY, 300, HOUR)
        for days in range(60):
            known = thinned(times[:240]) + times[240 : 240 + days]
            age = learned_max_age(known)
            self.assertTrue(age is None or age > 1.5 * DAY)
            if days > 22:
                self.assert_told(known, 1.5 * DAY, 1.96 * DAY)

    def test_change_of_habit(self) -> None:
        """A new habit is reported twice at most, and is known within two months."""
        for before, after in ((HOUR, DAY), (DAY, WEEK), (HOUR, WEEK), (WEEK, DAY), (DAY, HOUR)):
            old = every(before, int(140 * DAY / before), before / 20)
            new = every(after, int(100 * DAY / after), after / 20, start=old[-1] + after)
            alarms = 0
            for place, time in enumerate(new):
                known = [*old, *new[:place]]
                age = learned_max_age(known) if after >= DAY else None
                alarms += age is not None and time - known[-1] > age
            self.assertLessEqual(alarms, 3, (before, after))
            soon = [*old, *(one for one in new if one < old[-1] + 65 * DAY)]
            self.assert_told(soon, 1.2 * after, 1.96 * after)
