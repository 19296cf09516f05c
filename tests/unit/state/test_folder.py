"""Tests of `restic_reporter.state.folder`."""

import errno
import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.state.folder import HeldError, StateFolder
from tests.doubles.programs import ROOT

HOLD = (
    "import sys; from pathlib import Path; from restic_reporter.state.folder import *;"
    "folder = StateFolder(Path(sys.argv[1])); folder.take(); print('held', flush=True);"
    "sys.stdin.read()"
)


def mode(path: Path) -> str:
    """The permissions of a file, octal."""
    return f"{path.stat().st_mode & 0o777:o}"


class StateFolderTests(SynchronousTestCase):
    """`StateFolder`."""

    def setUp(self) -> None:
        """A folder that does not exist yet."""
        self.path = Path(self.mktemp()).absolute() / "deep" / "state"
        self.folder = StateFolder(self.path)

    def take(self) -> None:
        """Take it until the end of the test."""
        self.folder.take()
        self.addCleanup(self.folder.release)

    def test_private(self) -> None:
        """Folder and files are for their owner alone, whatever the umask."""
        self.addCleanup(os.umask, os.umask(0))
        self.take()
        self.folder.create_database()
        modes = [mode(one) for one in (self.path, self.path / "lock", self.folder.database)]
        self.assertEqual(modes, ["700", "600", "600"])

    def test_of_others(self) -> None:
        """A folder of another user, which the daemon may write to, serves too."""

        def refuse(path: Path, mode: int) -> None:
            raise PermissionError(errno.EPERM, "Operation not permitted")

        self.path.mkdir(parents=True)
        self.path.chmod(0o770)
        self.patch(Path, "chmod", refuse)
        self.take()
        self.folder.create_database()
        self.assertEqual([mode(self.path), mode(self.folder.database)], ["770", "600"])

    def test_made_private(self) -> None:
        """A folder that was open to others is closed, unless it has files of somebody else."""
        self.path.mkdir(parents=True)
        self.path.chmod(0o755)
        self.take()
        self.assertEqual(mode(self.path), "700")
        self.folder.release()
        self.path.chmod(0o755)
        (self.path / "web.conf").touch()
        self.take()
        self.assertEqual(mode(self.path), "755")

    def test_held(self) -> None:
        """It belongs to one process, which the message names, until that ends by whatever."""
        child = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(self.path)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.addCleanup(child.communicate)
        self.addCleanup(child.kill)
        assert child.stdout is not None
        self.assertEqual(child.stdout.readline(), b"held\n")
        error = self.assertRaises(HeldError, self.folder.take)
        self.assertEqual(
            str(error),
            f"{str(self.path)!r} is in use by another restic-reporter (process {child.pid})",
        )
        child.kill()
        child.wait()
        self.take()

    def test_no_folder(self) -> None:
        """A folder that cannot be made is an error of the system, and nothing stays locked."""
        self.path.parent.mkdir(parents=True)
        self.path.touch()
        self.assertRaises(OSError, self.folder.take)
        self.path.unlink()
        self.take()

    def test_set_aside(self) -> None:
        """The database is renamed with its companions, never onto another file."""
        self.take()
        names = set()
        for number in range(3):
            for suffix in ("", "-wal"):
                Path(f"{self.folder.database}{suffix}").write_text(str(number))
            names.add(self.folder.set_aside("corrupt"))
        self.assertFalse(self.folder.database.exists())
        self.assertEqual(len(names), 3)
        for suffix in ("", "-wal"):
            found = {(self.path / f"{one}{suffix}").read_text() for one in names}
            self.assertEqual(found, {"0", "1", "2"})
