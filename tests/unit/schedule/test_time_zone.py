"""Tests of `restic_reporter.schedule.time_zone`."""

import struct
import time
from datetime import datetime
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.schedule.cron import next_due, parse_cron
from restic_reporter.schedule.time_zone import check_time_zone
from tests.doubles.local_time import local_time

POSIX_STRINGS = (
    "UTC0",
    "<+03>-3",
    "XYZ-5:45:30",
    "GMT+3",
    "ABC24",
    "CET-1CEST,M3.5.0,M10.5.0/3",
    ":CET-1CEST-2,M3.5.0/2:00,M10.5.0/3",
    "IST-2IDT,M3.4.4/26,M10.5.0",
    "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
    "AAA4BBB,J60/2,J300",
    "AAA4BBB,J1/167,J365/-167",
    "AAA4BBB,0,365",
    "AAA5BBB",
)


class CheckTimeZoneTests(SynchronousTestCase):
    """Tests of `check_time_zone`."""

    def assert_refused(self, value: str, **environment: str) -> None:
        """``TZ`` is refused by name and value."""
        with local_time(value, **environment):
            message = str(self.assertRaises(ValueError, check_time_zone))
        self.assertTrue(message.startswith(f"TZ: unknown time zone {value!r}; "), message)

    def tzfile(self) -> Path:
        """A tzfile whose zone is always ten hours and a half ahead of UTC."""
        header = struct.pack(">4sc15x6l", b"TZif", b"2", 0, 0, 0, 0, 1, 4)
        block = header + struct.pack(">lbb", 37800, 0, 0) + b"ABC\0"
        path = Path(self.mktemp()).absolute()
        path.write_bytes(block * 2 + b"\nABC-10:30\n")
        return path

    def test_files(self) -> None:
        """The zone of a name or a path is accepted, with or without a colon before it."""
        for value in ("Australia/Lord_Howe", ":Australia/Lord_Howe", str(self.tzfile())):
            with local_time(value):
                check_time_zone()
                self.assertEqual(datetime.fromtimestamp(1782000000).minute, 30, value)

    def test_own_folder(self) -> None:
        """Names are looked up in the folder that TZDIR names, as the C library does."""
        path = self.tzfile()
        with local_time(path.name, TZDIR=str(path.parent)):
            check_time_zone()
            self.assertEqual(time.localtime(0).tm_hour, 10)

    def test_posix_strings(self) -> None:
        """POSIX strings are accepted."""
        for value in POSIX_STRINGS:
            with local_time(value):
                check_time_zone()
                # Taken in as it was written.
                self.assertEqual(time.tzname[0], value.lstrip(":<")[:3])

    def test_plain_day_numbers(self) -> None:
        """Rules by plain day number are followed: day 59 is March 1, in leap years February 29."""
        for year, expected in ((2026, (3, 1)), (2028, (2, 29))):
            with local_time("AAA4BBB,59/2,299"):
                check_time_zone()
                start = datetime(year, *expected, 0).timestamp()
                due = next_due(parse_cron("30 2 * * *"), start)
                self.assertEqual(datetime.fromtimestamp(due), datetime(year, *expected, 3))
                self.assertEqual(due - start, 2 * 3600)

    def test_utc_without_files(self) -> None:
        """UTC needs no files, as containers often have none."""
        for value in ("", ":", "UTC", ":UTC", "Etc/UTC", "GMT"):
            with local_time(value, TZDIR=self.mktemp()):
                check_time_zone()
                self.assertEqual(time.localtime(0).tm_hour, 0)

    def test_without_files(self) -> None:
        """Where the machine has no time zone files, a name is refused with the file's path."""
        folder = str(Path(self.mktemp()).absolute())
        with local_time("Europe/Berlin", TZDIR=folder):
            # It would be UTC.
            self.assertEqual(time.localtime(0).tm_hour, 0)
            message = str(self.assertRaises(ValueError, check_time_zone))
        self.assertIn(f"'{folder}/Europe/Berlin' is a time zone file (package tzdata)", message)

    def test_unset(self) -> None:
        """Without TZ, the system's file is good or missing, or refused by name."""
        path = self.tzfile()
        with local_time(None):
            check_time_zone()
            check_time_zone(str(path))
            check_time_zone(f"{path}.none")
            path.write_bytes(b"TZif2")
            message = str(self.assertRaises(ValueError, check_time_zone, str(path)))
        self.assertIn(f"{path}: invalid time zone file", message)

    def test_unknown(self) -> None:
        """A name that is no zone is refused."""
        for value in (
            "Europe/Atlantis",
            "Europe",
            "FOO",
            "XX3",
            "../UTC",
            "UTC0\n",
            "\xe9",
            "::UTC",
        ):
            self.assert_refused(value)

    def test_malformed_posix_strings(self) -> None:
        """A POSIX string is refused where it is wrong anywhere, as is a number out of range."""
        for value in (
            "CET-1CEST,foo",
            "CET-1CEST,M13.1.0,M10.5.0",
            "CET-1CEST,M3.6.0,M10.5.0",
            "CET-1CEST,M3.5.7,M10.5.0",
            "CET-1CEST,M3.5.0",
            "CET-1CEST,M3.5.0,M10.5.0/168",
            "CET-1CEST,M3.5.0,M10.5.0/3,",
            "CET-1,M3.5.0,M10.5.0",
            "AAA4BBB,J0,J300",
            "AAA4BBB,59,366",
            "ABC25",
            "ABC167",
            "ABC1:60",
            "<A>1",
        ):
            self.assert_refused(value)

    def test_bad_files(self) -> None:
        """A path without a usable tzfile is refused."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        good = self.tzfile().read_bytes()
        for name, content in (("text", b"Europe/Berlin\n"), ("cut", good[:60]), ("empty", b"")):
            (folder / name).write_bytes(content)
        for name in ("text", "cut", "empty", "absent", "."):
            self.assert_refused(f"{folder}/{name}")
            self.assert_refused(name, TZDIR=str(folder))
