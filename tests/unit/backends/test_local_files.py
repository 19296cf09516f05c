"""Tests of reading a file of a local repository."""

import contextlib
import os

from restic_reporter.backends.local import read_file
from restic_reporter.model.errors import ReadError, Reason
from tests.doubles.local_folders import CONTENT, NAME, FolderCase, unprivileged
from tests.doubles.repositories import name


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
