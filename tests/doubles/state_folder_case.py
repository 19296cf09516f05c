"""A folder of the state, for the command that shows and drops what is in it."""

import io
import sys
from array import array
from collections.abc import Mapping
from pathlib import Path

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.collection.state import RepositoryStatus
from restic_reporter.commands.cli import main
from restic_reporter.commands.state import remembered
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.model.results import Results
from restic_reporter.state.database import Database
from restic_reporter.state.folder import StateFolder
from restic_reporter.state.records import record_of
from restic_reporter.testing import MemoryReader
from tests.doubles.local_time import local_time
from tests.doubles.repositories import NOW, snapshot
from tests.doubles.statuses import DAY, backups, status

WEB, EMPTY = "rest:http://me:***@h/web", "/empty"


def web() -> RepositoryStatus:
    """A repository whose latest read failed, with a set whose snapshots have been removed."""
    learned = evolve(backups("db", 0.5, 1.5), learned_max_age=36 * 3600.0)
    known = status(WEB, learned, backups("web", 2), backups("web", 3, 4, user="www"))
    known.error = ReadError(Reason.TLS, "no")
    known.fingerprint = (3, "abc")
    known.table.add([snapshot(1), snapshot(2)], ())
    assert known.content is not None
    past = {("old", "root"): array("I", [int(NOW - 9 * DAY), int(NOW - 8 * DAY)])}
    known.content = evolve(known.content, past=past)
    return known


class StateCase(SynchronousTestCase):
    """A folder of the state with two repositories."""

    def setUp(self) -> None:
        """Write it as the daemon does, who has stopped since."""
        zone = local_time("Asia/Kolkata")
        zone.__enter__()
        self.addCleanup(zone.__exit__, None, None, None)
        self.path = Path(self.mktemp()).absolute()
        self.folder = StateFolder(self.path)
        self.statuses = [web(), status(EMPTY)]
        self.write(*self.statuses)

    def write(
        self, *statuses: RepositoryStatus, results: Mapping[str, Results] | None = None
    ) -> None:
        """Remember them."""
        self.folder.take()
        database = Database(self.folder)
        database.open(NOW)
        for one in statuses:
            one.task = evolve(one.task, reader=MemoryReader())
        records = [record_of(one, True, NOW, 0.0) for one in statuses]
        database.write([one for one in records if one is not None], None, NOW, results)
        database.close()
        self.folder.release()

    def run_it(self, *arguments: str) -> tuple[int, list[str]]:
        """The exit status of the command, and the lines that it printed."""
        output = io.StringIO()
        self.patch(sys, "stdout", output)
        self.patch(sys, "stderr", output)
        exit_status = main(["state", "--state-dir", str(self.path), *arguments])
        return exit_status, output.getvalue().splitlines()

    def refused(self, *arguments: str) -> str:
        """The only line of the command, which changes no file and creates none."""
        before = self.files()
        exit_status, (line,) = self.run_it(*arguments)
        self.assertEqual((exit_status, self.files()), (1, before))
        self.assertTrue(line.startswith("restic-reporter: "), line)
        return line.removeprefix("restic-reporter: ")

    def files(self) -> dict[str, bytes]:
        """What is in the folder, besides what SQLite notes of its readers."""
        return {
            one.name: content
            for one in self.path.glob("*")
            if one.name not in ("state.db-shm", "lock") and (content := one.read_bytes())
        }

    def names(self, url: str = WEB) -> list[tuple[str, str]]:
        """The hosts and users of the sets that are remembered."""
        (found,) = (one for one in remembered(str(self.path)) if one.url == url)
        return [(one.host, one.user) for one in found.sets]
