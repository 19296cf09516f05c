"""Tests of `restic_reporter.schedule.due_times`."""

from datetime import datetime
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.schedule.cron import next_due, parse_cron
from restic_reporter.schedule.due_times import DAY, due_times, met_count
from tests.doubles.local_time import local_time

# Around these days the clocks change, in Troll by two hours; Apia left out a day.
CHANGES = (
    ("Europe/Berlin", datetime(2026, 3, 29)),
    ("Europe/Berlin", datetime(2026, 10, 25)),
    ("America/Havana", datetime(2026, 3, 8)),
    ("Australia/Lord_Howe", datetime(2026, 4, 5)),
    ("Antarctica/Troll", datetime(2026, 3, 29)),
    ("Pacific/Apia", datetime(2011, 12, 30)),
    ("UTC", datetime(2026, 6, 1)),
)
EXPRESSIONS = (
    "0 2 * * *",
    "30 2 * * *",
    "30 2,3 * * mon-fri",
    "0 0 1 * *",
    "15 */4 * * *",
    "0 12 31 * *",
    "0 1 13 * fri",
    "0 0 29 2 *",
    "5-10/2 23 * * 7",
)


def one_by_one(text: str, since: float, until: float) -> list[float]:
    """The due times, from `next_due`."""
    expression, moment = parse_cron(text), since - 0.5

    found: list[float] = []
    while (moment := next_due(expression, moment)) <= until:
        found.append(moment)
    return found


class DueTimesTests(SynchronousTestCase):
    """`due_times`."""

    def test_same_as_one_by_one(self) -> None:
        """The due times of a month are those of `next_due`, also where clocks change."""
        for zone, change in CHANGES:
            with local_time(zone):
                middle = change.replace(tzinfo=ZoneInfo(zone)).timestamp()
                since, until = middle - 15 * DAY, middle + 15 * DAY
                for text in EXPRESSIONS:
                    found = list(due_times(parse_cron(text), since, until))
                    self.assertEqual(found, one_by_one(text, since, until), (zone, text))

    def test_dense(self) -> None:
        """A schedule that is due each minute has all its due times."""
        found = due_times(parse_cron("* * * * *"), 30.0, 30 * DAY)
        self.assertEqual(list(found), list(range(60, 30 * DAY + 1, 60)))

    def test_ends(self) -> None:
        """Both ends belong to the time."""
        expression = parse_cron("0 * * * *")
        self.assertEqual(list(due_times(expression, 3600, 7200)), [3600, 7200])
        self.assertEqual(list(due_times(expression, 3601, 7199)), [])


class MetCountTests(SynchronousTestCase):
    """`met_count`."""

    TIMES = st.lists(st.integers(0, 200), unique=True).map(sorted)

    @given(TIMES, st.integers(0, 50), TIMES)
    @settings(deadline=None)
    def test_same_as_simple(self, due: list[int], grace: int, made: list[int]) -> None:
        """A due time is met by any backup from then to the end of its grace."""
        expected = sum(any(one <= each <= one + grace for each in made) for one in due)
        self.assertEqual(met_count(due, grace, made), expected)
