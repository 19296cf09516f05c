"""Tests of `next_due`."""

from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.cron_times import DAY, UTC, due_after, instant, runs, shown, wall

BERLIN = ZoneInfo("Europe/Berlin")


# Zones with a change of some kind in the year; between them: gaps and repetitions of 30
# minutes, one, two and three hours, at midnight, before midnight, and days left out.
YEARS = (
    ("Europe/Berlin", 2026),
    ("Europe/Dublin", 2026),
    ("America/New_York", 2026),
    ("Australia/Lord_Howe", 2026),
    ("America/Havana", 2026),
    ("America/Asuncion", 2023),
    ("America/Santiago", 2026),
    ("America/Nuuk", 2026),
    ("Asia/Beirut", 2026),
    ("Africa/Cairo", 2026),
    ("Africa/Casablanca", 2026),
    ("Antarctica/Troll", 2026),
    ("Antarctica/Casey", 2010),
    ("Pacific/Chatham", 2026),
    ("Pacific/Apia", 2011),
    ("Pacific/Kwajalein", 1993),
    ("UTC", 2026),
)


GAPS_AT_2_30 = {"Europe/Berlin", "America/New_York", "Antarctica/Troll", "Pacific/Chatham"}


def zone_names() -> list[str]:
    """The zones of this machine; those of the package tzdata are unknown to the C library."""
    return sorted(
        name for name in available_timezones() if Path("/usr/share/zoneinfo", name).is_file()
    )


def offset_changes(zone: ZoneInfo, year: int) -> list[float]:
    """Midnights (UTC) of the days of the year on which the offset of ``zone`` changes."""
    start = datetime(year, 1, 1, tzinfo=UTC).timestamp()
    days = [start + number * DAY for number in range(366)]
    offsets = [datetime.fromtimestamp(day, zone).utcoffset() for day in days]
    return [days[i] for i in range(365) if offsets[i] != offsets[i + 1]]


