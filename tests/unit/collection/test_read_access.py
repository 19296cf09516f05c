"""Tests of how a repository is opened."""

from restic_reporter.model.errors import ReadError, Reason
from tests.doubles.reading_case import ReadingTestCase
from tests.doubles.repositories import name, snapshot


class AccessTests(ReadingTestCase):
    """Keys and config that change while the snapshots do not."""

    def assert_asked(self, number: int) -> None:
        """The reader was asked so often since the last time."""
        self.assertEqual(self.world.reader.reads, number)
        self.world.reader.known.clear()

    def setUp(self) -> None:
        super().setUp()
        self.world.reader.incremental = True
        self.read()
        self.world.reader.known.clear()

    def test_by_reader(self) -> None:
        """A reader that opens the repository at each read makes a look needless."""
        self.world.reader.incremental = False
        self.world.storage.snapshots.append(snapshot(10))
        self.read()
        self.assertEqual(self.world.backend.loads.count("config"), 1)
        self.assert_asked(1)
        for hours, asked in ((22, 0), (1, 1), (23, 0)):
            self.clock.advance(hours * 3600)
            self.read()
            self.assert_asked(asked)

    def test_once_a_day(self) -> None:
        """Where no listing shows them, they are looked at once a day, and nobody is asked."""
        for hours, looks in ((1, 1), (21, 1), (1, 2), (22, 2), (1, 3)):
            self.clock.advance(hours * 3600)
            self.assertTrue(self.read().unchanged)
            self.assertEqual(self.world.backend.loads.count("config"), looks)
        self.assert_asked(0)

    def test_changed(self) -> None:
        """Other keys, or another config, make the reader open the repository anew, once."""
        storage = self.world.storage
        for change in (
            lambda: storage.keys.append(name(98)),
            lambda: storage.keys.pop(0),
            lambda: setattr(storage, "config", b"other"),
        ):
            change()
            self.assertTrue(self.read().unchanged)
            self.clock.advance(23 * 3600)
            self.assertFalse(self.read().unchanged)
            self.assert_asked(1)
            access = self.world.reader.requests[-1].access
            assert access is not None
            self.assertEqual((access.keys, access.config), (set(storage.keys), storage.config))
            self.clock.advance(23 * 3600)
            self.assertTrue(self.read().unchanged)
            self.assert_asked(0)

    def test_shown(self) -> None:
        """Where the listing shows the keys, a change of them is seen at once."""
        self.world.backend.shows_keys = True
        self.assertTrue(self.read().unchanged)
        self.world.storage.keys.append(name(98))
        reading = self.read()
        assert reading.access is not None
        self.assertEqual(reading.access.names, tuple(sorted(self.world.storage.keys)))
        self.assert_asked(1)
        self.assertTrue(self.read().unchanged)

    def test_with_the_snapshots(self) -> None:
        """They are looked at whenever the snapshots have changed."""
        self.world.storage.config = b"other"
        self.world.storage.snapshots.clear()
        self.assertEqual(self.read().content.snapshot_count, 0)
        self.assert_asked(1)

    def test_made_anew(self) -> None:
        """Snapshots that are all gone are believed only if the reader can open the repository."""
        self.world.storage.snapshots.clear()
        self.world.storage.config = b"other"
        self.world.storage.read_error = ReadError(Reason.AUTH, "wrong password")
        for _ in range(2):
            self.assertEqual(self.failed().reason, Reason.AUTH)
        self.world.storage.read_error = None
        self.assertEqual(self.read().content.snapshot_count, 0)

    def test_lost(self) -> None:
        """Without any key, or with an empty config, nobody can open it."""
        self.clock.advance(23 * 3600)
        keys = self.world.storage.keys[:]
        self.world.storage.keys.clear()
        self.assertEqual(self.failed().reason, Reason.KEYS)
        self.world.storage.keys[:] = keys
        self.world.storage.config = b""
        self.assertEqual(self.failed().reason, Reason.KEYS)
        self.world.storage.config = b"config"
        self.assertTrue(self.read().unchanged)

    def test_locks_error(self) -> None:
        """Locks that cannot be listed are left out, and all else is shown."""
        self.world.storage.locks_error = ReadError(Reason.AUTH, "forbidden")
        for reading in (self.read(), self.read()):
            self.assertEqual(reading.locks, None)
            self.assertIs(reading.locks_error, self.world.storage.locks_error)
            self.assertEqual(reading.content.snapshot_count, 3)
