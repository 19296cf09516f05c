"""Tests of `restic_reporter.collection.copies`, in collections."""

from math import inf

from attrs import evolve

from restic_reporter.collection import copies
from restic_reporter.collection.state import RepositoryStatus
from restic_reporter.concurrency import cooperative
from restic_reporter.model.copies import SetCopy
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.model.snapshot_table import SnapshotTable
from restic_reporter.redaction.secret import Secret
from tests.doubles.collector_case import CollectorCase
from tests.doubles.copy_worlds import DAY, HOUR, backup, change, copied_worlds, copy_of, found
from tests.doubles.repositories import NOW, TurnClock, World

COMPLETE = SetCopy(0.0, 0)


class CopiesCase(CollectorCase):
    """A repository with one copy, both with two snapshots."""

    def setUp(self) -> None:
        super().setUp()
        self.source, self.copy = copied_worlds(World.make("/0"), World.make("/1"))
        first, second = backup(1, 2), backup(2, 1)
        self.source.storage.snapshots[:] = [first, second]
        self.copy.storage.snapshots[:] = [copy_of(first, 11), copy_of(second, 12)]
        self.use(self.source, self.copy)

    def found(self, source: str = "/0", copy: str = "/1") -> SetCopy | None:
        """How much the copy has of the only set."""
        return found(self.status(source), copy)


class ComparisonTests(CopiesCase):
    """What is compared, and when."""

    def test_complete(self) -> None:
        """A copy with all snapshots is complete."""
        self.collect()
        self.assertEqual(self.found(), COMPLETE)
        self.assertEqual(self.status("/1").copies, {})

    def test_told(self) -> None:
        """Who shows a status is told of the comparison, after the reads."""
        seen: list[tuple[str, SetCopy | None, int]] = []

        def note(status: RepositoryStatus) -> None:
            seen.append((status.task.repository.url, found(status), status.revision))

        self.collector.on_read = note
        self.collect()
        self.assertEqual(seen[:2], [("/0", None, 1), ("/1", None, 1)])
        self.assertEqual(seen[2:], [("/0", COMPLETE, 2)])

    def test_source_changes(self) -> None:
        """A new snapshot of the source waits; the copy need not be read for it."""
        self.collect()
        self.source.storage.snapshots.append(backup(3, 0.5))
        self.collect({"/0"})
        self.assertEqual(self.found(), SetCopy(DAY / 2, 1, NOW - DAY / 2))

    def test_copy_changes(self) -> None:
        """A snapshot that was copied or removed there shows, without a read of the source."""
        self.source.storage.snapshots.append(backup(3, 0.5))
        self.collect()
        self.copy.storage.snapshots.append(copy_of(self.source.storage.snapshots[-1], 13))
        reads = self.source.backend.listings
        self.collect({"/1"})
        self.assertEqual(self.found(), COMPLETE)
        del self.copy.storage.snapshots[0]
        self.collect({"/1"})
        self.assertEqual(self.found(), SetCopy(0.0, 1))
        self.copy.storage.snapshots.clear()
        self.collect({"/1"})
        self.assertEqual(self.found(), SetCopy(inf, 3, NOW - 2 * DAY))
        self.assertEqual(self.source.backend.listings, reads)

    def test_unchanged(self) -> None:
        """While nothing changes, nothing is compared again."""
        self.collect()
        before, revision = self.status().copies, self.status().revision
        self.collect()
        self.assertIs(self.status().copies, before)
        self.assertEqual(self.status().revision, revision + 1)

    def test_copy_fails(self) -> None:
        """While the copy cannot be read, its last good read is what the source is compared with."""
        self.collect()
        self.copy.storage.list_error = ReadError(Reason.NETWORK, "refused")
        self.collect()
        self.assertEqual(self.found(), COMPLETE)
        self.source.storage.snapshots.append(backup(3, 0.5))
        self.collect()
        self.assertEqual(self.found(), SetCopy(DAY / 2, 1, NOW - DAY / 2))

    def test_never_read(self) -> None:
        """A copy that was never read says nothing about the source."""
        self.copy.storage.list_error = ReadError(Reason.NETWORK, "refused")
        self.collect()
        self.assertEqual(self.status().copies, {})
        self.copy.storage.list_error = None
        self.collect()
        self.assertEqual(self.found(), COMPLETE)

    def test_half_a_read(self) -> None:
        """What a failed read of the copy has found counts after the next good one."""
        self.source.storage.snapshots.append(backup(3, 0.5))
        self.collect()
        self.copy.storage.snapshots.append(copy_of(self.source.storage.snapshots[-1], 13))
        self.copy.storage.snapshots.append(backup(14, 0.1))
        self.copy.storage.unread.add(self.copy.storage.snapshots[-1].id)
        self.source.storage.snapshots.append(backup(4, 0.25))
        self.collect()
        self.assertFalse(self.status("/1").success)
        self.assertEqual(self.found(), SetCopy(0.75 * DAY, 2, NOW - DAY / 2))

    def test_lost_table(self) -> None:
        """A table without the snapshots of the last good read is no empty repository."""
        self.collect()
        self.status("/1").table = SnapshotTable(self.copy.task.repository.shape)
        self.source.storage.snapshots.append(backup(3, 0.5))
        self.collect({"/0"})
        self.assertEqual(self.found(), COMPLETE)

    def test_without_backend(self) -> None:
        """Repositories that only the reader can list are compared too."""
        others = copied_worlds(World.make("/0", listed=False), World.make("/1", listed=False))
        for old, new in zip((self.source, self.copy), others, strict=True):
            new.storage.snapshots[:] = old.storage.snapshots
        self.use(*others)
        self.collect()
        self.assertEqual(self.found(), COMPLETE)
        del others[1].storage.snapshots[-1]
        self.collect()
        self.assertEqual(self.found(), SetCopy(DAY, 1, NOW - DAY))

    def test_matured(self) -> None:
        """A snapshot from the future counts from its time on."""
        self.source.storage.snapshots.append(backup(3, -0.5))
        self.collect()
        self.assertEqual(self.found(), COMPLETE)
        self.clock.advance(13 * HOUR)
        self.collect()
        self.assertEqual(self.found(), SetCopy(1.5 * DAY, 1, NOW + DAY / 2))

    def test_several(self) -> None:
        """A repository has several copies, and a copy has one; one may be that of several."""
        third = World.make("/2")
        third.storage.snapshots[:] = [copy_of(self.copy.storage.snapshots[0], 21)]
        change(self.source, "/1", "/2")
        change(self.copy, "/2")
        change(third)
        self.use(self.source, self.copy, third)
        self.collect()
        behind = SetCopy(DAY, 1, NOW - DAY)
        self.assertEqual(self.found(), COMPLETE)
        self.assertEqual(self.found(copy="/2"), behind)
        self.assertEqual(self.found("/1", "/2"), behind)

    def test_cancelled(self) -> None:
        """A collection can be cancelled while it compares."""
        self.patch(cooperative, "TURN", -1.0)
        self.patch(copies, "_FEW", 0)
        self.clock = TurnClock()
        self.make(8)
        self.use(self.source, self.copy)
        ended = self.collector.collect()
        while self.job.left:
            self.clock.advance(1)
        self.assertNoResult(ended)
        ended.cancel()
        self.assertIsNone(self.successResultOf(ended))
        self.assertIn("collection cancelled", self.logged())
        self.assertFalse(self.job.running)


