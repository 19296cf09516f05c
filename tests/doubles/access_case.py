"""Collections of one repository by both readers, for tests with real servers and programs."""

import os
import time
from typing import Any

from twisted.internet import reactor as default_reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from restic_reporter.collection.collector import Collector
from restic_reporter.collection.state import RepositoryStatus, Task
from restic_reporter.concurrency.cpu_threads import WorkerThreads
from restic_reporter.concurrency.daemon_threads import KeyedThreads
from restic_reporter.http import BoundedHTTPClient
from restic_reporter.interfaces import BackendTools, IBackend, ISnapshotReader
from restic_reporter.model.errors import Reason
from restic_reporter.model.repository import Repository
from restic_reporter.readers import access
from restic_reporter.readers.native import NativeReader
from restic_reporter.readers.restic import ResticReader
from tests.doubles.programs import Folder
from tests.doubles.tools import tool

reactor: Any = default_reactor


class AccessCase(TestCase):
    """Collections of one repository."""

    timeout = 120

    def setUp(self) -> None:
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.workers = WorkerThreads(reactor, 2)
        self.addCleanup(self.workers.stop)
        self.http = BoundedHTTPClient(reactor)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.http.close()))
        self.tools = BackendTools(reactor, self.http, KeyedThreads(reactor))

    def let_days_pass(self) -> None:
        """From now on a day passes between any two collections."""
        self.patch(access, "LOOK_EVERY", 0.0)

    def readers(self) -> list[ISnapshotReader]:
        """Both readers."""
        environ = {"PATH": os.environ["PATH"]}
        return [
            ResticReader(reactor, tool("restic-0.18"), environ),
            NativeReader(reactor, {}, self.workers),
        ]

    def use(self, backend: IBackend, reader: ISnapshotReader, entry: Repository) -> None:
        """Collect this repository from now on."""
        self.collector = Collector(reactor, time.time, 1)
        task = Task(entry, entry.scheme, backend, reader, 60.0)
        self.collector.set_tasks({entry.url: task})

    async def collect(self) -> RepositoryStatus:
        """Collect; what is known then."""
        await self.collector.collect()
        [status] = self.collector.state.statuses.values()
        return status

    async def assert_read(self, count: int) -> None:
        """The next collection reads it well."""
        status = await self.collect()
        assert status.content is not None
        self.assertEqual((status.success, status.failures), (True, {}))
        self.assertEqual(status.content.snapshot_count, count)

    async def assert_not_read(self, reason: Reason, count: int) -> None:
        """The next collection fails for this reason, and keeps what is shown."""
        status = await self.collect()
        assert status.content is not None
        self.assertEqual((status.success, status.failures), (False, {reason: 1}))
        self.assertEqual(status.content.snapshot_count, count)
        status.failures.clear()
