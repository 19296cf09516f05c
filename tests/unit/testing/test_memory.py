"""What the doubles do when they are told to; that they keep the contracts is in tests/real."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from restic_reporter.concurrency.deadline import Deadline
from restic_reporter.interfaces import ISecretStore
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.model.snapshots import Meter
from restic_reporter.testing import MemoryBackend, MemoryReader, MemoryStore, read_request
from tests.doubles.repositories import name, repository, snapshot


class MemoryCase(SynchronousTestCase):
    """A deadline, and errors."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.deadline = Deadline.after(self.clock, 10)
        self.error = ReadError(Reason.NETWORK, "as it was set")

    def result(self, work: Any) -> Any:
        """What ``work`` gives at once."""
        return self.successResultOf(Deferred.fromCoroutine(work))

    def error_of(self, work: Any) -> Any:
        """The error that ``work`` ends with at once."""
        return self.failureResultOf(Deferred.fromCoroutine(work)).value


class MemoryBackendTests(MemoryCase):
    """`MemoryBackend`."""

    def setUp(self) -> None:
        super().setUp()
        files = ("config", f"snapshots/{name(1)}", f"locks/{name(2)}", f"keys/{name(3)}")
        self.backend = MemoryBackend(dict.fromkeys(files, b""))

    def test_failures(self) -> None:
        """A failure is that of the file or folder it is set for, and of nothing else."""
        calls = {
            "snapshots/": lambda: self.backend.list(self.deadline, Meter()),
            "keys/": lambda: self.backend.list_keys(self.deadline, Meter()),
            "config": lambda: self.backend.load("config", 10, self.deadline, Meter()),
        }
        for path, failing in calls.items():
            self.backend.failures = {path: self.error}
            self.assertIs(self.error_of(failing()), self.error)
            for call in calls.values():
                if call is not failing:
                    self.result(call())
        self.assertEqual((self.backend.listings, self.backend.loads), (3, ["config"] * 3))

    def test_locks_error(self) -> None:
        """A failure of the locks leaves the snapshots."""
        self.backend.failures = {"locks/": self.error}
        listing = self.result(self.backend.list(self.deadline, Meter()))
        self.assertEqual((listing.snapshots, listing.locks), ({name(1)}, None))
        self.assertIs(listing.locks_error, self.error)

    def test_shown(self) -> None:
        """Keys are shown in a listing only if it was told to."""
        for shown, keys in ((False, None), (True, {name(3)})):
            self.backend.shows_keys = shown
            listing = self.result(self.backend.list(self.deadline, Meter()))
            self.assertEqual(listing.keys, keys)


class MemoryReaderTests(MemoryCase):
    """`MemoryReader`."""

    def test_failure(self) -> None:
        """The failure that was set comes out, and the request was noted."""
        reader = MemoryReader([snapshot(1)], failure=self.error)
        request = read_request(repository(), self.deadline)
        self.assertIs(self.error_of(reader.read(request)), self.error)
        self.assertEqual((reader.requests, request.table.ids()), ([request], []))


class MemoryStoreTests(MemoryCase):
    """`MemoryStore`."""

    def test_documents(self) -> None:
        """A document is given, an exception raised, and anything else is ``secret``."""
        store = MemoryStore({"a": {"key": "value"}, "b": self.error})
        self.assertTrue(verifyObject(ISecretStore, store))
        self.assertEqual(self.result(store.look_up("a", self.deadline)), {"key": "value"})
        self.assertIs(self.error_of(store.look_up("b", self.deadline)), self.error)
        self.assertEqual(self.error_of(store.look_up("c", self.deadline)).reason, Reason.SECRET)
        self.assertEqual(store.asked, ["a", "b", "c"])

    def test_deadline(self) -> None:
        """A look-up that is held ends by its deadline, for the reason of all its failures."""
        store = MemoryStore({"a": {}}, waiting=Deferred)
        looking = Deferred.fromCoroutine(store.look_up("a", self.deadline))
        self.clock.advance(9)
        self.assertNoResult(looking)
        self.clock.advance(1)
        self.assertEqual(self.failureResultOf(looking).value.reason, Reason.SECRET)
