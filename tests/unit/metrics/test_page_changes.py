"""Tests of a metrics page after changes."""

import gc
import weakref
from collections.abc import Iterator
from typing import Any

from attrs import evolve

from restic_reporter.collection.result_book import ResultBook
from restic_reporter.collection.state import Measured, RepositoryStatus
from restic_reporter.metrics import repository_samples
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.model.results import Result
from restic_reporter.model.upkeep import Size
from tests.doubles.metrics_case import PageCase
from tests.doubles.repositories import NOW, World, name, snapshot


class ChangesTests(PageCase):
    """What a collection changes, and what is kept of the lines before."""

    def test_removed(self) -> None:
        """A repository that left the config is gone after the next collection."""
        other = World.make("/q")
        self.use(self.world, other)
        self.collect()
        self.use(other)
        self.assertTrue(self.names("/p"))
        self.collect()
        self.assertEqual(self.names("/p"), set())
        self.assertTrue(self.names("/q"))

    def test_forgotten(self) -> None:
        """Nothing of it is kept then."""
        task = weakref.ref(self.world.task)
        self.collect()
        self.names("/p")
        del self.world
        self.use(World.make("/q"))
        self.collect()
        self.names("/q")
        gc.collect()
        self.assertIsNone(task())

    def test_changes_show(self) -> None:
        """What a collection changes is on the next page, with and without `prepare`."""
        for prepare in (False, True):
            if prepare:
                self.collector.on_read = self.page.prepare
            self.world.storage.snapshots = [snapshot(1)]
            self.collect()
            self.assertEqual(self.values("backup_snapshot_count"), [1])
            self.world.storage.snapshots = [snapshot(1), snapshot(2)]
            self.collect()
            self.assertEqual(self.values("backup_snapshot_count"), [2])

    def test_unchanged_content(self) -> None:
        """The content's lines are made anew only when the content has changed."""
        made: list[RepositoryStatus] = []
        make = repository_samples.content_samples

        def counted(url: str, status: RepositoryStatus, watched: Any) -> Iterator[Any]:
            made.append(status)
            return make(url, status, watched)

        self.patch(repository_samples, "content_samples", counted)
        self.collector.on_read = self.page.prepare
        self.world.storage.locks = 1
        for snapshots in (2, 2, 2, 3):
            self.world.storage.snapshots = [snapshot(number) for number in range(snapshots)]
            self.collect()
            self.assertEqual(self.values("backup_snapshot_count"), [snapshots])
        self.assertEqual(len(made), 2)

    def test_keys_show(self) -> None:
        """The keys and the version show as soon as they are known."""
        self.collect()
        self.assertEqual(self.values("backup_key_count"), [])
        self.assertEqual(self.values("backup_newest_key_timestamp_seconds"), [])
        self.assertEqual(self.values("backup_repository_info", version=""), [1])
        keys = self.world.storage.keys
        self.world.backend.shows_keys, self.world.backend.key_times = True, {keys[0]: NOW - 9}
        self.collect()
        self.assertEqual(self.values("backup_key_count"), [1])
        self.assertEqual(self.values("backup_newest_key_timestamp_seconds"), [NOW - 9])
        self.world.backend.key_times = {keys[0]: NOW - 7}
        self.collect()
        self.assertEqual(self.values("backup_newest_key_timestamp_seconds"), [NOW - 7])
        keys.append(name(98))
        self.world.reader.version = "1"
        self.collect()
        self.assertEqual(self.values("backup_key_count"), [2])
        self.assertEqual(self.values("backup_repository_info", version="1"), [1])

    def test_locks_and_names_show(self) -> None:
        """What changes beside the content shows too."""
        for locks, reader in ((1, "memory"), (3, "memory"), (3, "other")):
            self.world.storage.locks = locks
            with self.subTest(f"{locks} {reader}"):
                if reader != self.world.task.backend_name:
                    self.world.task = evolve(self.world.task, backend_name=reader)
                    self.use(self.world)
                self.collect()
                self.assertEqual(self.values("backup_lock_count"), [locks])
                self.assertEqual(self.values("backup_repository_info", backend=reader), [1])

    def test_size_shows(self) -> None:
        """The size is on the next page, without another read."""
        names = ("backup_repository_stored_bytes", "backup_repository_pack_count")
        self.collect()
        status = self.collector.state.statuses["/p"]
        self.assertEqual([self.values(one) for one in names], [[], []])
        status.size = Measured(Size(5 * 10**12, 300_000), self.now)
        status.revision += 1
        self.assertEqual([self.values(one, url="/p") for one in names], [[5e12], [300_000]])

    def test_results_show(self) -> None:
        """A result is on the next page, with and without `prepare`, once the repository is."""
        book = ResultBook(self.collector.state)
        book.add("/p", Result("check", self.now - 0.5, 3))
        self.assertEqual(self.values("backup_result_success"), [])
        self.world.storage.list_error = ReadError(Reason.NETWORK, "refused")
        self.collect()
        self.assertEqual(self.values("backup_result_success", url="/p", kind="check"), [0])
        name = "backup_result_timestamp_seconds"
        self.assertEqual(self.values(name, url="/p", kind="check"), [self.now - 0.5])
        book.add("/p", Result("check", self.now, 0))
        book.add("/p", Result("prune", self.now, 1))
        for _ in range(2):
            self.assertEqual(self.values("backup_result_success", kind="check"), [1])
            self.assertEqual(self.values("backup_result_success", kind="prune"), [0])
            self.page.prepare(self.collector.state.statuses["/p"])
