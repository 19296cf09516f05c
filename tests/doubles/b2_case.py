"""What tests of the B2 backend need."""

import hashlib
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from restic_reporter.backends.b2 import B2Backend
from restic_reporter.concurrency.daemon_threads import KeyedThreads
from restic_reporter.concurrency.deadline import Deadline
from restic_reporter.http import BoundedHTTPClient
from restic_reporter.interfaces import BackendTools
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.model.repository import Repository
from restic_reporter.model.snapshots import Listing, Meter
from restic_reporter.redaction.secret import Secret
from tests.doubles.fake_b2 import FakeB2
from tests.doubles.fake_b2_objects import Bucket, Key
from tests.doubles.repositories import b2_settings

PATIENCE = 30.0


def name(number: int) -> str:
    """A file name as restic makes them."""
    return hashlib.sha256(f"{number}".encode()).hexdigest()


def fill(
    fake: FakeB2, bucket: Bucket, base: str, snapshots: int = 3, locks: int = 0
) -> frozenset[str]:
    """Make what looks like a repository; the names of its snapshots."""
    names = frozenset(name(number) for number in range(snapshots))
    fake.account.put(bucket, f"{base}config", b"config")
    fake.account.put(bucket, f"{base}keys/{name(-1)}", b"-1")
    for number in range(9):
        fake.account.put(bucket, f"{base}data/{number:02x}/{name(number)}", b"")
        fake.account.put(bucket, f"{base}index/{name(number)}", b"")
    for one in names:
        fake.account.put(bucket, f"{base}snapshots/{one}", b"")
    for number in range(locks):
        fake.account.put(bucket, f"{base}locks/{name(number)}", b"lock")
    return names


class B2Case(TestCase):
    """A fake B2 with a bucket and a key for everything, and the daemon's real HTTP client."""

    def setUp(self) -> None:
        self.fake = FakeB2()
        self.addCleanup(self.assert_sound)
        self.addCleanup(self.fake.close)
        self.bucket = self.fake.account.add_bucket("some-bucket")
        self.key = self.fake.account.add_key()
        self.url = self.fake.direct()
        self.http = BoundedHTTPClient(reactor)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.http.close()))
        self.tools = BackendTools(reactor, self.http, KeyedThreads(reactor))  # type: ignore[arg-type]
        self.meter = Meter()

    def assert_sound(self) -> None:
        """The fake had no trouble of its own, and nobody asked at the wrong host."""
        self.assertEqual((self.fake.crashes, self.fake.misdirected), ([], {}))

    @property
    def calls(self) -> dict[str, int]:
        """How often each call was made since the last look."""
        calls = {call.removeprefix("b2_"): n for call, n in self.fake.account.calls.items()}
        self.fake.account.reset_counts()
        return calls

    def backend(
        self,
        path: str = "repo",
        key: Key | None = None,
        bucket: str = "some-bucket",
        secret: str | None = None,
        **options: Any,
    ) -> B2Backend:
        """The backend for a repository in the fake."""
        key = key or self.key
        location = f"b2:{bucket}:{path}"
        settings = b2_settings(location, key.id, secret or key.secret, options.pop("url", self.url))
        return B2Backend.make(
            Repository(1, location, "b2", Secret(location), Secret("x"), settings, **options),
            self.tools,
        )

    def list(self, backend: B2Backend, seconds: float = PATIENCE) -> "Deferred[Listing]":
        """List, as the collection does."""
        deadline = Deadline.after(reactor, seconds)
        return Deferred.fromCoroutine(backend.list(deadline, self.meter))

    def load(
        self, backend: B2Backend, path: str, limit: int = 1000, seconds: float = PATIENCE
    ) -> "Deferred[bytes]":
        """Load a file, as a reader does."""
        deadline = Deadline.after(reactor, seconds)
        return Deferred.fromCoroutine(backend.load(path, limit, deadline, self.meter))

    async def assert_fails(self, work: "Deferred[Any]", reason: Reason, text: str = "") -> None:
        """``work`` fails for this reason, and says ``text``, but no secret."""
        error: Any = await self.assertFailure(work, ReadError)
        self.assertEqual(error.reason, reason, error.message)
        self.assertIn(text, error.message)
        for secret in (*(key.secret for key in self.fake.account.keys.values()), "_acct"):
            self.assertNotIn(secret, error.message)
