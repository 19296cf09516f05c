"""Tests of what is known of a repository's keys and its format."""

from collections.abc import Mapping

from restic_reporter.model.access import KeyFacts
from restic_reporter.model.errors import ReadError, Reason
from tests.doubles.reading_case import ReadingTestCase
from tests.doubles.repositories import NOW, name, snapshot

DAY = 86400.0


class KeyFactsTests(ReadingTestCase):
    """Listings, looks at the keys and readers tell it, and nobody is asked for it."""

    def assert_known(
        self, count: int | None, newest: float | None = None, version: str = ""
    ) -> None:
        """This is known after another read."""
        self.assertEqual(self.read().keys, KeyFacts(count, newest, version))

    def use_native(self, newest: float | None = NOW - DAY) -> None:
        """Read with a reader that tells what it has opened."""
        reader = self.world.reader
        reader.incremental, reader.newest_key, reader.version = True, newest, "2"

    def listed(self, times: Mapping[str, float] | None = None) -> None:
        """Let listings show the keys."""
        self.world.backend.shows_keys, self.world.backend.key_times = True, times

    def test_listed(self) -> None:
        """A listing with keys tells their number, and their times if it has them."""
        keys = self.world.storage.keys
        self.listed({keys[0]: NOW - 9})
        self.assert_known(1, NOW - 9)
        keys.append(name(98))
        self.listed({keys[0]: NOW - 9, keys[1]: NOW - 7})
        self.assert_known(2, NOW - 7)
        keys.pop()
        self.listed()
        self.assert_known(1)

    def test_looked_at(self) -> None:
        """Without keys in the listing, the last look at them counts until the next."""
        self.use_native()
        self.assert_known(1, NOW - DAY, "2")
        self.world.storage.keys.append(name(98))
        self.assert_known(1, NOW - DAY, "2")
        self.clock.advance(23 * 3600)
        # The reader has opened it with one key, and not read the other.
        self.use_native(newest=None)
        self.assert_known(2, None, "2")
        self.clock.advance(23 * 3600)
        self.assert_known(2, None, "2")
        self.assertEqual(self.world.reader.reads, 2)

    def test_with_new_snapshots(self) -> None:
        """New snapshots are a reason to look at the keys, too."""
        self.use_native()
        self.read()
        self.world.storage.keys.append(name(98))
        self.world.storage.snapshots.append(snapshot(10))
        self.assert_known(2, NOW - DAY, "2")

    def test_seen_by_the_reader_alone(self) -> None:
        """After a read by restic nobody knows the keys, until they are looked at again."""
        self.assert_known(None)
        self.clock.advance(23 * 3600)
        self.assert_known(1)
        self.world.storage.snapshots.append(snapshot(10))
        self.assert_known(None)

    def test_times_of_the_storage(self) -> None:
        """They go before those in the key files, which anybody can write."""
        self.use_native()
        self.listed({name(99): NOW - 5})
        self.assert_known(1, NOW - 5, "2")
        self.world.storage.snapshots.append(snapshot(10))
        self.assert_known(1, NOW - 5, "2")

    def test_another_reader(self) -> None:
        """The version is what the reader in use says."""
        self.use_native()
        self.read()
        self.world.reader.version = ""
        self.world.storage.snapshots.append(snapshot(10))
        self.assert_known(1, NOW - DAY)

    def test_no_listing(self) -> None:
        """Nothing is known of a repository that only its reader sees."""
        self.without_backend()
        self.assert_known(None)

    def test_failed(self) -> None:
        """A failed read changes nothing."""
        self.listed()
        self.read()
        self.world.storage.keys.append(name(98))
        self.world.storage.read_error = ReadError(Reason.AUTH, "wrong password")
        self.failed()
        self.assertEqual(self.status.keys, KeyFacts(1))
