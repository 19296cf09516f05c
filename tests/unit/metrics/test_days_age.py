"""Tests of `days_age`."""

from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.metrics.timed_lines import DAY, days_age
from tests.doubles.repositories import NOW


class DaysAgeTests(SynchronousTestCase):
    """`days_age`."""

    def test_whole_days(self) -> None:
        """Days are whole, rounded down, and change to the second."""
        for seconds, days in ((0, 0), (DAY - 1, 0), (DAY, 1), (2 * DAY - 0.5, 1), (400 * DAY, 400)):
            self.assertEqual(days_age(NOW, NOW + seconds), days)

    def test_ahead(self) -> None:
        """A newest that is a little ahead of the clock is of age 0, not of -1."""
        self.assertEqual(days_age(NOW + 1800, NOW), 0)

    def test_before_1970(self) -> None:
        """A snapshot of before 1970 has its age."""
        self.assertEqual(days_age(-5.0, 0.0), 0)
        self.assertEqual(days_age(-float(DAY), 0.0), 1)
