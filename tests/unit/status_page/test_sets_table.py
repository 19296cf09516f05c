"""Tests of the table of backup sets."""

import re
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.concurrency.cooperative import at_once
from restic_reporter.model.freshness import Freshness, Limit, SetName
from restic_reporter.model.snapshots import NO_RATIOS, Ratios
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


class SizeTests(SynchronousTestCase):
    """Tests for the note on a newest snapshot that is not like those before it."""

    def size(self, ratios: Ratios, freshness: Freshness | None = None, **summary: int) -> str:
        """What the row of a set with these ratios says of its size."""
        counts = {"new_files": 1, "changed_files": 8, "unmodified_files": 1}
        values: dict[str, Any] = {"processed_bytes": 100, "added_bytes": 90, **counts, **summary}
        known = backups("h", 1, **values)
        one = status("/p", evolve(known, ratios=ratios), freshness=freshness)
        found = at_once(Fleet(state_of([one])).steps(NOW))
        (row,) = set_rows([(found.rows[0], found.states[0])], NOW)
        cell = re.search('data-label="Size">(.*?)</td>', markup(row))
        assert cell is not None
        return " ".join(re.sub("<[^>]+>", " ", cell[1]).split())

    def test_as_usual(self) -> None:
        """There is none without ratios, or with usual ones."""
        self.assertEqual(self.size(NO_RATIOS), "100 B")
        self.assertEqual(self.size(Ratios(0.34, 1.0, 0.34, 1.0)), "100 B")

    def test_vanished(self) -> None:
        """It tells how much is left of size or files if that is less than a third."""
        few = self.size(Ratios(0.333, 1.0, 0.01, 1.0))
        self.assertEqual(few, "100 B 33 % of the usual size")
        self.assertEqual(self.size(Ratios(1.0, 1.0, 0.0, 1.0)), "100 B 0 % of the usual files")

    def test_nearly_all_changed(self) -> None:
        """It tells that most bytes are new and files were changed, if that is unusual."""
        self.assertEqual(self.size(Ratios(1.0, 9.0, 1.0, 9.0)), "100 B nearly all changed")
        self.assertEqual(self.size(Ratios(1.0, None, 1.0, None)), "100 B nearly all changed")
        for ratios in (
            Ratios(1.0, 5.0, 1.0, 9.0),
            Ratios(1.0, 9.0, 1.0, 2.0),
            Ratios(1.0, 9.0, 9.0, 9.0),
            Ratios(1.0, 9.0, None, 9.0),
        ):
            self.assertEqual(self.size(ratios), "100 B")
        self.assertEqual(self.size(Ratios(1.0, 9.0, 1.0, 9.0), added_bytes=66), "100 B")

    def test_retired(self) -> None:
        """A retired set has none."""
        retired = Freshness(retired=frozenset([SetName("h")]))
        self.assertEqual(self.size(Ratios(0.1, 1.0, 0.1, 1.0), retired), "100 B")
