"""What the tests of the restic reader share: real repositories, and restics that pretend."""

import functools
import os
import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from restic_reporter.concurrency.deadline import Deadline, within
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.model.repository import Repository
from restic_reporter.readers.restic import ResticReader
from restic_reporter.redaction.secret import Secret
from restic_reporter.testing import read_request
from tests.doubles.child_programs import PATIENCE
from tests.doubles.native_repositories import cheapen
from tests.doubles.programs import Folder
from tests.doubles.repositories import Outcome, outcome
from tests.doubles.servers import restic, snapshots

VERSIONS = ("restic-0.14", "restic-0.18", "restic-0.19")


PASSWORD = "open sesame"


NOW = datetime.fromisoformat("2026-01-01T00:00:00+00:00").timestamp()


ENVIRON = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}


# Local times, with the zone of the client.
BACKUPS = (
    ("alpha", "2025-03-01 12:00:00", "Asia/Tokyo"),
    ("alpha", "2025-03-01 05:00:00", "America/St_Johns"),
    ("beta", "2024-02-29 23:59:59", "UTC"),
    ("gämma ray", "2027-01-01 00:00:00", "UTC"),
)


@functools.cache
def made(program: str) -> Path:
    """
    A repository made by this version: its folder, beside which lies an empty one.

    Their key is a cheap one, so that each restic goes on in no time.
    """
    folder = Path(f"made-by-{program}").resolve()
    folder.mkdir()
    data = folder / "data"
    data.write_text("some data")
    restic(folder / "empty", "init", password=PASSWORD, program=program)
    cheapen(folder / "empty", PASSWORD)
    shutil.copytree(folder / "empty", folder / "full")
    for host, local, zone in BACKUPS:
        restic(
            folder / "full",
            *("backup", "--host", host, "--time", local, str(data)),
            password=PASSWORD,
            program=program,
            environment={"TZ": zone},
        )
    return folder


def entry(location: str | Path, password: Any = PASSWORD, **options: Any) -> Repository:
    """An entry of the config."""
    if isinstance(password, str):
        password = Secret(password)
    return Repository(
        position=1,
        url="label",
        scheme="local",
        location=Secret(str(location)),
        password=password,
        **options,
    )


def read(
    program: str,
    repository: Repository,
    seconds: float = PATIENCE,
    environ: Mapping[str, str] = ENVIRON,
) -> "Deferred[Outcome]":
    """Read as the collection does, under a deadline."""
    reader = ResticReader(reactor, program, environ)
    deadline = Deadline.after(reactor, seconds)
    work = outcome(reader, read_request(repository, deadline), NOW)
    return Deferred.fromCoroutine(within(deadline, work, "reading"))


class ReaderTestCase(TestCase):
    """What all these tests need."""

    def folder(self) -> Folder:
        """A temporary folder for servers."""
        folder = Folder()
        self.addCleanup(folder.close)
        return folder

    def copy(self, path: Path, name: str = "copy") -> Path:
        """A copy of a repository that may be damaged."""
        target = Path(self.mktemp()).resolve() / name
        shutil.copytree(path, target)
        for file in target.rglob("*"):
            file.chmod(file.stat().st_mode | 0o200)
        return target

    async def assert_fails(
        self, program: str, repository: Repository, reason: Reason, **options: Any
    ) -> str:
        """Reading fails for this reason; the message."""
        error: Any = await self.assertFailure(read(program, repository, **options), ReadError)
        self.assertEqual(error.reason, reason, error.message)
        for secret in repository.secrets():
            # Shorter ones are not masked, as they would show by where the masks are.
            if len(secret.reveal()) >= 4:
                self.assertNotIn(secret.reveal(), error.message)
        message: str = error.message
        return message

    def assert_like(self, result: Outcome, path: Path, program: str) -> None:
        """The result is what restic, asked by hand, says of the repository at ``path``."""
        expected: dict[str, list[float]] = {}
        listed = snapshots(path, password=PASSWORD, program=program)
        for snapshot in listed:
            times = expected.setdefault(snapshot["hostname"], [])
            times.append(datetime.fromisoformat(snapshot["time"]).timestamp())
        self.assertEqual(result.ids, {snapshot["id"] for snapshot in listed})
        self.assertEqual(result.content.snapshot_count, len(listed))
        self.assertEqual(
            {one.host: (one.snapshot_count, one.newest, one.oldest) for one in result.content.sets},
            {
                host: (len(times), past and max(past), past and min(past))
                for host, times in expected.items()
                for past in [[time for time in times if time <= NOW] or None]
            },
        )
        self.assertEqual(
            {one.user for one in result.content.sets},
            {snapshot["username"] for snapshot in listed},
        )
