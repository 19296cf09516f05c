"""Tests of `restic_reporter.commands.textfile`."""

import os
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.commands.textfile import check_textfile, write_textfile


class TextfileTests(SynchronousTestCase):
    """The file for node_exporter."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).resolve()
        self.folder.mkdir()
        self.path = self.folder / "restic.prom"

    def test_mode(self) -> None:
        """Others may read it, as far as the umask allows; also where it was there before."""
        for umask, mode in ((0o022, 0o644), (0o027, 0o640), (0o077, 0o600), (0, 0o644)):
            before = os.umask(umask)
            self.addCleanup(os.umask, before)
            write_textfile(self.path, b"x 1\n")
            os.umask(before)
            self.assertEqual(self.path.stat().st_mode & 0o777, mode)
            self.assertEqual(self.path.read_bytes(), b"x 1\n")
        self.assertEqual(list(self.folder.iterdir()), [self.path])

    def test_replaced_whole(self) -> None:
        """What is new is on disk under a name that nobody reads, before it takes the old place."""
        self.path.write_bytes(b"old 1\n")
        events: list[Any] = []
        fsync, replace = os.fsync, os.replace

        def note_fsync(descriptor: int) -> None:
            events.append(os.readlink(f"/proc/self/fd/{descriptor}"))
            fsync(descriptor)

        def note_replace(source: Path, target: Path) -> None:
            events.append((str(source), source.read_bytes(), target.read_bytes()))
            replace(source, target)

        self.patch(os, "fsync", note_fsync)
        self.patch(os, "replace", note_replace)
        write_textfile(self.path, b"new 1\n")
        synced, (source, fresh, old), folder = events
        self.assertEqual((fresh, old), (b"new 1\n", b"old 1\n"))
        self.assertEqual(synced, source)
        self.assertEqual(Path(source).parent, self.folder)
        self.assertFalse(source.endswith(".prom"))
        self.assertEqual(folder, str(self.folder))

    def test_disk_full(self) -> None:
        """Where it cannot be written, the old one stays and nothing else is left."""
        self.path.write_bytes(b"old 1\n")

        def full(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        self.patch(os, "fsync", full)
        self.assertRaises(OSError, write_textfile, self.path, b"new 1\n")
        self.assertEqual(self.path.read_bytes(), b"old 1\n")
        self.assertEqual(list(self.folder.iterdir()), [self.path])

    def test_checked(self) -> None:
        """What cannot work is told before the collection."""
        (self.folder / "folder.prom").mkdir()
        for name, problem in (
            ("restic.txt", "must end in .prom"),
            ("nowhere/restic.prom", "no such folder"),
            ("folder.prom", "is a folder"),
        ):
            error = self.assertRaises(ValueError, check_textfile, self.folder / name)
            self.assertIn(problem, str(error))
        check_textfile(self.path)
