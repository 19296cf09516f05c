"""What tests of the S3 backend need."""

import hashlib
from typing import Any

from attrs import evolve
from twisted.internet import reactor as default_reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from restic_reporter.backends.s3 import S3Backend
from restic_reporter.backends.s3.settings import S3Settings
from restic_reporter.concurrency.daemon_threads import KeyedThreads
from restic_reporter.concurrency.deadline import Deadline
from restic_reporter.config.context import ConfigContext
from restic_reporter.config.load import build_config
from restic_reporter.http import BoundedHTTPClient
from restic_reporter.http import client as client_module
from restic_reporter.interfaces import BackendTools
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.model.repository import Repository
from restic_reporter.model.snapshots import Listing, Meter
from tests.doubles.config_case import installed
from tests.doubles.fake_s3 import BUCKET, KEY_ID, SECRET, FakeS3
from tests.doubles.hostile import TOLD

reactor: Any = default_reactor

PATIENCE = 30.0

NO_HOME = {"HOME": "/nonexistent"}


def name(number: int) -> str:
    """A file name as restic makes them."""
    return hashlib.sha256(f"{number}".encode()).hexdigest()


def fill(fake: FakeS3, base: str, snapshots: int = 3, locks: int = 0) -> frozenset[str]:
    """Make what looks like a repository; the names of its snapshots."""
    names = frozenset(name(number) for number in range(snapshots))
    fake.put(f"{base}config", b"config")
    fake.put(f"{base}keys/{name(-1)}", b"-1")
    for number in range(9):
        fake.put(f"{base}data/{number:02x}/{name(number)}")
        fake.put(f"{base}index/{name(number)}")
    for one in names:
        fake.put(f"{base}snapshots/{one}")
    for number in range(locks):
        fake.put(f"{base}locks/{name(number)}", b"lock")
    return names


def load_entry(repo: str, environ: dict[str, str] = NO_HOME, **keys: Any) -> Repository:
    """The repository of an entry of a config."""
    context = ConfigContext("/", installed(), ("vault",), environ=environ)
    entry = {"repo": repo, "password": "x", **keys}
    (repository,) = build_config([entry], "config.json", context).repositories
    return repository


def settings_of(repository: Repository) -> S3Settings:
    """What the backend makes of it."""
    assert isinstance(repository.settings, S3Settings)
    return repository.settings


class S3Case(TestCase):
    """A fake S3 with a bucket, and the daemon's real HTTP client."""

    def setUp(self) -> None:
        self.patch(client_module, "STATUS_WAITS", (0.01, 0.01, 0.01))
        self.patch(client_module, "BROKEN_WAITS", (0.01, 0.01))
        self.fake = FakeS3()
        self.addCleanup(self.assert_sound)
        self.addCleanup(self.fake.close)
        self.http = BoundedHTTPClient(reactor)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.http.close()))
        self.tools = BackendTools(reactor, self.http, KeyedThreads(reactor))
        self.meter = Meter()

    def assert_sound(self) -> None:
        """The fake had no trouble of its own."""
        self.assertEqual(self.fake.crashes, [])

    def backend(
        self, path: str = "repo", *, url: str = "", transport: Any = None, **keys: Any
    ) -> S3Backend:
        """The backend for a repository in the fake; a key of the entry that is None is absent."""
        usual = {"s3_access_key_id": KEY_ID, "s3_secret_access_key": SECRET}
        entry = {key: value for key, value in {**usual, **keys}.items() if value is not None}
        repository = load_entry(f"s3:{url or self.fake.url}/{BUCKET}/{path}", **entry)
        if transport is not None:
            repository = evolve(repository, transport=transport)
        return S3Backend.make(repository, self.tools)

    def deadline(self, seconds: float = PATIENCE) -> Deadline:
        """So many seconds from now."""
        return Deadline.after(reactor, seconds)

    def list(self, backend: S3Backend, seconds: float = PATIENCE) -> "Deferred[Listing]":
        """List, as the collection does."""
        return Deferred.fromCoroutine(backend.list(self.deadline(seconds), self.meter))

    def load(
        self, backend: S3Backend, path: str, limit: int = 1000, seconds: float = PATIENCE
    ) -> "Deferred[bytes]":
        """Load a file, as a reader does."""
        deadline = self.deadline(seconds)
        return Deferred.fromCoroutine(backend.load(path, limit, deadline, self.meter))

    async def assert_fails(self, work: "Deferred[Any]", reason: Reason, text: str = "") -> None:
        """``work`` fails for this reason, and says ``text``, but no secret."""
        error: Any = await self.assertFailure(work, ReadError)
        self.assertEqual(error.reason, reason, error.message)
        self.assertIn(text, error.message)
        for secret in (SECRET, TOLD):
            self.assertNotIn(secret, error.message)
