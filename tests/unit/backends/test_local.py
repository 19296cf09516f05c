"""Tests of `restic_reporter.backends.local`, with real folders and real threads."""

import contextlib
import errno
import os
import resource
import tempfile
import threading
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet import reactor as default_reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from restic_reporter.backends.local import LocalBackend, look_at, read_file
from restic_reporter.concurrency.daemon_threads import KeyedThreads
from restic_reporter.concurrency.deadline import Deadline
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.model.snapshots import Listing, Meter
from restic_reporter.testing import all_threads_back
from tests.doubles.repositories import name, no_tools, repository

reactor: Any = default_reactor

CONTENT = b"some content"
NAME = sha256(CONTENT).hexdigest()
NOBODY = 65534


def make_repository(path: Path, snapshots: int = 2, locks: int = 0) -> Path:
    """A folder that looks like a repository."""
    for folder in ("snapshots", "locks", "keys"):
        (path / folder).mkdir(parents=True)
    (path / "config").write_bytes(b"config")
    for number in range(snapshots):
        (path / "snapshots" / name(number)).touch()
    for number in range(locks):
        (path / "locks" / name(number)).touch()
    (path / "keys" / NAME).write_bytes(CONTENT)
    return path


def config_of(path: Path) -> tuple[int, ...]:
    """What changes with the config of the repository at ``path``."""
    status = (path / "config").stat()
    return status.st_size, status.st_mtime_ns, status.st_ino


@contextlib.contextmanager
def unprivileged() -> Iterator[None]:
    """Be nobody in particular, for whom permissions count, meanwhile."""
    privileged = os.geteuid() == 0
    if privileged:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if privileged:
            os.seteuid(0)


