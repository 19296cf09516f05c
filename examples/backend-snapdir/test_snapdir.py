"""Tests of `restic_reporter_snapdir`; they need neither restic nor a daemon."""

import os
from collections.abc import Awaitable
from hashlib import sha256
from pathlib import Path
from unittest.mock import patch

import restic_reporter_snapdir
from restic_reporter_snapdir import Backend, configure
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import TestCase

from restic_reporter.concurrency.daemon_threads import KeyedThreads
from restic_reporter.concurrency.deadline import Deadline
from restic_reporter.http import BoundedHTTPClient
from restic_reporter.interfaces import BackendTools
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.model.repository import Repository
from restic_reporter.model.settings import OwnKeys
from restic_reporter.model.snapshots import Meter
from restic_reporter.plugin.discovery import installed_plugins
from restic_reporter.redaction.secret import Secret
from restic_reporter.testing import BackendContractTests, all_threads_back

KEY = b"a key, still encrypted"


def make(location: str, **keys: str) -> Backend:
    """The backend for an entry of the config."""
    own = OwnKeys(location, keys)
    settings = configure(own)
    if settings is None:
        raise ValueError(own.problems)
    repository = Repository(1, location, "snapdir", Secret(location), Secret("password"), settings)
    http = BoundedHTTPClient(reactor, connections_per_host=1)
    threads = KeyedThreads(reactor)  # type: ignore[arg-type]
    return Backend.make(repository, BackendTools(reactor, http, threads))


class ContractTests(BackendContractTests, TestCase):
    """What every backend must do, on a folder with one copy."""

    def setUp(self) -> None:
        """The place for a copy, where there is none yet."""
        self.copies = Path(os.path.abspath(self.mktemp()))

    def make_backend(self) -> Backend:
        return make(f"snapdir:{self.copies}:web-1")

    def put(self, path: str, content: bytes) -> None:
        file = self.copies / "2026-11-22" / "web-1" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    def remove(self, path: str) -> None:
        (self.copies / "2026-11-22" / "web-1" / path).unlink()


class SnapdirTests(TestCase):
    """What this backend does beyond that."""

    def setUp(self) -> None:
        """Two copies of a repository, and what else may be among them."""
        self.copies = Path(os.path.abspath(self.mktemp()))
        self.copy("2026-11-21", snapshots=["1" * 64])
        self.copy("2026-11-22", snapshots=["1" * 64, "2" * 64], locks=["3" * 64])
        (self.copies / "2026-11-23-unfinished" / "web-1").mkdir(parents=True)
        (self.copies / "notes.txt").write_text("not a copy")
        self.deadline = Deadline.after(reactor, 60)
        self.meter = Meter()
        self.backend = make(f"snapdir:{self.copies}:web-1")

    def copy(self, name: str, **folders: list[str]) -> Path:
        """A copy that has one repository, with these files in its folders."""
        repository = self.copies / name / "web-1"
        for folder, files in {"keys": [sha256(KEY).hexdigest()], **folders}.items():
            (repository / folder).mkdir(parents=True)
            for file in files:
                (repository / folder / file).write_bytes(KEY)
        (repository / "config").write_bytes(b"a config")
        return repository

    async def assert_fails(self, reason: Reason, read: Awaitable[object]) -> None:
        """Reading fails, for this reason."""
        try:
            await read
        except ReadError as error:
            self.assertEqual(error.reason, reason)
        else:
            self.fail("it did not fail")

    def test_plugin(self) -> None:
        """Its dropin is found."""
        schemes = [scheme for maker in installed_plugins().makers for scheme in maker.schemes]
        self.assertIn("snapdir", schemes)

    def test_location(self) -> None:
        """What cannot be a location is refused when the config is loaded."""
        for bad in (
            "snapdir:",
            "snapdir:/copies",
            "snapdir:copies:web-1",
            "snapdir:/copies:/web-1",
        ):
            self.assertRaises(ValueError, make, bad)

    async def test_list(self) -> None:
        """The newest copy that has the repository is listed, and restic is told where it is."""
        listing = await self.backend.list(self.deadline, self.meter)
        self.assertEqual(listing.snapshots, {"1" * 64, "2" * 64})
        self.assertEqual(listing.locks, {"3" * 64})
        self.assertEqual(listing.keys, {sha256(KEY).hexdigest()})
        self.assertEqual(listing.location, Secret(f"local:{self.copies}/2026-11-22/web-1"))

    async def test_prefix(self) -> None:
        """The key of its own leaves out copies whose names begin otherwise."""
        backend = make(f"snapdir:{self.copies}:web-1", snapdir_prefix="2026-11-21")
        listing = await backend.list(self.deadline, self.meter)
        self.assertEqual(listing.snapshots, {"1" * 64})

    async def test_missing(self) -> None:
        """A repository that is in no copy is an error."""
        backend = make(f"snapdir:{self.copies}:web-2")
        await self.assert_fails(Reason.NOT_FOUND, backend.list(self.deadline, self.meter))

    async def test_too_many_names(self) -> None:
        """A folder without end is an error, and does not fill the memory."""
        with patch.object(restic_reporter_snapdir, "MAX_NAMES", 1):
            listing = self.backend.list(self.deadline, self.meter)
            await self.assert_fails(Reason.TOO_LARGE, listing)

    async def test_hanging(self) -> None:
        """A look that hangs can be cancelled; until it comes back, others fail at once."""
        fifo = self.copy("2026-11-24", snapshots=[]) / "keys" / ("5" * 64)
        os.mkfifo(fifo)
        hanging = Deferred.fromCoroutine(
            self.backend.load(f"keys/{'5' * 64}", 100, self.deadline, self.meter)
        )
        hanging.cancel()
        await self.assertFailure(hanging, CancelledError)
        await self.assert_fails(Reason.TIMEOUT, self.backend.list(self.deadline, self.meter))
        fifo.write_bytes(b"")  # lets the thread go
        await all_threads_back()
