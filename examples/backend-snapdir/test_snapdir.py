"""Tests of `restic_reporter_snapdir`; they need neither restic nor a daemon."""

import os
from collections.abc import Awaitable
from hashlib import sha256
from pathlib import Path
from typing import TypeVar
from unittest.mock import patch

import restic_reporter_snapdir
from restic_reporter_snapdir import Backend
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from restic_reporter.concurrency.daemon_threads import KeyedThreads
from restic_reporter.concurrency.deadline import Deadline
from restic_reporter.http import BoundedHTTPClient
from restic_reporter.interfaces import BackendTools, IBackend
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.model.repository import Repository
from restic_reporter.model.snapshots import Meter
from restic_reporter.plugin.discovery import installed_plugins
from restic_reporter.redaction.secret import Secret

T = TypeVar("T")

KEY = b"a key, still encrypted"


class SnapdirTests(TestCase):
    """The backend, on folders that look like repositories."""

    def setUp(self) -> None:
        """Two copies of a repository, and what else may be among them."""
        self.copies = Path(os.path.abspath(self.mktemp()))
        self.copy("2026-11-21", snapshots=["1" * 64])
        self.copy("2026-11-22", snapshots=["1" * 64, "2" * 64, "1.tmp"], locks=["3" * 64])
        (self.copies / "2026-11-23-unfinished" / "web-1").mkdir(parents=True)
        (self.copies / "notes.txt").write_text("not a copy")
        self.deadline = Deadline.after(reactor, 60)
        self.meter = Meter()
        self.backend = self.make(f"snapdir:{self.copies}:web-1")

    def copy(self, name: str, **folders: list[str]) -> Path:
        """A copy that has one repository, with these files in its folders."""
        repository = self.copies / name / "web-1"
        for folder, files in {"keys": [sha256(KEY).hexdigest()], **folders}.items():
            (repository / folder).mkdir(parents=True)
            for file in files:
                (repository / folder / file).write_bytes(KEY)
        (repository / "config").write_bytes(b"a config")
        return repository

    def make(self, location: str) -> Backend:
        """The backend for an entry of the config."""
        repository = Repository(1, location, "snapdir", Secret(location), Secret("password"))
        http = BoundedHTTPClient(reactor, connections_per_host=1)
        threads = KeyedThreads(reactor)  # type: ignore[arg-type]
        return Backend.make(repository, BackendTools(reactor, http, threads))

    async def assert_fails(self, reason: Reason, read: Awaitable[object]) -> None:
        """Reading fails, for this reason."""
        try:
            await read
        except ReadError as error:
            self.assertEqual(error.reason, reason)
        else:
            self.fail("it did not fail")

    def test_contract(self) -> None:
        """It is a backend, and its dropin is found."""
        self.assertTrue(verifyObject(IBackend, self.backend))
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
            self.assertRaises(ValueError, self.make, bad)

    async def test_list(self) -> None:
        """The newest copy that has the repository is listed, and restic is told where it is."""
        listing = await self.backend.list(self.deadline, self.meter)
        self.assertEqual(listing.snapshots, {"1" * 64, "2" * 64})
        self.assertEqual(listing.locks, {"3" * 64})
        self.assertEqual(listing.keys, {sha256(KEY).hexdigest()})
        self.assertEqual(listing.location, Secret(f"local:{self.copies}/2026-11-22/web-1"))
        self.assertEqual(self.meter.requests, {"list": 1})

    async def test_empty(self) -> None:
        """A folder that is not there is empty, where there is a repository."""
        self.copy("2026-11-24")
        listing = await self.backend.list(self.deadline, self.meter)
        self.assertEqual((listing.snapshots, listing.locks), (frozenset(), frozenset()))

    async def test_missing(self) -> None:
        """A repository that is not there is an error, and so is a folder without copies."""
        for location in (f"snapdir:{self.copies}:web-2", "snapdir:/no/such/folder:web-1"):
            backend = self.make(location)
            await self.assert_fails(Reason.NOT_FOUND, backend.list(self.deadline, self.meter))

    async def test_too_many_names(self) -> None:
        """A folder without end is an error, and does not fill the memory."""
        with patch.object(restic_reporter_snapdir, "MAX_NAMES", 1):
            listing = self.backend.list(self.deadline, self.meter)
            await self.assert_fails(Reason.TOO_LARGE, listing)

    async def test_load(self) -> None:
        """A file is loaded whole, within its limit, and only with the content of its name."""
        key = f"keys/{sha256(KEY).hexdigest()}"

        def load(path: str, limit: int) -> Awaitable[bytes]:
            return self.backend.load(path, limit, self.deadline, self.meter)

        self.assertEqual(await load(key, len(KEY)), KEY)
        self.assertEqual(self.meter.received_bytes, {"load": len(KEY)})
        await self.assert_fails(Reason.TOO_LARGE, load(key, len(KEY) - 1))
        await self.assert_fails(Reason.NOT_FOUND, load(f"keys/{'4' * 64}", 100))
        await self.assert_fails(Reason.PROTOCOL, load(f"snapshots/{'1' * 64}", 100))

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