class NextDueTests(SynchronousTestCase):
    """Tests of `next_due`."""

    def test_strictly_after(self) -> None:
        """A due instant is not due after itself, but it is due after any instant before it."""
        midnight = instant(BERLIN, 2026, 6, 2)
        for after, due in (
            (midnight - DAY, midnight),
            (midnight - 60, midnight),
            (midnight - 0.25, midnight),
            (midnight, midnight + DAY),
            (midnight + 0.25, midnight + DAY),
        ):
            self.assertEqual(due_after("0 0 * * *", BERLIN, after), due)

    def test_spring(self) -> None:
        """A skipped time of a daily job is due at the end of the gap."""
        start = instant(BERLIN, 2026, 3, 28, 12)
        self.assertEqual(
            shown(runs("30 2 * * *", BERLIN, start, start + 2 * DAY), BERLIN),
            ["03-29 03:00 +0200", "03-30 02:30 +0200"],
        )

    def test_several_times_in_gap(self) -> None:
        """All times of one job that a gap skips are due together, once."""
        start = instant(BERLIN, 2026, 3, 29)
        self.assertEqual(
            shown(runs("*/20 1-2 * * *", BERLIN, start, start + DAY / 2), BERLIN),
            [f"03-29 {time}" for time in ("01:00 +0100", "01:20 +0100", "01:40 +0100")]
            + ["03-29 03:00 +0200"],
        )

    def test_autumn(self) -> None:
        """A repeated time of a daily job is due at the first occurrence only."""
        start = instant(BERLIN, 2026, 10, 24, 12)
        self.assertEqual(
            shown(runs("30 2 * * *", BERLIN, start, start + 2 * DAY), BERLIN),
            ["10-25 02:30 +0200", "10-26 02:30 +0100"],
        )

    def test_asked_in_second_pass(self) -> None:
        """From within the second pass of a repeated hour, its times are over."""
        for minute in (0, 29, 30, 31, 59):
            after = instant(BERLIN, 2026, 10, 25, 2, minute, fold=1)
            due = due_after("30 2 * * *", BERLIN, after)
            self.assertEqual(shown([due], BERLIN), ["10-26 02:30 +0100"])

    def test_interval_in_autumn(self) -> None:
        """A job by interval runs in both passes of a repeated hour."""
        start = instant(BERLIN, 2026, 10, 25, 1)
        self.assertEqual(
            shown(runs("*/30 * * * *", BERLIN, start, start + 3 * 3600), BERLIN),
            ["10-25 01:30 +0200"]
            + [f"10-25 {time}" for time in ("02:00 +0200", "02:30 +0200")]
            + [f"10-25 {time}" for time in ("02:00 +0100", "02:30 +0100", "03:00 +0100")],
        )

    def test_interval_in_spring(self) -> None:
        """A job by interval of two hours has no run at a time that is skipped."""
        start = instant(BERLIN, 2026, 3, 28, 23)
        self.assertEqual(
            shown(runs("0 */2 * * *", BERLIN, start, start + 7 * 3600), BERLIN),
            ["03-29 00:00 +0100", "03-29 04:00 +0200", "03-29 06:00 +0200"],
        )

    def test_repeated_hour_seen_from_afar(self) -> None:
        """A job by interval on one date is due in the first pass of that date's repeated hour."""
        zone = ZoneInfo("America/Havana")
        due = due_after("30 */12 1 11 *", zone, instant(zone, 2026, 1, 1))
        self.assertEqual(shown([due], zone), ["11-01 00:30 -0400"])

    def test_one_hour_with_a_star(self) -> None:
        """An hour field that begins with a star and allows one hour only is a daily job's."""
        zone = ZoneInfo("Asia/Beirut")
        start = instant(zone, 2026, 3, 28, 12)
        for text in ("0 */24 * * *", "0 0 * * *"):
            self.assertEqual(
                shown(runs(text, zone, start, start + 1.5 * DAY), zone),
                ["03-29 01:00 +0300", "03-30 00:00 +0300"],
            )

    def test_gap_before_midnight(self) -> None:
        """Where the last hour of a day is skipped, that day's run is at midnight."""
        zone = ZoneInfo("America/Nuuk")
        start = instant(zone, 2026, 3, 28, 12)
        self.assertEqual(
            shown(runs("30 23 * * *", zone, start, start + 2 * DAY), zone),
            ["03-29 00:00 -0100", "03-29 23:30 -0100"],
        )

    def test_missing_day(self) -> None:
        """A day that a country leaves out has no run, and every other day has its own."""
        zone = ZoneInfo("Pacific/Apia")
        start = instant(zone, 2011, 12, 29) - 1
        for text in ("0 0 * * *", "0 12 * * *", "59 23 * * *"):
            found = runs(text, zone, start, start + 3 * DAY)
            minute, hour = text.split()[:2]
            self.assertEqual(
                [wall(moment, zone) for moment in found],
                [
                    datetime(*date, int(hour), int(minute))
                    for date in ((2011, 12, 29), (2011, 12, 31), (2012, 1, 1))
                ],
            )

    def test_minutes_of_a_missing_day(self) -> None:
        """A job of every minute goes on at once where a day is left out."""
        zone = ZoneInfo("Pacific/Apia")
        last = instant(zone, 2011, 12, 29, 23, 59)
        self.assertEqual(due_after("* * * * *", zone, last), last + 60)

    def test_year_of_a_daily_job(self) -> None:
        """Every day of a year has exactly one run, at its time or at the end of a gap."""
        for name, year in YEARS:
            zone = ZoneInfo(name)
            for hour, minute in ((0, 0), (2, 30)) if name in GAPS_AT_2_30 else ((0, 0),):
                start, end = instant(zone, year, 1, 1) - 1, instant(zone, year + 1, 1, 1) - 1
                found = runs(f"{minute} {hour} * * *", zone, start, end)
                days = {wall(start + 1 + m, zone).date() for m in range(0, int(end - start), 1800)}
                self.assertEqual([wall(m, zone).date() for m in found], sorted(days), name)
                for moment in found:
                    time = wall(moment, zone)
                    if (time.hour, time.minute) != (hour, minute):
                        wanted = time.replace(hour=hour, minute=minute)
                        self.assertLess(wall(moment - 1, zone), wanted)
                        self.assertLess(wanted, time)

    def test_weeks_of_an_hourly_job(self) -> None:
        """Around changes by whole hours an hourly job runs every 3600 s exactly."""
        for name, year in (*YEARS, ("Pacific/Apia", 2012)):
            if name == "Australia/Lord_Howe":
                continue
            zone = ZoneInfo(name)
            for change in offset_changes(zone, year):
                found = runs("0 * * * *", zone, change - DAY, change + 2 * DAY)
                steps = {b - a for a, b in pairwise(found)}
                self.assertEqual(steps, {3600.0}, name)

    @settings(
        max_examples=25,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
    )
    @given(st.data())
    def test_against_a_count_of_minutes(self, data: st.DataObject) -> None:
        """Around a change in any zone, runs are those that a look at every minute finds."""
        zone = ZoneInfo(data.draw(st.sampled_from(zone_names())))
        changes = offset_changes(zone, data.draw(st.integers(1975, 2036)))
        assume(changes)
        start = data.draw(st.sampled_from(changes)) - DAY + data.draw(st.integers(0, DAY))
        end = start + 1.5 * DAY
        minutes = data.draw(st.sets(st.integers(0, 59), min_size=1, max_size=3))
        by_interval = data.draw(st.booleans())
        if by_interval:
            step = data.draw(st.integers(1, 12))
            hours, field = set(range(0, 24, step)), f"*/{step}"
        else:
            hours = data.draw(st.sets(st.integers(0, 23), min_size=1, max_size=3))
            field = ",".join(map(str, hours))
        text = f"{','.join(map(str, minutes))} {field} * * *"

        first = int((start - 3 * DAY) // 60)
        looks = [(m * 60.0, wall(m * 60.0, zone)) for m in range(first, int(end // 60) + 1)]
        expected: set[float] = set()
        if by_interval:
            expected = {m for m, w in looks if w.hour in hours and w.minute in minutes}
        else:
            day, days = timedelta(days=1), {w.date() for _, w in looks}
            for date in days:
                for hour in hours:
                    for minute in minutes:
                        wanted = datetime(date.year, date.month, date.day, hour, minute)
                        if wanted > looks[0][1] and date - day in days:
                            reached = (m for m, w in looks if w >= wanted)
                            expected.add(next(reached, end + 1))
        self.assertEqual(
            runs(text, zone, start, end), sorted(m for m in expected if start < m <= end), text
        )
