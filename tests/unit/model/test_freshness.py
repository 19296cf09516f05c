"""Tests of `restic_reporter.model.freshness`."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.model.freshness import WINDOW, Freshness, Limit, SetName
from restic_reporter.schedule.cron import next_due, parse_cron

HOUR, DAY = 3600.0, 86400.0
HOURLY = parse_cron("0 * * * *")
TIMES = st.integers(0, 400 * 60).map(lambda minutes: minutes * 60.0)


class LimitTests(SynchronousTestCase):
    """`Limit`."""

    def test_max_age(self) -> None:
        """A backup is due when the newest reaches its maximum age."""
        self.assertEqual(Limit(max_age=HOUR).due(5.0), HOUR + 5)
        self.assertIsNone(Limit(max_age=HOUR).runs([5.0], 5.0, DAY))

    def test_schedule(self) -> None:
        """A backup is due at the first due time after the newest, with the grace."""
        limit = Limit(schedule=HOURLY, grace=600.0)
        self.assertEqual(limit.due(HOUR - 1), HOUR + 600)
        self.assertEqual(limit.due(HOUR), 2 * HOUR + 600)

    def test_rare_schedule(self) -> None:
        """A schedule that is due once in years is due then."""
        leap = parse_cron("0 0 29 2 *")
        self.assertEqual(Limit(schedule=leap, grace=0.0).due(0.0), next_due(leap, 0.0))

    @given(TIMES, st.integers(0, 300).map(lambda minutes: minutes * 60.0), TIMES)
    @settings(deadline=None)
    def test_overdue(self, newest: float, grace: float, now: float) -> None:
        """A set is overdue if none was made since a due time whose grace has passed."""
        due = [hour * HOUR for hour in range(1, 401) if hour * HOUR + grace < now]
        expected = any(newest < one for one in due)
        self.assertEqual(now > Limit(schedule=HOURLY, grace=grace).due(newest), expected)

    def test_runs(self) -> None:
        """Due times count once their grace has passed, within 30 days and the set's life."""
        limit = Limit(schedule=HOURLY, grace=600.0)
        now = 100 * DAY + 601
        recent = [now - 3 * HOUR - 5, now - HOUR + 5]
        self.assertEqual(limit.runs(recent, now - 4 * HOUR, now), (4, 1))
        self.assertEqual(limit.runs(recent, 0.0, now), (WINDOW / HOUR, 1))
        self.assertEqual(limit.runs([], None, now), (0, 0))


class FreshnessTests(SynchronousTestCase):
    """`Freshness`."""

    def test_expects(self) -> None:
        """An expected host without user expects each user of it."""
        freshness = Freshness(expected={SetName("a"): None, SetName("b", "u"): None})
        for name, expected in (
            (("a", "x"), True), (("b", "u"), True), (("b", "v"), False), (("c", "u"), False),
        ):  # fmt: skip
            self.assertEqual(freshness.expects(*name), expected, name)
