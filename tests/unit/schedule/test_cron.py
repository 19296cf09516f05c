"""Tests of `restic_reporter.schedule.cron`."""

import sys
from datetime import datetime
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.schedule.cron import parse_cron
from tests.doubles.cron_times import DAY, UTC, due_after, instant, runs, shown, wall


class ParseCronTests(SynchronousTestCase):
    """Tests of `parse_cron`."""

    def refusal(self, text: str) -> str:
        """The message with which ``text`` is refused."""
        message = str(self.assertRaises(ValueError, parse_cron, text))
        self.assertIn(repr(text), message)
        return message

    def test_text_is_kept(self) -> None:
        """An expression knows how it was written."""
        self.assertEqual(parse_cron(" 0\t0 * *  mon-fri").text, " 0\t0 * *  mon-fri")

    def test_equality(self) -> None:
        """Two expressions are equal, and may stand for each other as a key, by their text."""
        self.assertEqual({parse_cron("0 0 * * *"): 1}[parse_cron("0 0 * * *")], 1)
        self.assertNotEqual(parse_cron("0 0 * * *"), parse_cron("1 0 * * *"))

    def test_number_of_fields(self) -> None:
        """Anything but five fields is refused with the number that was found."""
        for text, number in (
            ("", 0),
            ("@daily", 1),
            ("0 0 * *", 4),
            ("0 0 * * * 0", 6),
            ("0 0 * * * 0 2026", 7),
            ("0\u00a00 * * *", 4),
        ):
            self.assertIn("needs five fields (minute, hour, ", self.refusal(text))
            self.assertTrue(self.refusal(text).endswith(f"not {number}"), text)

    def test_bad_field_is_named(self) -> None:
        """A field that is out of range or not understood is named with its value."""
        for text, name, value in (
            ("60 0 * * *", "minute", "60"),
            ("*/0 0 * * *", "minute", "*/0"),
            ("0 24 * * *", "hour", "24"),
            ("0 -1 * * *", "hour", "-1"),
            ("0 0 0 * *", "day of month", "0"),
            ("0 0 * 13 *", "month", "13"),
            ("0 0 * foo *", "month", "foo"),
            ("0 0 * * 8", "day of week", "8"),
            ("0 0 * * ,", "day of week", ","),
            ("\uff10 0 * * *", "minute", "\uff10"),
            (f"0 {'9' * 5000} * * *", "hour", "9" * 5000),
        ):
            self.assertIn(f": invalid {name} {value!r} (allowed: ", self.refusal(text))

    def test_hashed_and_random_fields(self) -> None:
        """H and R, which mean no certain time, are refused."""
        for value in ("H", "h", "R", "r", "H(0-5)", "R(1-3)/2", "H/5"):
            self.assertIn(f"minute {value!r}", self.refusal(f"{value} 0 * * *"))
            self.assertIn(f"day of week {value!r}", self.refusal(f"0 0 * * {value}"))

    def test_impossible_dates(self) -> None:
        """An expression that no date matches is refused, and soon."""
        for text in ("0 0 30 2 *", "* * 30,31 2 *", "0 0 31 2,4,6,9,11 *"):
            calls = 0

            def count(*_: Any) -> None:
                nonlocal calls
                calls += 1

            sys.setprofile(count)
            try:
                refusal = self.refusal(text)
            finally:
                sys.setprofile(None)
            self.assertIn("matches no date", refusal)
            self.assertLess(calls, 500_000)

    def test_rare_dates(self) -> None:
        """The rarest dates that there are, eight and forty years apart, are found."""
        for text, after, due in (
            ("0 0 29 2 *", (2096, 3, 1), (2104, 2, 29)),
            ("0 0 * 2 mon#5", (2072, 3, 1), (2112, 2, 29)),
        ):
            found = due_after(text, UTC, instant(UTC, *after))
            self.assertEqual(wall(found, UTC), datetime(*due))

    def test_range_of_one(self) -> None:
        """A range from a number to itself is that number."""
        start = instant(UTC, 2026, 1, 1)
        for text in ("5-5 5-5 * * *", "5-5/2 5-5 1-31 * *"):
            self.assertEqual(
                shown(runs(text, UTC, start, start + 2 * DAY), UTC),
                ["01-01 05:05 +0000", "01-02 05:05 +0000"],
            )

    def test_days(self) -> None:
        """Weekdays, days of the month, months, lists, steps and the last day are understood."""
        start = instant(UTC, 2026, 1, 1)
        for text, expected in (
            ("0 0 * * sun", ["01-04", "01-11", "01-18", "01-25", "02-01"]),
            ("0 0 * * 7", ["01-04", "01-11", "01-18", "01-25", "02-01"]),
            ("0 0 13 * fri", ["01-02", "01-09", "01-13", "01-16", "01-23"]),
            ("0 0 */10 mar,apr *", ["03-01", "03-11", "03-21", "03-31", "04-01"]),
            ("0 0 L * *", ["01-31", "02-28", "03-31", "04-30", "05-31"]),
        ):
            found = runs(text, UTC, start, start + 200 * DAY)[:5]
            self.assertEqual([f"{wall(m, UTC):%m-%d}" for m in found], expected, text)
