"""Tests of `restic_reporter.commands.state`, over real databases."""

import io
import json
import sqlite3
import sys
from array import array
from contextlib import closing
from pathlib import Path
from typing import Any

from attrs import evolve
from rich.console import Console
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.collection.state import RepositoryStatus
from restic_reporter.commands.cli import main
from restic_reporter.commands.state import owner_to_become, print_table, remembered
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.state.database import Database
from restic_reporter.state.folder import StateFolder
from restic_reporter.state.records import record_of, restored
from restic_reporter.testing import MemoryReader
from tests.doubles.local_time import local_time
from tests.doubles.repositories import NOW
from tests.doubles.statuses import DAY, backups, status

WEB, EMPTY = "rest:http://me:***@h/web", "/empty"


def web() -> RepositoryStatus:
    """A repository whose latest read failed, with a set whose snapshots have been removed."""
    learned = evolve(backups("db", 0.5, 1.5), learned_max_age=36 * 3600.0)
    known = status(WEB, learned, backups("web", 2), backups("web", 3, 4, user="www"))
    known.error = ReadError(Reason.TLS, "no")
    known.fingerprint = (3, "abc")
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

    def write(self, *statuses: RepositoryStatus) -> None:
        """Remember them."""
        self.folder.take()
        database = Database(self.folder)
        database.open(NOW)
        for one in statuses:
            one.task = evolve(one.task, reader=MemoryReader())
        records = [record_of(one, True, NOW, 0.0) for one in statuses]
        database.write([one for one in records if one is not None], None, NOW)
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


class ShowTests(StateCase):
    """What is shown."""

    def test_lines(self) -> None:
        """Each set has a line; one of the past says so, and so does an empty repository."""
        exit_status, lines = self.run_it()
        self.assertEqual(exit_status, 0)
        self.assertEqual(
            [line.split("\t") for line in lines],
            [
                [
                    *("HOST", "USER", "NEWEST", "SNAPSHOTS", "RUNS", "SINCE", "LEARNED"),
                    *("REPOSITORY", "LAST READ", "FAILURE"),
                ],
                ["-", "-", "-", "none", "0", "-", "-", EMPTY, "2023-11-15T03:43", "-"],
                *(
                    [*cells, WEB, "2023-11-15T03:43", "tls"]
                    for cells in (
                        ["db", "root", "2023-11-14T15:43", "2", "2", "2023-11-13", "36h"],
                        ["old", "root", "2023-11-07T03:43", "none", "2", "2023-11-06", "-"],
                        ["web", "root", "2023-11-13T03:43", "1", "1", "2023-11-13", "-"],
                        ["web", "www", "2023-11-12T03:43", "2", "2", "2023-11-11", "-"],
                    )
                ),
            ],
        )

    def test_json(self) -> None:
        """JSON has all values, times in Unix seconds."""
        exit_status, lines = self.run_it("--json")
        empty, found = json.loads("\n".join(lines))
        self.assertEqual(exit_status, 0)
        self.assertEqual(empty, {"url": EMPTY, "last_success": NOW, "reason": None, "sets": []})
        self.assertEqual((found["url"], found["reason"], len(found["sets"])), (WEB, "tls", 4))
        self.assertEqual(
            found["sets"][0],
            {
                "host": "db",
                "user": "root",
                "newest": NOW - 0.5 * DAY,
                "snapshots": 2,
                "runs": 2,
                "since": NOW - 1.5 * DAY,
                "learned_max_age": 36 * 3600.0,
            },
        )

    def test_table(self) -> None:
        """On a terminal, lines tell of the repositories, and the sets follow in a table."""
        text = io.StringIO()
        print_table(Console(file=text, width=120), remembered(str(self.path)))
        lines = [line.rstrip() for line in text.getvalue().splitlines()]
        self.assertEqual(
            lines[:3],
            [
                f"{EMPTY}: last read 2023-11-15T03:43",
                f"{WEB}: last read 2023-11-15T03:43; latest read failed: tls",
                "",
            ],
        )
        self.assertEqual(lines[3].split()[-2:], ["Learned", "Repository"])
        self.assertEqual(lines[5].split()[:3], ["db", "root", "2023-11-14T15:43"])
        self.assertEqual(len(lines), 9)

    def test_long_ages(self) -> None:
        """Long learned ages are in days."""
        learned = evolve(backups("a", 1), learned_max_age=10.5 * DAY)
        self.write(status(EMPTY, learned))
        self.assertIn("\t10.5d\t", self.run_it()[1][1])

    def test_hostile_names(self) -> None:
        """A host's name cannot move the cursor, or feign another cell."""
        self.write(status(EMPTY, backups("\x1b[2Jevil\u202e\tx", 1)))
        cell = "\N{REPLACEMENT CHARACTER}[2Jevil\N{REPLACEMENT CHARACTER} x"
        self.assertEqual(self.run_it()[1][1].split("\t")[0], cell)
        text = io.StringIO()
        print_table(Console(file=text, width=120), remembered(str(self.path)))
        self.assertIn(cell, text.getvalue())

    def test_beside_a_daemon(self) -> None:
        """It shows what a running daemon has just written, and leaves the daemon's files alone."""
        self.folder.take()
        self.addCleanup(self.folder.release)
        database = Database(self.folder)
        self.addCleanup(database.close)
        database.open(NOW)
        record = record_of(self.statuses[0], True, NOW, 0.0)
        assert record is not None
        for url in ("/new", "/newer"):
            another = evolve(record, url=url, head={**record.head, "url": url})
            database.write([another], None, NOW)
            before = self.files()
            self.assertIn(("db", "root"), self.names(url))
            self.assertEqual(self.files(), before)


