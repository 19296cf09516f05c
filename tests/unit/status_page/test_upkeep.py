"""Tests of `restic_reporter.status_page.upkeep`."""

import re

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.collection.state import Measured, RepositoryStatus, Task, Underway
from restic_reporter.concurrency.cooperative import at_once
from restic_reporter.model.upkeep import Size
from restic_reporter.schedule.cron import parse_cron
from restic_reporter.status_page.markup import written
from restic_reporter.status_page.upkeep import upkeep_facts
from restic_reporter.testing import MemoryReader
from tests.doubles.local_time import local_time
from tests.doubles.repositories import repository

# A Monday, 01:00 UTC.
NOW = 1780275600.0
SUNDAYS = parse_cron("0 3 * * 0")


class UpkeepFactsTests(SynchronousTestCase):
    """Facts on the page of a repository."""

    def setUp(self) -> None:
        self.enterContext(local_time("UTC"))
        self.status = RepositoryStatus(Task(repository("/a"), "local", None, MemoryReader(), 300.0))

    def facts(self, checks: Underway) -> dict[str, str]:
        """The facts as text."""
        facts = upkeep_facts(self.status, checks, NOW)
        return {
            title: re.sub("<[^>]*>", "", at_once(written(value)).decode()).split("\n", 1)[1]
            for title, value in facts.items()
        }

    def test_none(self) -> None:
        """Without keys there is nothing to see, whatever other repositories have."""
        self.assertEqual(self.facts(Underway({"/b": SUNDAYS}, "/b", NOW, {"/c": None})), {})

    def test_check(self) -> None:
        """The next check, one that waits, and one that runs."""
        checks = Underway(schedules={"/a": SUNDAYS})
        self.assertEqual(self.facts(checks), {"Next check": "in 6 days 2 h"})
        checks = evolve(checks, label="/b", waiting={"/a": None})
        self.assertEqual(self.facts(checks), {"Check": "due, waits for others"})
        checks = evolve(checks, label="/a", began=NOW - 90)
        self.assertEqual(self.facts(checks), {"Check": "running, began 1 min ago"})

    def test_size(self) -> None:
        """The last known size, and since when."""
        self.status.size = Measured(Size(3 * 2**40, 200_000), NOW - 7200)
        self.assertEqual(self.facts(Underway()), {"Size": "3.0 TiB in 200,000 packs, 2 h ago"})
        self.status.size = Measured(Size(5, 1), NOW)
        self.assertEqual(self.facts(Underway()), {"Size": "5 B in 1 pack, 0 s ago"})