@contextlib.contextmanager
def no_descriptors() -> Iterator[None]:
    """Have no file descriptor left meanwhile."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class FolderCase(SynchronousTestCase):
    """A folder with a repository."""

    def setUp(self) -> None:
        """The folder, which others may pass through."""
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.folder.chmod(0o711)
        self.root = make_repository(self.folder / "some where-ü")

    def assert_fails(
        self, reason: Reason, *parts: object, call: Any = look_at, arguments: Any = ()
    ) -> None:
        """``call`` ends with ``reason`` and a message that has all ``parts``."""
        error = self.assertRaises(ReadError, call, str(self.root), *arguments)
        self.assertEqual(error.reason, reason, error.message)
        for part in parts:
            self.assertIn(str(part), error.message)


class LookAtTests(FolderCase):
    """`look_at`."""

    def look(self) -> Listing:
        """What is there."""
        return look_at(str(self.root))

    def test_names(self) -> None:
        """Names of 64 hex digits count, in three folders; foreign files and folders do not."""
        locks = frozenset(name(number) for number in range(3))
        for lock in locks:
            (self.root / "locks" / lock).touch()
        for foreign in (name(5)[1:], name(5) + "0", "A" * 64, f"{name(5)}-tmp-123", "ü" * 64, "x"):
            for folder in ("snapshots", "locks", "keys"):
                (self.root / folder / foreign).touch()
        os.mkdir(os.fsencode(self.root / "snapshots") + b"/\xff")
        (self.root / "snapshots" / name(6)).mkdir()
        names = frozenset({name(0), name(1)})
        self.assertEqual(
            self.look(), Listing(names, locks, frozenset({NAME}), config=config_of(self.root))
        )

    def test_missing_folders(self) -> None:
        """Folders that are not there are empty, where there is a config: git keeps none."""
        root = self.folder / "bare"
        root.mkdir()
        (root / "config").touch()
        nothing: frozenset[str] = frozenset()
        self.assertEqual(
            look_at(str(root)), Listing(nothing, nothing, nothing, config=config_of(root))
        )

    def test_no_repository(self) -> None:
        """Without a config there is no repository, whatever else there is."""
        (self.root / "config").unlink()
        self.assert_fails(Reason.NOT_FOUND, self.root / "config", "No such file or directory")
        self.root = self.folder / "missing"
        self.assert_fails(Reason.NOT_FOUND, self.root / "config", "No such file or directory")
        self.root = self.folder / "file"
        self.root.touch()
        self.assert_fails(Reason.NOT_FOUND, "Not a directory")
        self.root = self.folder / "loop"
        self.root.symlink_to("loop")
        self.assert_fails(Reason.NOT_FOUND, "symbolic links")
        self.root = self.folder / ("n" * 300)
        self.assert_fails(Reason.NOT_FOUND, "too long")

    def test_unmounted_meanwhile(self) -> None:
        """A repository that goes while it is looked at is an error, not an empty one."""
        scandir = os.scandir

        def scandir_too_late(path: bytes) -> Any:
            if self.root.exists():
                self.root.rename(self.folder / "gone")
            return scandir(path)

        self.patch(os, "scandir", scandir_too_late)
        self.assert_fails(Reason.NOT_FOUND, self.root / "config")

    def test_vanishing_files(self) -> None:
        """Files that go while they are listed are no error."""
        for number in range(2, 500):
            (self.root / "snapshots" / name(number)).touch()

        def remove() -> None:
            for number in range(1, 500):
                (self.root / "snapshots" / name(number)).unlink()

        removing = threading.Thread(target=remove)
        removing.start()
        while removing.is_alive():
            self.assertIn(name(0), self.look().snapshots)
        removing.join()
        self.assertEqual(self.look().snapshots, {name(0)})

    def test_symlinks(self) -> None:
        """Symlinks to the repository, its folders and files are followed."""
        expected = self.look()
        (self.root / "snapshots").rename(self.folder / "elsewhere")
        (self.root / "snapshots").symlink_to(self.folder / "elsewhere")
        moved = self.folder / "elsewhere" / name(0)
        moved.rename(self.folder / "file")
        moved.symlink_to(self.folder / "file")
        (self.folder / "elsewhere" / name(9)).symlink_to(self.folder)
        link = self.folder / "link"
        link.symlink_to(self.root)
        self.assertEqual(look_at(str(link)), expected)

    def test_symlinks_that_lead_nowhere(self) -> None:
        """A snapshot that leads nowhere is one, which cannot be read; a folder is an error."""
        for number, target in ((7, "nowhere"), (8, name(8))):
            (self.root / "snapshots" / name(number)).symlink_to(target)
        self.assertEqual(self.look().snapshots, {name(0), name(1), name(7), name(8)})
        (self.root / "snapshots").rename(self.folder / "elsewhere")
        (self.root / "snapshots").symlink_to("nowhere")
        self.assert_fails(Reason.NOT_FOUND, self.root / "snapshots")

    def test_permissions(self) -> None:
        """Folders that we may not read are told by name, with the reason for wrong rights."""
        for folder in (self.root, self.root / "snapshots", self.root / "keys"):
            folder.chmod(0)
            with unprivileged():
                self.assert_fails(Reason.AUTH, folder, "Permission denied")
            folder.chmod(0o755)

    def test_file_in_place_of_a_folder(self) -> None:
        """A file where a folder should be is no repository of restic's."""
        (self.root / "keys").rename(self.root / "elsewhere")
        (self.root / "keys").touch()
        self.assert_fails(Reason.PROTOCOL, self.root / "keys", "not a folder")

    def test_locks(self) -> None:
        """Locks that cannot be listed do not hide the rest."""
        locks = self.root / "locks"
        locks.chmod(0)
        with unprivileged():
            listing = self.look()
        self.assert_without_locks(listing, Reason.AUTH, "Permission denied")
        locks.rmdir()
        locks.touch()
        self.assert_without_locks(self.look(), Reason.PROTOCOL, "not a folder")

    def assert_without_locks(self, listing: Listing, reason: Reason, message: str) -> None:
        """Only the locks are missing, for this reason."""
        self.assertEqual((len(listing.snapshots), listing.locks), (2, None))
        assert listing.locks_error is not None
        self.assertEqual(listing.locks_error.reason, reason)
        self.assertIn(f"{str(self.root / 'locks')!r}: {message}", listing.locks_error.message)

    def test_config(self) -> None:
        """A config that is another or another size shows in the listing."""
        before = self.look().config
        self.assertEqual(self.look().config, before)
        (self.root / "config").write_bytes(b"")
        emptied = self.look().config
        (self.root / "new").write_bytes(b"config")
        (self.root / "new").rename(self.root / "config")
        self.assertEqual(len({before, emptied, self.look().config}), 3)

    def test_broken_mounts(self) -> None:
        """What mounts whose server has gone answer is told as such."""
        for number, reason in (
            (errno.EIO, Reason.NETWORK),
            (errno.ESTALE, Reason.NETWORK),
            (errno.ENOTCONN, Reason.NETWORK),
            (errno.EHOSTDOWN, Reason.NETWORK),
            (errno.ETIMEDOUT, Reason.TIMEOUT),
        ):
            for function in ("stat", "scandir"):

                def fail(path: bytes, number: int = number) -> None:
                    raise OSError(number, os.strerror(number))

                patch = self.patch(os, function, fail)
                self.assert_fails(reason, self.root, os.strerror(number))
                patch.restore()

    def test_no_descriptors(self) -> None:
        """Without a file descriptor left it cannot be looked at; later it can again."""
        with no_descriptors():
            self.assert_fails(Reason.NETWORK, "Too many open files")
        self.assertEqual(len(self.look().snapshots), 2)

    def test_limit(self) -> None:
        """A folder with more names than the limit, foreign ones included, is refused."""
        for foreign in "ab":
            (self.root / "snapshots" / foreign).touch()
        self.assertEqual(len(look_at(str(self.root), 4).snapshots), 2)
        self.assert_fails(
            Reason.TOO_LARGE, self.root / "snapshots", "more than 3 names", arguments=(3,)
        )


