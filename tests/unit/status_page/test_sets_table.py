"""Tests of the table of backup sets."""

import re

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.concurrency.cooperative import at_once
from restic_reporter.model.freshness import Freshness, Limit
from restic_reporter.schedule.cron import parse_cron
from restic_reporter.status_page.fleet import Fleet
from restic_reporter.status_page.markup import markup
from restic_reporter.status_page.sets_table import set_rows
from tests.doubles.local_time import local_time
from tests.doubles.repositories import NOW
from tests.doubles.statuses import DAY, backups, state_of, status


class AgeTests(SynchronousTestCase):
    """Tests for the age of a set against its limit."""

    def age(
        self,
        days: float,
        freshness: Freshness,
        success: bool = True,
        learned: float | None = None,
        read: float = NOW,
    ) -> str:
        """What the row of a set of this age says of it."""
        known = evolve(backups("h", days), learned_max_age=learned)
        one = status("/p", known, freshness=freshness, success=success)
        one.last_success = read
        found = at_once(Fleet(state_of([one])).steps(NOW))
        (row,) = set_rows([(found.rows[0], found.states[0])], NOW)
        cell = re.search('class="ages">(.*?)</td>', markup(row))
        assert cell is not None
        return " ".join(re.sub("<[^>]+>", " ", cell[1]).split())

    def test_max_age(self) -> None:
        """The limit while it holds, then how late the set is, also if it cannot be read."""
        limit = Freshness(Limit(max_age=2 * DAY))
        for days, success, text in (
            (0.5, True, "of 2 days"),
            (2.25, True, "6 h late"),
            (0.5, False, "as of the last read"),
            (2.25, False, "6 h late"),
        ):
            self.assertTrue(self.age(days, limit, success).endswith(text), (days, success))

    def test_schedule(self) -> None:
        """When the next backup is due, at the end of its grace."""
        self.enterContext(local_time("UTC"))
        limit = Freshness(Limit(schedule=parse_cron("0 22 * * *"), grace=3600))
        self.assertEqual(self.age(0.02, limit), "28 min due in 46 min")

    def test_learned(self) -> None:
        """A learned limit is said to be one; it counts as of the last good read."""
        for days, success, read, text in (
            (0.5, True, NOW, "of 2 days, learned"),
            (2.25, True, NOW - DAY, "of 2 days, learned"),
            (2.25, True, NOW, "6 h late, limit learned"),
            (2.25, False, NOW - DAY, "6 h late, limit learned"),
            (0.5, False, NOW - DAY, "as of the last read"),
        ):
            found = self.age(days, Freshness(), success, 2 * DAY, read)
            self.assertTrue(found.endswith(text), (found, text))
        self.assertTrue(self.age(0.5, Freshness(Limit(DAY)), True, 2 * DAY).endswith("of 1 day"))

    def test_no_limit(self) -> None:
        """The age alone without a limit."""
        self.assertEqual(self.age(3.5, Freshness()), "3 days 12 h")
