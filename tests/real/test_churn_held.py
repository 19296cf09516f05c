"""Tests of reads during which all snapshots are replaced at the worst moment."""

import random

from attrs import evolve

from restic_reporter.backends.rest import RestBackend
from restic_reporter.collection.collector import Collector
from restic_reporter.collection.state import Task
from restic_reporter.redaction.secret import Secret
from tests.doubles.churn import NOW, Operations, reactor
from tests.doubles.churn_storages import RestStorage
from tests.doubles.held_proxy import HeldProxy
from tests.doubles.repositories import settings_for
from tests.real.test_churn import ChurnCase


class HeldTests(ChurnCase):
    """Both readers and a REST server, with ``restic tag`` run to its end while one waits."""

    def setUp(self) -> None:
        super().setUp()
        self.storage = RestStorage(self.folder, 62)
        found = Operations(self.storage, random.Random(1)).found.values()
        self.names = sorted(name for name, _ in found)

    async def assert_whole(self, reader: str, call: str, *numbers: int) -> None:
        """Every host has all its snapshots, though all change at ``numbers`` of ``call``."""
        changed = []

        def hold(asked: str, number: int) -> None:
            if asked == call and number in numbers:
                changed.append(self.storage.restic("tag", "--set", f"{reader} {call} {number}"))

        proxy = HeldProxy(self.storage.location.split("/")[2], hold)
        self.addCleanup(proxy.close)
        entry = evolve(
            self.storage.entry(),
            url=proxy.url,
            location=Secret(proxy.url),
            settings=settings_for(proxy.url),
        )
        backend = RestBackend.make(entry, self.tools)
        collector = Collector(reactor, lambda: NOW, 1)
        collector.set_tasks({entry.url: Task(entry, "rest", backend, self.reader(reader), 60.0)})
        await collector.collect()
        [status] = collector.state.statuses.values()
        self.assertEqual(len(changed), len(numbers))
        self.assertEqual((status.success, status.failures), (True, {}))
        assert status.content is not None
        self.assertEqual(status.content.snapshot_count, len(self.names))
        shown = [
            (one.host, one.user) for one in status.content.sets for _ in range(one.snapshot_count)
        ]
        self.assertEqual(sorted(shown), self.names)

    async def test_download(self) -> None:
        """The first snapshot file is asked for: none of those listed is there any more."""
        for reader in ("restic", "native"):
            await self.assert_whole(reader, "load", 1)

    async def test_first_listing(self) -> None:
        """The first listing was made, and not been given yet."""
        for reader in ("restic", "native"):
            await self.assert_whole(reader, "list", 1)

    async def test_second_listing(self) -> None:
        """The second listing was made, and not been given yet."""
        for reader in ("restic", "native"):
            await self.assert_whole(reader, "list", 2)

    async def test_download_and_listing(self) -> None:
        """The change that hides one listing is followed by one that hides the next."""
        for reader in ("restic", "native"):
            await self.assert_whole(reader, "load", 1, 2)
