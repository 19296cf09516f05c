"""Tests of the units that people read."""

from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.status_page import units
from restic_reporter.status_page.units import count, duration, machine_time, size
from tests.doubles.local_time import local_time as zone


class UnitsTests(SynchronousTestCase):
    """Tests for numbers as people read them."""

    def test_duration(self) -> None:
        """One unit or two, none of them zero."""
        for seconds, text in {
            -5: "0 s",
            0.24: "0.2 s",
            59: "59 s",
            60: "1 min",
            3599: "59 min",
            3600: "1 h",
            9000: "2 h 30 min",
            20 * 3600 + 60: "20 h",
            86400: "1 day",
            2 * 86400 + 3 * 3600 + 59: "2 days 3 h",
            10 * 86400 + 3 * 3600: "10 days",
            1234 * 86400: "1,234 days",
        }.items():
            self.assertEqual(duration(seconds), text)

    def test_size(self) -> None:
        """Three digits or so, in the largest unit."""
        for number, text in {
            0: "0 B",
            999: "999 B",
            1000: "1.0 KiB",
            1024**2 - 1: "1.0 MiB",
            12.34 * 1024**3: "12.3 GiB",
            345 * 1024**4: "345 TiB",
            2**80: "1,073,741,824 PiB",
        }.items():
            self.assertEqual(size(number), text)

    def test_count(self) -> None:
        """The noun agrees with its number."""
        self.assertEqual(count(1, "set"), "1 set")
        self.assertEqual(count(0, "set"), "0 sets")
        self.assertEqual(count(1234, "repository"), "1,234 repositories")
        self.assertEqual(count(2, "key"), "2 keys")

    def test_times(self) -> None:
        """Local time for people, UTC for machines; times out of any calendar do not break it."""
        self.enterContext(zone("Europe/Berlin"))
        self.assertEqual(units.local_time(1_700_000_000), "Tue 14 Nov 2023, 23:13 CET")
        self.assertEqual(machine_time(1_700_000_000), "2023-11-14T22:13:20Z")
        self.assertEqual(units.iso_minute(1_700_000_000), "2023-11-14T23:13")
        for show in (units.local_time, machine_time, units.iso_minute):
            for moment in (-1e18, 1e18):
                self.assertIn(":", show(moment))
