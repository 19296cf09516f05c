"""What the tests of the SFTP backend share: a fake server for a folder, through its own login."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet import reactor as default_reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from restic_reporter.backends.sftp import SFTPBackend, login
from restic_reporter.backends.sftp.connection import Connection
from restic_reporter.backends.sftp.login import Login
from restic_reporter.backends.sftp.settings import configure
from restic_reporter.concurrency.deadline import Deadline
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.model.repository import Repository
from restic_reporter.model.settings import OwnKeys
from restic_reporter.model.snapshots import Meter
from restic_reporter.redaction.secret import Secret
from tests.doubles import fake_sftp
from tests.doubles.child_programs import PATIENCE
from tests.doubles.repositories import no_tools

reactor: Any = default_reactor

FAKE = Path(fake_sftp.__file__)


def fake_command(log: Path, *faults: str) -> str:
    """The fake server as a value of ``sftp.command``."""
    words = [sys.executable, "-I", "-S", str(FAKE), str(log), *faults]
    return " ".join(f"'{word}'" for word in words)


def sftp_repository(path: str, command: str, env: Mapping[str, str] | None = None) -> Repository:
    """An entry whose repository is at ``path``, behind ``sftp.command``."""
    return sftp_entry(f"sftp:host:{path}", {"sftp.command": command}, env or {}, os.environ)


def sftp_entry(repo: str, options: Mapping[str, str], *environs: Mapping[str, str]) -> Repository:
    """An entry with restic's extended ``options``."""
    own = OwnKeys(repo, options=options, environs=environs)
    settings = configure(own)
    assert settings is not None, own.problems
    return Repository(
        1, repo, "sftp", Secret(repo), Secret("x"), settings=settings, options=options
    )


class SFTPCase(TestCase):
    """A folder with a repository, and fake servers for it."""

    timeout = PATIENCE

    def setUp(self) -> None:
        super().setUp()
        self.path = Path(self.mktemp()).resolve() / "some where-ü"
        self.path.parent.mkdir()
        self.log = self.path.parent / "log"
        self.tools = evolve(no_tools(), reactor=reactor)
        self.meter = Meter()
        self.connections: list[Connection] = []
        self.patch(login, "Connection", self.connect)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.end()))

    def connect(self, *arguments: Any) -> Connection:
        """A connection, which is remembered."""
        self.connections.append(Connection(*arguments))
        return self.connections[-1]

    async def end(self) -> None:
        """End all logins, and wait for them."""
        for one in self.tools.shared.values():
            if isinstance(one, Login):
                one.close()
        for connection in self.connections:
            if hasattr(connection, "_child"):
                await connection.closed()

    async def settled(self, backend: SFTPBackend) -> None:
        """Wait until the server has answered all that was asked before."""
        await backend.login.use(
            self.deadline(), self.meter, lambda client: client.getAttrs(b"/", followLinks=1)
        )

    def backend(self, *faults: str, name: str = "", **options: Any) -> SFTPBackend:
        """The backend of the repository, or of another beside it."""
        path = str(self.path.parent / name) if name else str(self.path)
        command = fake_command(self.log, *faults)
        return SFTPBackend.make(sftp_repository(path, command, **options), self.tools)

    def make(self, *paths: str, name: str = "") -> None:
        """Make a repository with a config, a key, and empty files at ``paths``."""
        root = self.path.parent / name if name else self.path
        for path in ("config", f"keys/{'a' * 64}", *paths):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(b"config" if path == "config" else b"")

    def logged(self, word: str) -> list[str]:
        """The lines of the servers' log that begin with ``word``."""
        text = self.log.read_text() if self.log.exists() else ""
        return [line for line in text.splitlines() if line.split()[0] == word]

    def deadline(self, seconds: float = PATIENCE) -> Deadline:
        """A deadline on the true clock."""
        return Deadline.after(reactor, seconds)

    def last_pid(self) -> int:
        """The process of the latest login."""
        return int(self.logged("login")[-1].split()[1])

    async def assert_error(self, work: Any, reason: Reason, *words: str) -> str:
        """``work`` fails for this reason, with these words; the message."""
        try:
            result = await work
        except ReadError as error:
            self.assertEqual(error.reason, reason, error.message)
            for word in words:
                self.assertIn(word, error.message)
            return error.message
        self.fail(f"no error, but {result!r}")