class ReadFileTests(FolderCase):
    """`read_file`."""

    def read(self, path: str, limit: int = 1000) -> bytes:
        """The content of a file."""
        return read_file(str(self.root), path, limit)

    def assert_unread(self, reason: Reason, path: str, *parts: object, limit: int = 1000) -> None:
        """Reading the file fails."""
        self.assert_fails(reason, self.root / path, *parts, call=read_file, arguments=(path, limit))

    def test_too_large(self) -> None:
        """A larger one is refused, also where its size is not known before."""
        self.assert_unread(
            Reason.TOO_LARGE, f"keys/{NAME}", "more than 11 bytes", limit=len(CONTENT) - 1
        )
        (self.root / "unknown").symlink_to("/proc/self/maps")
        self.assertEqual((self.root / "unknown").stat().st_size, 0)
        self.assert_unread(Reason.TOO_LARGE, "unknown", limit=100)

    def test_sparse(self) -> None:
        """One of a terabyte is refused without being read."""
        with (self.root / "huge").open("wb") as file:
            file.truncate(2**40)
        self.assert_unread(Reason.TOO_LARGE, "huge", limit=2**30)

    def test_missing(self) -> None:
        """What is not there is said to be so."""
        self.assert_unread(Reason.NOT_FOUND, f"keys/{name(1)}")
        self.assert_unread(Reason.NOT_FOUND, "config/x")

    def test_no_file(self) -> None:
        """Folders, and FIFOs, which would be waited for, are refused at once."""
        os.mkfifo(self.root / "keys" / name(1))
        self.assert_unread(Reason.PROTOCOL, f"keys/{name(1)}", "not a regular file")
        self.assert_unread(Reason.PROTOCOL, "keys", "not a regular file")

    def test_permission(self) -> None:
        """A file that we may not read is told by name."""
        (self.root / "config").chmod(0)
        with unprivileged():
            self.assert_unread(Reason.AUTH, "config", "Permission denied")

    def test_input_error(self) -> None:
        """A file that can be opened and not be read is an error of its storage."""
        # Nothing is mapped at the address 0.
        (self.root / "broken").symlink_to("/proc/self/mem")
        self.assert_unread(Reason.NETWORK, "broken", "Input/output error")

    def test_descriptors(self) -> None:
        """No outcome leaves a file open."""
        os.mkfifo(self.root / "fifo")
        before = len(os.listdir("/proc/self/fd"))
        for path, limit in (("config", 9), ("config", 1), ("keys", 9), ("fifo", 9), ("none", 9)):
            with contextlib.suppress(ReadError):
                self.read(path, limit)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)


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
        self.assertEqual(
            await self.list(self.backend),
            Listing(names, locks, frozenset({NAME}), config=config_of(self.root)),
        )
        self.assertEqual(self.meter, Meter({"list": 1}))

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