class UnusableTests(StateCase):
    """What cannot be shown is left as it is."""

    def test_no_folder(self) -> None:
        """Neither the folder nor the database is created."""
        for name in ("state.db", ""):
            missing = self.path / name
            missing.rename(self.path.with_name("elsewhere" + name))
            for arguments in ((), ("forget", WEB)):
                line = self.refused(*arguments)
                self.assertTrue(line.startswith("--state-dir: no such file or folder: '/"), line)
            self.assertFalse(missing.exists())

    def test_no_option(self) -> None:
        """Without the option, systemd's variable names the folder; one of the two must."""
        output = io.StringIO()
        self.patch(sys, "stdout", output)
        self.patch(sys, "stderr", output)
        with local_time("UTC", STATE_DIRECTORY=""):
            self.assertEqual(main(["state"]), 1)
        self.assertIn("missing --state-dir", output.getvalue())
        with local_time("UTC", STATE_DIRECTORY=f"{self.path}:/other"):
            self.assertEqual(main(["state"]), 0)
        self.assertIn(WEB, output.getvalue())

    def test_corrupt(self) -> None:
        """Bytes that were not written so are told, and left for the daemon to mend."""
        sound = (self.path / "state.db").read_bytes()
        (self.path / "state.db").write_bytes(b"no database" * 1000)
        for arguments in ((), ("forget", WEB)):
            self.assertIn("is corrupt", self.refused(*arguments))
        (self.path / "state.db").write_bytes(sound)
        with closing(sqlite3.connect(self.path / "state.db")) as connection:
            connection.execute("UPDATE content SET value = value || x'00'")
            connection.commit()
        for arguments in ((), ("forget", WEB)):
            self.assertIn("is corrupt", self.refused(*arguments))

    def test_other_versions(self) -> None:
        """The version of another release is told."""
        for version, release in ((0, "an older"), (99, "a newer")):
            with closing(sqlite3.connect(self.path / "state.db")) as connection:
                connection.execute(f"PRAGMA user_version = {version}")
            problem = f"database has version {version}, written by {release} release"
            self.assertEqual(self.refused(), problem)
        self.assertEqual(self.refused("forget", WEB), problem)

    def test_owner(self) -> None:
        """Only root becomes the owner of the folder, and only of another's."""
        self.assertEqual(owner_to_become(0, (5, 6)), (5, 6))
        self.assertIsNone(owner_to_become(0, (0, 6)))
        self.assertIsNone(owner_to_become(5, (5, 6)))
        self.assertIsNone(owner_to_become(7, (5, 6)))


