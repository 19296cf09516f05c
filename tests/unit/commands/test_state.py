"""Tests of `restic_reporter.commands.state`: what is shown, of real databases."""

import io
import json
import sqlite3
import sys
from contextlib import closing

from attrs import evolve
from rich.console import Console

from restic_reporter.commands.cli import main
from restic_reporter.commands.state import owner_to_become, print_table, remembered
from restic_reporter.model.results import Result
from restic_reporter.state.database import Database
from restic_reporter.state.records import record_of
from tests.doubles.local_time import local_time
from tests.doubles.repositories import NOW
from tests.doubles.state_folder_case import EMPTY, WEB, StateCase
from tests.doubles.statuses import DAY, backups, status


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
                    *("REPOSITORY", "LAST READ", "FAILURE", "RESULTS"),
                ],
                ["-", "-", "-", "none", "0", "-", "-", EMPTY, "2023-11-15T03:43", "-", "-"],
                *(
                    [*cells, WEB, "2023-11-15T03:43", "tls", "-"]
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
        self.assertEqual(
            empty,
            {"url": EMPTY, "last_success": NOW, "reason": None, "sets": [], "results": []},
        )
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

    def test_results(self) -> None:
        """The results of jobs are shown, also of a repository that was never read."""
        check, drill = Result("check", NOW - DAY, 1, "pack\x1b"), Result("restore", NOW, 0)
        self.write(results={WEB: {"check": check, "restore": drill}, "/new": {"restore": drill}})
        cell = "check failed (1) 2023-11-14T03:43, restore ok 2023-11-15T03:43"
        new = "restore ok 2023-11-15T03:43"
        lines = self.run_it()[1]
        self.assertEqual([one.split("\t")[-1] for one in lines[1:]], ["-", new, *[cell] * 4])
        self.assertEqual(lines[2].split("\t")[7:10], ["/new", "-", "-"])
        text = io.StringIO()
        print_table(Console(file=text, width=160), remembered(str(self.path)))
        self.assertIn(
            f"{WEB}: last read 2023-11-15T03:43; latest read failed: tls; {cell}\n", text.getvalue()
        )
        self.assertIn(f"/new: last read -; {new}\n", text.getvalue())
        _, found, _ = json.loads("\n".join(self.run_it("--json")[1]))
        self.assertEqual((found["url"], found["last_success"], found["sets"]), ("/new", None, []))
        self.assertEqual(
            found["results"],
            [{"kind": "restore", "time": NOW, "exit": 0, "message": "", "success_before": None}],
        )
        self.run_it("forget", "/new")
        self.assertEqual(len(self.run_it()[1]), 6)

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
        """Only root becomes the owner of the database, and only of another's."""
        self.assertEqual(owner_to_become(0, (5, 6)), (5, 6))
        self.assertIsNone(owner_to_become(0, (0, 6)))
        self.assertIsNone(owner_to_become(5, (5, 6)))
        self.assertIsNone(owner_to_become(7, (5, 6)))
