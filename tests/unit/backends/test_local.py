"""Tests of `restic_reporter.backends.local`, with real folders and real threads."""

import contextlib
import errno
import os
import resource
import threading
from collections.abc import Iterator
from typing import Any

from attrs import evolve

from restic_reporter.backends.local import look_at
from restic_reporter.model.errors import Reason
from restic_reporter.model.snapshots import Listing
from tests.doubles.local_folders import NAME, FolderCase, config_of, unprivileged
from tests.doubles.repositories import name


@contextlib.contextmanager
def no_descriptors() -> Iterator[None]:
    """Have no file descriptor left meanwhile."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


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
        listing = self.look()
        self.assertEqual(
            evolve(listing, lock_times=None, key_times=None),
            Listing(names, locks, frozenset({NAME}), config=config_of(self.root)),
        )
        self.assertEqual(len(listing.lock_times or ()), 3)

    def test_lock_times(self) -> None:
        """The locks' times are those of their files."""
        for number, time in enumerate((1_700_000_000.5, 1_600_000_000)):
            (self.root / "locks" / name(number)).touch()
            os.utime(self.root / "locks" / name(number), (0, time))
        (self.root / "locks" / "foreign").touch()
        self.assertEqual(self.look().lock_times, (1_600_000_000, 1_700_000_000.5))

    def test_key_times(self) -> None:
        """The times of the keys are those of their files, by name."""
        for key, time in ((NAME, 1_700_000_000.5), (name(7), 1_600_000_000)):
            (self.root / "keys" / key).touch()
            os.utime(self.root / "keys" / key, (0, time))
        self.assertEqual(self.look().key_times, {NAME: 1_700_000_000.5, name(7): 1_600_000_000})

    def test_missing_folders(self) -> None:
        """Folders that are not there are empty, where there is a config: git keeps none."""
        root = self.folder / "bare"
        root.mkdir()
        (root / "config").touch()
        nothing: frozenset[str] = frozenset()
        self.assertEqual(
            look_at(str(root)),
            Listing(nothing, nothing, nothing, config=config_of(root), lock_times=(), key_times={}),
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
