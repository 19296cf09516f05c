"""Tests of `restic_reporter.metrics.compat_samples`, and of the page with them."""

from typing import Any

from attrs import evolve

from restic_reporter.collection.state import Measured
from restic_reporter.metrics.compat_samples import COMPAT_CONTENT_FAMILIES, COMPAT_READ_FAMILIES
from restic_reporter.model.compat import Compat
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.model.results import Result
from restic_reporter.model.snapshots import CLIENT_LABELS, Client, Snapshot, Summary
from restic_reporter.model.upkeep import Size
from tests.doubles.metrics_case import PageCase
from tests.doubles.repositories import NOW, World, snapshot

HOST = ("a", "u", "restic 0.18.0", "f" * 64, "t", "t,s", "/p")
PER_CLIENT = {f.name for f in COMPAT_CONTENT_FAMILIES} - {
    "restic_locks_total",
    "restic_snapshots_total",
}
NAMES = {f.name for f in (*COMPAT_CONTENT_FAMILIES, *COMPAT_READ_FAMILIES)}


def made(number: int, **more: Any) -> Snapshot:
    """A snapshot of one client."""
    return snapshot(number, NOW - 10.5 + number, client=Client(HOST, (1, 2, 3)), **more)


def world(url: str, *snapshots: Snapshot) -> World:
    """A repository with these."""
    found = World.make(url)
    found.storage.snapshots = list(snapshots)
    repository = evolve(found.task.repository, client_paths=True)
    found.task = evolve(found.task, repository=repository)
    return found


class CompatTests(PageCase):
    """restic-exporter's metrics."""

    def setUp(self) -> None:
        super().setUp()
        summary = Summary(60.5, 1000, 100, 4, 5, 6)
        self.world = world("/p", made(1), made(2, summary=summary))
        self.use(self.world)

    def show(self, url: bool = False) -> dict[str, float]:
        """The values after a collection, by name; the labels must be as expected."""
        self.page.compat = Compat(url=url)
        self.collect()
        found: dict[str, float] = {}
        for one in self.samples():
            if one.name in NAMES:
                expected = dict(zip(CLIENT_LABELS, HOST, strict=True))
                place = {"url": "/p"} if url else {}
                of_client = expected if one.name in PER_CLIENT else {}
                self.assertEqual(one.labels, {**place, **of_client}, one.name)
                self.assertNotIn(one.name, found)
                found[one.name] = one.value
        return found

    def test_values(self) -> None:
        """Each has its value; what is not computed has that program's own for it."""
        expected = {
            "restic_check_success": 2,
            "restic_locks_total": 0,
            "restic_scrape_duration_seconds": 0,
            "restic_size_total": -1,
            "restic_uncompressed_size_total": -1,
            "restic_compression_ratio": -1,
            "restic_blob_count_total": -1,
            "restic_snapshots_total": 2,
            "restic_backup_timestamp": NOW - 9,
            "restic_backup_snapshots_total": 2,
            "restic_backup_files_total": 15,
            "restic_backup_size_total": 1000,
            "restic_backup_files_new": 4,
            "restic_backup_files_changed": 5,
            "restic_backup_files_unmodified": 6,
            "restic_backup_dirs_new": 1,
            "restic_backup_dirs_changed": 2,
            "restic_backup_dirs_unmodified": 3,
            "restic_backup_data_added_bytes": 100,
            "restic_backup_duration_seconds": 60.5,
        }
        self.assertEqual(self.show(), expected)
        self.assertEqual(set(expected), NAMES)

    def test_label(self) -> None:
        """The repository is a label of each, if it is wanted."""
        self.assertEqual(self.show(url=True).keys(), NAMES)

    def test_off(self) -> None:
        """Without the option there is not even a header."""
        self.collect()
        self.assertEqual({one.name for one in self.samples()} & NAMES, set())

    def test_without_summary(self) -> None:
        """What the newest snapshot does not tell is -1."""
        self.world.storage.snapshots = [
            snapshot(1, client=Client(HOST)),
            snapshot(2, NOW, summary=Summary(new_files=7), client=Client(HOST)),
        ]
        found = self.show()
        self.assertEqual(found["restic_backup_files_new"], 7)
        of_newest = PER_CLIENT - {"restic_backup_timestamp", "restic_backup_snapshots_total"}
        self.assertEqual({found[name] for name in of_newest - {"restic_backup_files_new"}}, {-1})

    def test_checks(self) -> None:
        """A reported check is shown, the latest of its kind alone."""
        for exit, value in ((0, 1), (1, 0)):
            self.collector.state.results["/p"] = {"check": Result("check", NOW, exit)}
            self.assertEqual(self.show()["restic_check_success"], value)
        self.collector.state.results["/p"] = {"prune": Result("prune", NOW, 1)}
        self.assertEqual(self.show()["restic_check_success"], 2)

    def test_size(self) -> None:
        """The size of all packs is shown where it is listed."""
        self.collect()
        status = self.collector.state.statuses["/p"]
        status.size = Measured(Size(123, 4), NOW)
        self.assertEqual(self.show()["restic_size_total"], 123)

    def test_failed_reads(self) -> None:
        """A failed read keeps the values; a repository that was never read has none."""
        before = self.show()
        self.world.storage.list_error = ReadError(Reason.NETWORK, "refused")
        self.assertEqual(self.show(), before)
        other = world("/q")
        other.storage.list_error = ReadError(Reason.NETWORK, "refused")
        self.use(other)
        self.assertEqual(self.show(), {})

    def test_never_newest(self) -> None:
        """A client without a usable snapshot has a count and no time."""
        self.world.storage.snapshots = [evolve(made(1), time=None)]
        found = self.show()
        self.assertEqual(found["restic_backup_snapshots_total"], 1)
        self.assertNotIn("restic_backup_timestamp", found)

    def test_openmetrics(self) -> None:
        """The names that look like counters are gauges in either format."""
        self.page.compat = Compat()
        self.collect()
        self.assertLessEqual(NAMES, {one.name for one in self.samples(openmetrics=True)})

    def test_several(self) -> None:
        """With several repositories the label ``url`` tells their clients apart."""
        self.use(self.world, world("/q", made(3)))
        self.page.compat = Compat()
        self.collect()
        counts = {
            one.labels["url"]: one.value
            for one in self.samples()
            if one.name == "restic_backup_snapshots_total"
        }
        self.assertEqual(counts, {"/p": 2, "/q": 1})
