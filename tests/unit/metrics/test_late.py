"""Tests of the metrics about sets that are late by a limit or by their own rhythm."""

from attrs import evolve

from restic_reporter.concurrency.cooperative import at_once
from restic_reporter.metrics import definitions, timed_lines
from restic_reporter.metrics.exposition import Family, sample
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.model.freshness import Freshness, Limit, SetName
from tests.doubles.metrics_case import FreshnessCase
from tests.doubles.repositories import NOW, snapshot

HOUR, DAY = 3600.0, 86400.0


class LateTests(FreshnessCase):
    """Sets that are late: by their own limit, or without one by their own rhythm."""

    def learned(self, newest: float | None = NOW - HOUR, **ages: float | None) -> None:
        """Collect one snapshot of each host, and give the hosts a learned maximum age."""
        self.world.storage.snapshots = [
            snapshot(number, newest, host) for number, host in enumerate(ages)
        ]
        self.collect()
        (status,) = self.collector.state.statuses.values()
        assert status.content is not None
        sets = [evolve(one, learned_max_age=ages[one.host]) for one in status.content.sets]
        status.content = evolve(status.content, sets=tuple(sets))
        status.revision += 1

    def test_learned(self) -> None:
        """A learned age is shown and counts where nothing is configured, and only there."""
        retired = frozenset({SetName("old")})
        self.entry(freshness=Freshness(None, {SetName("limit"): Limit(2 * HOUR)}, retired))
        self.learned(limit=HOUR / 2, rhythm=3 * HOUR, few=None, old=HOUR)
        self.assertEqual(self.by_host("backup_set_learned_max_age_seconds"), {"rhythm": 3 * HOUR})
        self.assertEqual(self.by_host("backup_set_overdue"), {"limit": 0})
        for later, late in ((0, 0), (HOUR, 0), (HOUR + 1, 1), (0, 0)):
            self.now = NOW + later
            self.assertEqual(self.by_host("backup_set_late")["limit"], late, later)
        self.assertEqual(set(self.by_host("backup_set_late")), {"limit", "rhythm"})
        # In one piece, as the formats demand.
        page = at_once(self.page.steps(False)).decode()
        self.assertEqual(page.count("# TYPE backup_set_late "), 1)
        samples = [one.name for one in self.samples(openmetrics=True)]
        self.assertEqual(samples.count("backup_set_late"), 2)

    def test_between_collections(self) -> None:
        """A set is late by its rhythm only once a read has found no newer backup."""
        self.learned(rhythm=3 * HOUR)
        for later, late in ((2 * HOUR, 0), (2 * HOUR + 1, 1)):
            self.now = NOW + 30 * DAY
            self.assertEqual(self.by_host("backup_set_late"), {"rhythm": 0}, later)
            self.now = NOW + later
            self.collect()
            self.now = NOW + 30 * DAY
            self.assertEqual(self.by_host("backup_set_late"), {"rhythm": late}, later)

    def test_unreadable(self) -> None:
        """After a failed read its age goes on growing, until the next good one."""
        self.learned(rhythm=3 * HOUR)
        self.world.storage.list_error = ReadError(Reason.NETWORK, "refused")
        self.now = NOW + HOUR
        self.collect()
        for later, late in ((2 * HOUR, 0), (2 * HOUR + 1, 1)):
            self.now = NOW + later
            self.assertEqual(self.by_host("backup_set_late"), {"rhythm": late}, later)
        self.world.storage.list_error = None
        self.now = NOW + 2 * HOUR
        self.collect()
        self.now = NOW + DAY
        self.assertEqual(self.by_host("backup_set_late"), {"rhythm": 0})

    def test_no_newest(self) -> None:
        """A set without a valid snapshot is late by a limit, and by none it is neither."""
        self.entry(freshness=Freshness(None, {SetName("limit"): Limit(HOUR)}))
        self.learned(None, limit=None, rhythm=HOUR)
        self.assertEqual(self.by_host("backup_set_late"), {"limit": 1})

    def test_unchanged(self) -> None:
        """A read that changed nothing lets no line be rendered again."""
        self.learned(rhythm=3 * HOUR)
        self.samples()
        rendered: list[object] = []

        def counted(family: Family, labels: str, value: float) -> str:
            rendered.append(family)
            return sample(family, labels, value)

        self.patch(timed_lines, "sample", counted)
        self.collector.on_read = self.page.prepare
        for later, count in ((60, 0), (HOUR, 0), (2 * HOUR + 1, 1), (3 * HOUR, 0)):
            rendered.clear()
            self.now = NOW + later
            self.collect()
            self.samples()
            self.assertEqual(rendered.count(definitions.SET_LATE), count, later)