class ConfigTests(CopiesCase):
    """Changes of the config."""

    def test_new_key(self) -> None:
        """Repositories that begin to take part are read anew, once, and compared."""
        change(self.source, identified=False)
        change(self.copy, identified=False)
        self.use(self.source, self.copy)
        self.collect()
        change(self.source, "/1")
        change(self.copy)
        self.use(self.source, self.copy)
        self.collect()
        self.assertEqual(self.found(), COMPLETE)
        self.assertEqual((self.source.reader.reads, self.copy.reader.reads), (2, 2))

    def test_new_key_while_unreadable(self) -> None:
        """A copy that cannot be read just then says nothing, though its sets are known."""
        change(self.source, identified=False)
        change(self.copy, identified=False)
        self.use(self.source, self.copy)
        self.collect()
        change(self.source, "/1")
        change(self.copy)
        self.use(self.source, self.copy)
        self.copy.storage.list_error = ReadError(Reason.NETWORK, "refused")
        self.collect()
        self.assertIsNotNone(self.status("/1").content)
        self.assertEqual(self.status().copies, {})

    def test_another_copy(self) -> None:
        """A copy that others have already is compared at the next collection, unchanged."""
        third = World.make("/2")
        change(third)
        self.use(self.source, self.copy, third)
        self.collect()
        change(self.source, "/1", "/2")
        self.use(self.source, self.copy, third)
        self.collect()
        self.assertEqual(self.found(copy="/2"), SetCopy(inf, 2, NOW - 2 * DAY))
        self.assertEqual(self.found(), COMPLETE)
        change(self.source, "/2")
        self.use(self.source, self.copy, third)
        self.source.storage.snapshots.append(backup(3, 0.5))
        self.collect()
        self.assertEqual(set(self.status().copies), {"/2"})

    def test_removed(self) -> None:
        """A copy whose entry was removed is compared no more, and has no status."""
        self.collect()
        change(self.source)
        self.use(self.source)
        self.source.storage.snapshots.append(backup(3, 0.5))
        self.collect()
        self.assertEqual(self.found(), COMPLETE)
        self.assertEqual(self.source.task.repository.copies, ())

    def test_another_password(self) -> None:
        """After a change of the copy's entry the values stay until it was read again."""
        self.collect()
        repository = evolve(self.copy.task.repository, password=Secret("other"))
        self.copy.task = evolve(self.copy.task, repository=repository)
        self.copy.storage.list_error = ReadError(Reason.AUTH, "wrong password")
        self.use(self.source, self.copy)
        self.source.storage.snapshots.append(backup(3, 0.5))
        self.collect()
        self.assertEqual(self.found(), COMPLETE)
        self.copy.storage.list_error = None
        self.collect()
        self.assertEqual(self.found(), SetCopy(DAY / 2, 1, NOW - DAY / 2))
