"""Tests that nothing is shown that was never true, however a repository changes meanwhile."""

import os
import random
from typing import Any

from twisted.internet import reactor as default_reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from restic_reporter.concurrency.cpu_threads import WorkerThreads
from restic_reporter.concurrency.daemon_threads import KeyedThreads
from restic_reporter.http import BoundedHTTPClient
from restic_reporter.interfaces import BackendTools, ISnapshotReader
from restic_reporter.readers.native import NativeReader
from restic_reporter.readers.restic import ResticReader
from tests.doubles.churn import Operations, churn
from tests.doubles.churn_storages import STORAGES
from tests.doubles.programs import Folder
from tests.doubles.tools import tool

reactor: Any = default_reactor

SNAPSHOTS = 100
OPERATIONS = 6


class ChurnCase(TestCase):
    """A folder, both readers, and what they need."""

    timeout = 120

    def setUp(self) -> None:
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.workers = WorkerThreads(reactor, 2)
        self.addCleanup(self.workers.stop)
        self.http = BoundedHTTPClient(reactor)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.http.close()))
        self.tools = BackendTools(reactor, self.http, KeyedThreads(reactor))

    def reader(self, name: str) -> ISnapshotReader:
        """One of the readers."""
        if name == "native":
            return NativeReader(reactor, {}, self.workers)
        return ResticReader(reactor, tool("restic-0.18"), {"PATH": os.environ["PATH"]})


class ChurnTests(ChurnCase):
    """Real restics back up, tag, rewrite, forget and prune while the collector reads."""

    async def assert_true(self, storage: str, reader: str) -> None:
        """Each page shows what was true at one moment of its read, and nothing else."""
        place = STORAGES[storage](self.folder, SNAPSHOTS)
        operations = Operations(place, random.Random(f"{storage} {reader}"))
        verdict = await churn(place, self.reader(reader), self.tools, operations, OPERATIONS)
        self.assertEqual(verdict.wrong, {}, "\n".join(verdict.examples))
        self.assertGreaterEqual(verdict.busy, 3)

    async def test_local_restic(self) -> None:
        """A folder, read by restic."""
        await self.assert_true("local", "restic")

    async def test_local_native(self) -> None:
        """A folder, read natively."""
        await self.assert_true("local", "native")

    async def test_rest_restic(self) -> None:
        """A rest-server, read by restic."""
        await self.assert_true("rest", "restic")

    async def test_rest_native(self) -> None:
        """A rest-server, read natively."""
        await self.assert_true("rest", "native")

    async def test_b2_restic(self) -> None:
        """B2, read by restic."""
        await self.assert_true("b2", "restic")

    async def test_b2_native(self) -> None:
        """B2, read natively."""
        await self.assert_true("b2", "native")
