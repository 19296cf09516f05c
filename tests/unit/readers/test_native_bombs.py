"""Tests of repositories made to harm whoever reads them, and of those beside them."""

import tracemalloc
from typing import Any

from twisted.internet import reactor as default_reactor
from twisted.trial.unittest import TestCase

from restic_reporter.collection.collector import Collector
from restic_reporter.collection.state import RepositoryStatus, Task
from restic_reporter.concurrency.cpu_threads import WorkerThreads
from restic_reporter.model.errors import Reason
from restic_reporter.readers.native import NativeReader
from tests.doubles.native_repositories import (
    PASSWORD,
    SealedRepository,
    compressed,
    empty_frame,
    seal,
    snapshot_json,
)
from tests.doubles.repositories import NOW, repository

reactor: Any = default_reactor


class BombTests(TestCase):
    """Collections with one worker thread."""

    timeout = 120

    def setUp(self) -> None:
        self.workers = WorkerThreads(reactor, 1)
        self.addCleanup(self.workers.stop)
        self.reader = NativeReader(reactor, {}, self.workers)
        self.collector = Collector(reactor, lambda: NOW, 8)

    async def collect(self, *sources: SealedRepository) -> list[RepositoryStatus]:
        """Collect these once; what is known of each."""
        tasks = {
            f"/{number}": Task(repository(f"/{number}", PASSWORD), "x", source, self.reader, 60.0)
            for number, source in enumerate(sources)
        }
        self.collector.set_tasks(tasks)
        await self.collector.collect()
        return [self.collector.state.statuses[label] for label in tasks]

    async def test_beside_frames(self) -> None:
        """Files of 400,000 empty frames fail their own repository, and delay no other."""
        bad = [SealedRepository.made(1) for _ in range(2)]
        for source in bad:
            for number in range(5):
                content = b"\2" + empty_frame() * 400_000 + bytes([number])
                source.add("snapshots", seal(source.master, content))
        good = [SealedRepository.made(30) for _ in range(6)]
        statuses = await self.collect(*bad, *good)
        self.assertEqual([one.failures for one in statuses[:2]], [{Reason.PARTIAL: 1}] * 2)
        self.assertEqual([one.success for one in statuses[2:]], [True] * 6)

    async def test_names(self) -> None:
        """Host names of megabytes cost the memory of a few, and stay apart."""
        source = SealedRepository.made()
        for number in range(40):
            host = "h" * 4_000_000 + str(number)
            source.add_snapshot(snapshot_json(hostname=host), compress=True)
        tracemalloc.start()
        try:
            [status] = await self.collect(source)
            kept, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert status.content is not None
        self.assertEqual(len({one.host for one in status.content.sets}), 40)
        self.assertLess(most, 60 * 2**20)
        self.assertLess(kept, 2**20)

    async def test_invalid_beside_good(self) -> None:
        """Snapshots with too much in them are invalid; the others of their repository show."""
        source = SealedRepository.made(3)
        for number in range(5):
            text = b'{"n":%d,"hostname":"h","a":[' % number + b"[]," * 10**6 + b"0]}"
            source.add("snapshots", seal(source.master, compressed(text)))
        [status] = await self.collect(source)
        assert status.content is not None
        content = status.content
        self.assertEqual((content.snapshot_count, content.invalid_count), (8, 5))
        self.assertEqual([(one.host, one.snapshot_count) for one in content.sets], [("h", 3)])

    async def test_large_files(self) -> None:
        """Files beyond the usual are fetched one at a time, and read like any other."""
        source = SealedRepository.made(concurrent_loads=8)
        paths = [f"/home/user/some/path/number/{number:07}" for number in range(200_000)]
        for number in range(4):
            source.add_snapshot(snapshot_json(hostname=str(number), paths=paths))
        [status] = await self.collect(source)
        assert status.content is not None
        self.assertEqual([one.host for one in status.content.sets], ["0", "1", "2", "3"])
