"""Tests of the metrics of copies."""

from math import inf

from attrs import evolve

from restic_reporter.model.freshness import Freshness, SetName
from tests.doubles.copy_worlds import DAY, backup, change, copied_worlds, copy_of
from tests.doubles.metrics_case import PageCase
from tests.doubles.repositories import World

LAG, MISSING = "backup_set_copy_lag_seconds", "backup_set_copy_missing"


class CopiesTests(PageCase):
    """`backup_set_copy_lag_seconds` and `backup_set_copy_missing`."""

    def setUp(self) -> None:
        super().setUp()
        self.source, self.copy = copied_worlds(World.make("/0"), World.make("/1"))
        first, second = backup(1, 2), backup(2, 1)
        self.source.storage.snapshots[:] = [first, second, backup(3, 5, "other")]
        self.copy.storage.snapshots[:] = [copy_of(first, 11)]
        self.use(self.source, self.copy)
        self.collector.on_read = self.page.prepare

    def both(self, openmetrics: bool = False) -> dict[tuple[str, ...], tuple[float, float]]:
        """Lag and missing ones, by url, copy, host and user."""
        values: dict[tuple[str, ...], dict[str, float]] = {}
        for one in self.samples(openmetrics):
            if one.name in (LAG, MISSING):
                self.assertEqual(list(one.labels), ["url", "copy", "host", "user"])
                values.setdefault(tuple(one.labels.values()), {})[one.name] = one.value
        return {labels: (found[LAG], found[MISSING]) for labels, found in values.items()}

    def test_values(self) -> None:
        """Each set has its numbers for each copy, without an end where nothing is copied."""
        self.collect()
        expected = {
            ("/0", "/1", "h", "u"): (DAY, 1),
            ("/0", "/1", "other", "u"): (inf, 1),
        }
        self.assertEqual(self.both(), expected)
        self.assertEqual(self.both(openmetrics=True), expected)

    def test_follows(self) -> None:
        """A change of the copy alone shows."""
        self.collect()
        self.both()
        self.copy.storage.snapshots.append(copy_of(self.source.storage.snapshots[1], 12))
        self.collect()
        self.assertEqual(self.both()["/0", "/1", "h", "u"], (0, 0))

    def test_none(self) -> None:
        """Without copies there are no such lines; a copy that left the config has none."""
        self.use(self.copy)
        self.collect()
        self.assertEqual(self.both(), {})
        self.use(self.source, self.copy)
        self.collect()
        self.assertEqual(len(self.both()), 2)
        change(self.source)
        self.use(self.source, self.copy)
        self.collect()
        self.assertEqual(self.both(), {})

    def test_retired(self) -> None:
        """A retired set has none."""
        task = self.source.task
        freshness = Freshness(retired=frozenset([SetName("other")]))
        self.source.task = evolve(task, repository=evolve(task.repository, freshness=freshness))
        self.use(self.source, self.copy)
        self.collect()
        self.assertEqual([labels[2] for labels in self.both()], ["h"])

    def test_gone(self) -> None:
        """Nor has a set without snapshots, while the last comparison still knows it."""
        self.collect()
        self.source.storage.snapshots.pop()
        self.copy.storage.snapshots.clear()
        self.collect()
        self.assertEqual([labels[2] for labels in self.both()], ["h"])
