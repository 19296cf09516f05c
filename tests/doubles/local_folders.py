"""Folders for the tests of the local backend."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.backends.local import look_at
from restic_reporter.model.errors import ReadError, Reason
from tests.doubles.repositories import name

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
