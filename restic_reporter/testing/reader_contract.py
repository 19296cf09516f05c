"""Tests of the `ISnapshotReader` contract, which each reader must pass."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from zope.interface.verify import verifyObject

from ..concurrency.cooperative import at_once
from ..concurrency.deadline import Deadline
from ..interfaces import IBackend, ISnapshotReader, Memory, ReadRequest, ReadResult
from ..model.repository import Repository
from ..model.snapshot_table import SnapshotTable
from ..model.snapshots import Listing, Meter
from ..readers.access import look_at_access
from .memory_reader import read_request

if TYPE_CHECKING:
    from twisted.trial.unittest import TestCase as _Base
else:
    _Base = object

# Seconds; a test that takes longer hangs.
TIMEOUT = 60.0

OLD, NEW = (datetime(2025, month, 1, tzinfo=UTC).timestamp() for month in (1, 2))
NOW = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


class ReaderContractTests(_Base):
    """
    Tests of one reader, for a class like ``class MyTests(ReaderContractTests, TestCase)``.

    Each test begins with a repository without snapshots. A reader's own tests must implement
    the methods that raise `NotImplementedError`.
    """

    timeout = TIMEOUT

    def make_reader(self) -> ISnapshotReader:
        """Return the reader; called at least once for each test."""
        raise NotImplementedError

    def make_entry(self) -> Repository:
        """Return the repository's entry in a config."""
        raise NotImplementedError

    def make_backend(self) -> IBackend:
        """Return the repository's backend."""
        raise NotImplementedError

    def add(self, host: str, user: str, time: float) -> str:
        """Add a snapshot with ``time`` in Unix seconds; return its id."""
        raise NotImplementedError

    def remove(self, snapshot: str) -> None:
        """Remove a snapshot."""
        raise NotImplementedError

    def damage(self, snapshot: str) -> None:
        """Make a snapshot unreadable."""
        raise NotImplementedError

    def hold(self) -> None:
        """
        Let no read end from now on.

        Not needed for a reader that takes at least one turn of the reactor.
        """

    def contents(self) -> object:
        """Return a value that changes if anything is written to the repository."""
        raise NotImplementedError

    # A reader's own tests need nothing from here on.

    async def _request(
        self, table: SnapshotTable, memory: Memory, listing: Listing | None = None
    ) -> ReadRequest:
        """Return the collection's request after a listing."""
        clock: Any = reactor
        deadline = Deadline.after(clock, TIMEOUT)
        backend = self.make_backend()
        if listing is None:
            listing = await backend.list(deadline, Meter())
        access = await look_at_access(backend, listing, deadline, Meter())
        return read_request(
            self.make_entry(), deadline, backend, listing, memory, frozenset(), table, access
        )

    async def _read(
        self,
        reader: ISnapshotReader,
        table: SnapshotTable,
        memory: Memory | None = None,
        listing: Listing | None = None,
    ) -> ReadResult:
        return await reader.read(await self._request(table, memory or Memory(), listing))

    def _assert_has(self, table: SnapshotTable, ids: Iterable[str]) -> None:
        self.assertEqual(set(table.ids()), set(ids))

    def _sets(self, table: SnapshotTable) -> set[tuple[str, str, int, float | None, float | None]]:
        """Return host, user, count, newest and oldest of each set."""
        return {
            (one.host, one.user, one.snapshot_count, one.newest, one.oldest)
            for one in at_once(table.content(NOW, frozenset())).sets
        }

    def test_interface(self) -> None:
        """It is an `ISnapshotReader`."""
        self.assertTrue(verifyObject(ISnapshotReader, self.make_reader()))

    async def test_values(self) -> None:
        """Hosts, users and times are those of the snapshots, and nothing is written."""
        ids = {self.add("a", "u", NEW), self.add("a", "u", OLD), self.add("b", "ü v", OLD)}
        before, table = self.contents(), SnapshotTable()
        result = await self._read(self.make_reader(), table)
        self.assertEqual(self.contents(), before)
        self._assert_has(table, ids)
        self.assertEqual(
            self._sets(table),
            {("a", "u", 2, NEW, OLD), ("b", "ü v", 1, OLD, OLD)},
        )
        self.assertEqual((result.unreadable, result.stopped), (frozenset(), False))
        self.assertEqual(result.nameless, 0)
        self.assertIn(result.seen, (None, ids))

    async def test_open(self) -> None:
        """Opening a repository reads no snapshot, also a damaged one, and writes nothing."""
        self.damage(self.add("a", "u", OLD))
        before, table = self.contents(), SnapshotTable()
        await self.make_reader().open(await self._request(table, Memory()))
        self._assert_has(table, ())
        self.assertEqual(self.contents(), before)

    async def test_empty(self) -> None:
        """A repository without snapshots can be read."""
        table = SnapshotTable()
        result = await self._read(self.make_reader(), table)
        self._assert_has(table, ())
        self.assertEqual((result.unreadable, result.stopped), (frozenset(), False))

    async def test_new(self) -> None:
        """New snapshots are added to the table; the others stay unchanged."""
        reader, table, memory = self.make_reader(), SnapshotTable(), Memory()
        first = self.add("a", "u", OLD)
        await self._read(reader, table, memory)
        self._assert_has(table, {first})
        second = self.add("b", "u", NEW)
        await self._read(reader, table, memory)
        self._assert_has(table, {first, second})
        self.remove(first)
        await self._read(reader, table, memory)
        self._assert_has(table, {second})
        self.assertEqual(self._sets(table), {("b", "u", 1, NEW, NEW)})

    async def test_vanished(self) -> None:
        """A snapshot removed after the listing is no error, and not unreadable."""
        stays, goes = self.add("a", "u", OLD), self.add("b", "u", OLD)
        clock: Any = reactor
        listing = await self.make_backend().list(Deadline.after(clock, TIMEOUT), Meter())
        self.assertEqual(set(listing.snapshots), {stays, goes})
        self.remove(goes)
        table = SnapshotTable()
        result = await self._read(self.make_reader(), table, listing=listing)
        self.assertEqual(result.unreadable, frozenset())
        self._assert_has(table, {stays})

    async def test_unreadable(self) -> None:
        """Each read names the unreadable snapshots and reads the others."""
        good, bad = self.add("a", "u", OLD), self.add("b", "u", OLD)
        self.damage(bad)
        reader, table, memory = self.make_reader(), SnapshotTable(), Memory()
        for _ in range(2):
            result = await self._read(reader, table, memory)
            self.assertIn(result.unreadable, ({bad}, {bad[:8]}))
            if not result.stopped:
                self._assert_has(table, {good})
        self.remove(bad)
        result = await self._read(reader, table, memory)
        self.assertEqual(result.unreadable, frozenset())
        self._assert_has(table, {good})

    async def test_memory(self) -> None:
        """It reads the same with an empty memory or that of another reader."""
        ids = {self.add("a", "u", OLD), self.add("b", "u", NEW)}
        reader, memory = self.make_reader(), Memory()
        for kept in (memory.kept, "another reader's", None):
            memory.kept, table = kept, SnapshotTable()
            await self._read(reader, table, memory)
            self._assert_has(table, ids)
        await self._read(reader, table, Memory())
        self._assert_has(table, ids)
        self.add("c", "u", NEW)
        await self._read(reader, table, Memory())
        self.assertEqual(len(self._sets(table)), 3)

    async def test_cancelled(self) -> None:
        """A cancelled read ends as cancelled and keeps earlier snapshots."""
        reader, table, memory = self.make_reader(), SnapshotTable(), Memory()
        known = self.add("a", "u", OLD)
        await self._read(reader, table, memory)
        self.add("b", "u", NEW)
        request = await self._request(table, memory)
        before = self.contents()
        self.hold()
        reading = _started(reader, request)
        self.assertNoResult(reading)
        reading.cancel()
        await self.assertFailure(reading, CancelledError)
        self._assert_has(table, {known})
        self.assertEqual(self.contents(), before)


def _started(reader: ISnapshotReader, request: ReadRequest) -> "Deferred[ReadResult]":
    """Start a read, which is an ``async def`` or a Deferred."""

    async def read() -> ReadResult:
        return await reader.read(request)

    return Deferred.fromCoroutine(read())
