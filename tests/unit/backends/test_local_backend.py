"""Tests of `LocalBackend`."""

import os
import threading
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet import reactor as default_reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from restic_reporter.backends import local
from restic_reporter.backends.local import LocalBackend, look_at, read_file
from restic_reporter.concurrency.daemon_threads import KeyedThreads
from restic_reporter.concurrency.deadline import Deadline
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.model.snapshots import Listing, Meter
from restic_reporter.model.upkeep import Size
from restic_reporter.testing import all_threads_back
from tests.doubles.local_folders import NAME, config_of, make_repository
from tests.doubles.repositories import name, no_tools, repository

reactor: Any = default_reactor


class LocalBackendTests(TestCase):
    """`LocalBackend`."""

    timeout = 30

    def setUp(self) -> None:
        """A backend of a real repository."""
        self.root = make_repository(Path(self.mktemp()).absolute(), snapshots=3, locks=2)
        self.tools = evolve(no_tools(), reactor=reactor, threads=KeyedThreads(reactor))
        self.meter = Meter()
        self.backend = self.make(str(self.root))
        self.go_on = threading.Event()
        self.addCleanup(all_threads_back)
        self.addCleanup(self.go_on.set)

    def make(self, url: str) -> LocalBackend:
        """The backend of one entry."""
        return LocalBackend.make(repository(url), self.tools)

    def hanging(self, url: str) -> LocalBackend:
        """A backend of a mount that hangs until ``go_on`` is set."""

        def look(root: str) -> Listing:
            self.go_on.wait(30)
            return look_at(root)

        def read(root: str, path: str, limit: int) -> bytes:
            self.go_on.wait(30)
            return read_file(root, path, limit)

        return evolve(self.make(url), look=look, read=read)

    def list(self, backend: LocalBackend, seconds: float = 20) -> "Deferred[Listing]":
        """List it."""
        return Deferred.fromCoroutine(backend.list(Deadline.after(reactor, seconds), self.meter))

    def load(
        self, backend: LocalBackend, path: str, limit: int = 1000, seconds: float = 20
    ) -> "Deferred[bytes]":
        """Load a file of it."""
        deadline = Deadline.after(reactor, seconds)
        return Deferred.fromCoroutine(backend.load(path, limit, deadline, self.meter))

    async def failure(self, work: "Deferred[Any]") -> ReadError:
        """The error that ``work`` ends with."""
        with self.assertRaises(ReadError) as caught:
            await work
        error: ReadError = caught.exception
        return error

    async def test_size_beside_a_read(self) -> None:
        """The size is listed while a read hangs, and the reverse; a dead mount costs 5 minutes."""
        reading = self.list(self.hanging(str(self.root)))
        size = await self.backend.measure(Deadline.after(reactor, 20), self.meter)
        self.assertEqual(size, Size(0, 0))
        self.go_on.set()
        await reading
        hang = threading.Event()
        self.addCleanup(hang.set)
        self.patch(local, "packs_in", lambda *_: hang.wait(30))
        clock = Clock()
        work = self.backend.measure(Deadline.after(clock, 3600), self.meter)
        measuring = Deferred.fromCoroutine(work)
        self.assertEqual(len((await self.list(self.backend)).snapshots), 3)
        clock.advance(300)
        self.assertEqual((await self.failure(measuring)).reason, Reason.TIMEOUT)

    def test_root(self) -> None:
        """The path is taken as restic takes it, which cleans it without a look at the disk."""
        for path, root in (
            ("/p", "/p"),
            ("/a/../b//c/./d/", "/b/c/d"),
            ("/../x", "/x"),
            ("/with a:colon/local:x", "/with a:colon/local:x"),
        ):
            self.assertEqual(self.make(path).root, root)

    async def test_list(self) -> None:
        """Snapshots, keys and locks come, in one request."""
        names = frozenset(name(number) for number in range(3))
        locks = frozenset(name(number) for number in range(2))
        listing = await self.list(self.backend)
        self.assertEqual(len(listing.lock_times or ()), 2)
        self.assertEqual(
            evolve(listing, lock_times=None, key_times=None),
            Listing(names, locks, frozenset({NAME}), config=config_of(self.root)),
        )
        self.assertEqual(self.meter, Meter({"list": 1}))

    async def test_stored_times(self) -> None:
        """The snapshots' times are those of their files; one may have vanished."""
        os.utime(self.root / "snapshots" / name(1), (0, 1_700_000_000.5))
        listing = await self.list(self.backend)
        assert listing.stored_times is not None
        found = await listing.stored_times([name(1), name(7)])
        self.assertEqual(found, {name(1): 1_700_000_000.5})

    async def test_off_the_reactor(self) -> None:
        """Nothing of it is done in the reactor's thread."""
        threads = []
        scandir, stat, opening = os.scandir, os.stat, os.open

        def noted(function: Any) -> Any:
            def call(path: Any, *arguments: Any, **keywords: Any) -> Any:
                if isinstance(path, bytes) and os.fsencode(self.root) in path:
                    threads.append(threading.current_thread())
                return function(path, *arguments, **keywords)

            return call

        for function in (scandir, stat, opening):
            self.patch(os, function.__name__, noted(function))
        await self.list(self.backend)
        await self.load(self.backend, "config")
        self.assertEqual(len(threads), 5)
        self.assertNotIn(threading.main_thread(), threads)

    async def test_hanging(self) -> None:
        """A mount that hangs ends by the deadline; while it does, the next call ends at once, and
        nobody else notices; when it is back all is well."""
        hanging = self.hanging(str(self.root))
        error = await self.failure(self.list(hanging, 0.05))
        self.assertEqual(error.reason, Reason.TIMEOUT)
        self.assertIn(f"reading {str(self.root)!r}: timed out after", error.message)
        threads = threading.active_count()
        for again in (self.list(hanging), self.load(hanging, "config")):
            error = self.failureResultOf(again, ReadError).value
            self.assertEqual(error.reason, Reason.TIMEOUT)
            self.assertEqual(error.message, f"an earlier read of {str(self.root)!r} still hangs")
        self.assertEqual(threading.active_count(), threads)
        # After a reload of the config the backend is another one.
        self.failureResultOf(self.list(self.hanging(str(self.root))), ReadError)
        same_path, other = f"{self.root}/", str(make_repository(self.root / "other"))
        self.assertEqual(len((await self.list(self.make(same_path))).snapshots), 3)
        self.assertEqual(len((await self.list(self.make(other))).snapshots), 2)
        self.go_on.set()
        await all_threads_back()
        self.assertEqual(len((await self.list(hanging)).snapshots), 3)

    async def test_hanging_load(self) -> None:
        """A file that hangs ends by the deadline too."""
        hanging = self.hanging(str(self.root))
        error = await self.failure(self.load(hanging, "config", seconds=0.05))
        self.assertEqual(error.reason, Reason.TIMEOUT)
        self.assertEqual(self.meter.received_bytes, {})
        error = self.failureResultOf(self.list(hanging), ReadError).value
        self.assertIn("still hangs", error.message)

    async def test_many_hanging(self) -> None:
        """Though a hundred mounts hang, the next repository is looked at."""
        hanging = [self.list(self.hanging(f"/{number}")) for number in range(100)]
        self.assertEqual(len((await self.list(self.backend)).snapshots), 3)
        for one in hanging:
            one.cancel()
            self.failureResultOf(one, CancelledError)

    async def test_cancel(self) -> None:
        """Cancelled, it ends at once, whatever the thread does later."""
        for work in (
            self.list(self.hanging("/1")),
            self.load(self.hanging("/2"), "config"),
        ):
            self.assertNoResult(work)
            work.cancel()
            self.failureResultOf(work, CancelledError)
        self.go_on.set()
        await all_threads_back()

    async def test_no_more_threads(self) -> None:
        """Where there are no more threads the read fails with a reason; later it works again."""

        def start(thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        patch = self.patch(threading.Thread, "start", start)
        error = self.failureResultOf(self.list(self.backend), ReadError).value
        patch.restore()
        self.assertEqual(error.reason, Reason.NETWORK)
        self.assertIn("can't start new thread", error.message)
        self.assertEqual(len((await self.list(self.backend)).snapshots), 3)