class ForgetTests(StateCase):
    """What is dropped."""

    def read(self) -> tuple[Any, RepositoryStatus]:
        """The head of the repository, and its status after a restart of the daemon."""
        database = Database(self.folder)
        database.open_to_read()
        ((_, head, content, packed),) = database.read([WEB])
        database.close()
        known = restored(self.statuses[0].task, head, content, packed, NOW, 0.0)
        assert known is not None
        return head, known

    def test_repository(self) -> None:
        """A repository is named as in the config; the others stay."""
        done = self.run_it("forget", WEB.replace("***", "sesame"))
        self.assertEqual(done, (0, [f"forgot repository {WEB!r}"]))
        self.assertEqual([one.url for one in remembered(str(self.path))], [EMPTY])

    def test_host(self) -> None:
        """All sets of a host go; the next read counts the snapshots again."""
        self.assertIsNotNone(self.read()[1].fingerprint)
        exit_status, lines = self.run_it("forget", WEB, "web")
        self.assertEqual(exit_status, 0)
        self.assertEqual(
            lines,
            [f"forgot host 'web', user {user!r} in {WEB!r}" for user in ("root", "www")],
        )
        self.assertEqual(self.names(), [("db", "root"), ("old", "root")])
        head, known = self.read()
        assert known.content is not None
        self.assertIsNone(known.fingerprint)
        self.assertEqual((known.content.snapshot_count, known.last_success), (2, NOW))
        self.assertEqual(head, {**head, "reason": "tls", "names": None})

    def test_user(self) -> None:
        """Only the set of this user goes."""
        self.assertEqual(self.run_it("forget", WEB, "web", "www")[0], 0)
        self.assertEqual(self.names(), [("db", "root"), ("old", "root"), ("web", "root")])

    def test_past(self) -> None:
        """So does a set of the past."""
        self.assertEqual(self.run_it("forget", WEB, "old")[0], 0)
        self.assertNotIn(("old", "root"), self.names())

    def test_option_after_the_command(self) -> None:
        """The folder may be named after the command too."""
        self.patch(sys, "stdout", io.StringIO())
        arguments = ["state", "forget", f"--state-dir={self.path}", EMPTY]
        self.assertEqual(main(arguments), 0)
        self.assertEqual([one.url for one in remembered(str(self.path))], [WEB])

    def test_unknown(self) -> None:
        """An unknown name is refused, with the nearest one that is known."""
        for arguments, problem in (
            (("/emty",), "unknown repository '/emty'; did you mean '/empty'?"),
            (("xyz",), "unknown repository 'xyz'; see 'restic-reporter state'"),
            ((WEB, "webb"), "unknown host 'webb'; did you mean 'web'?"),
            ((WEB, "web", "wwww"), "unknown user 'wwww'; did you mean 'www'?"),
            ((EMPTY, "web"), "unknown host 'web'; see 'restic-reporter state'"),
        ):
            self.assertEqual(self.refused("forget", *arguments), problem)
        self.assertEqual(len(self.names()), 4)

    def test_beside_a_daemon(self) -> None:
        """Nothing is dropped while a daemon has the folder."""
        daemon = StateFolder(self.path)
        daemon.take()
        self.addCleanup(daemon.release)
        self.assertRegex(
            self.refused("forget", WEB),
            r"' is in use by another restic-reporter \(process \d+\); stop it first$",
        )
        self.assertEqual(len(self.names()), 4)
