"""What tests of the native reader have in common."""

from collections.abc import Container, Sequence
from typing import Any

from attrs import Factory, define, evolve
from twisted.internet import reactor as default_reactor
from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import TestCase

from restic_reporter.concurrency.cpu_threads import WorkerThreads
from restic_reporter.concurrency.deadline import Deadline, within
from restic_reporter.interfaces import IBackend, Memory
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.model.snapshot_table import SnapshotTable
from restic_reporter.model.snapshots import Listing, Meter
from restic_reporter.readers.access import look_at_access
from restic_reporter.readers.cache import SnapshotCache
from restic_reporter.readers.native import NativeReader
from restic_reporter.readers.native import unlock as opening
from restic_reporter.readers.native.key_file import KeyFile, open_key_file
from restic_reporter.redaction.secret import Secret
from restic_reporter.testing import read_request
from tests.doubles.native_repositories import PASSWORD, SealedRepository
from tests.doubles.programs import PATIENCE
from tests.doubles.repositories import Outcome, outcome, repository

NOW = 1_800_000_000.0

reactor: Any = default_reactor


@define
class Kept(Memory):
    """What is kept of a repository between reads, the table included."""

    table: SnapshotTable = Factory(SnapshotTable)


class NativeCase(TestCase):
    """A native reader, and what it does."""

    def setUp(self) -> None:
        self.workers = WorkerThreads(reactor, 2)
        self.addCleanup(self.workers.stop)
        self.reader = NativeReader(reactor, {}, self.workers)
        self.memory = Kept()
        self.derived: list[str] = []
        self.patch(opening, "open_key_file", self._derive)
        self.lines: list[str] = []
        observer: Any = self._log
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def _derive(self, key_file: KeyFile, password: bytes) -> bytes | None:
        self.derived.append(key_file.name)
        return open_key_file(key_file, password)

    def _log(self, event: Any) -> None:
        if event.get("log_format"):
            self.lines.append(event["log_format"].format(**event))

    def derivations(self) -> Sequence[str]:
        """The key files tried since this was last asked, in their order."""
        derived, self.derived = self.derived, []
        return derived

    def use_cache(self, directory: str) -> None:
        """Read with a cache from now on."""
        self.reader = NativeReader(reactor, {}, self.workers, SnapshotCache(reactor, directory))

    def read(
        self,
        backend: IBackend,
        listing: Listing | None = None,
        password: Any = PASSWORD,
        hint: str | None = None,
        now: float = NOW,
        known: Container[tuple[str, str]] = frozenset(),
        seconds: float = PATIENCE,
    ) -> "Deferred[Outcome]":
        """Read, as the collection does after it has listed."""
        deadline = Deadline.after(reactor, seconds)

        async def work() -> Outcome:
            found = listing
            if found is None:
                found = await backend.list(deadline, Meter())
            entry = evolve(
                repository("label"),
                password=Secret(password) if isinstance(password, str) else password,
                key_hint=hint,
            )
            kept = self.memory
            access = None
            if found.keys is not None or found.snapshots != set(kept.table.ids()):
                access = await look_at_access(backend, found, deadline, Meter())
            request = read_request(entry, deadline, backend, found, kept, known, kept.table, access)
            return await outcome(self.reader, request, now)

        return Deferred.fromCoroutine(within(deadline, work(), "reading"))

    async def assert_fails(self, backend: SealedRepository, reason: Reason, **options: Any) -> str:
        """Reading fails for this reason; the message."""
        error: Any = await self.assertFailure(self.read(backend, **options), ReadError)
        self.assertEqual(error.reason, reason, error.message)
        self.assertNotIn(PASSWORD, error.message)
        message: str = error.message
        return message
