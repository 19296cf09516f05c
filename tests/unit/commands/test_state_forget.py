"""Tests of `restic_reporter.commands.state`: what is dropped from real databases."""

import io
import sys
from typing import Any

from restic_reporter.commands.cli import main
from restic_reporter.commands.state import remembered
from restic_reporter.model.snapshots import Content
from restic_reporter.state.database import Database
from restic_reporter.state.folder import StateFolder
from tests.doubles.state_folder_case import EMPTY, WEB, StateCase


class ForgetTests(StateCase):
    """What is dropped."""

    def read(self) -> tuple[dict[str, Any], Content, bytes]:
        """What the daemon will find of the repository: the head, the content and the table."""
        database = Database(self.folder)
        database.open_to_read()
        ((_, head, content, table),) = database.read([WEB])
        database.close()
        return head, content, table

    def test_repository(self) -> None:
        """A repository is named as in the config; the others stay."""
        done = self.run_it("forget", WEB.replace("***", "sesame"))
        self.assertEqual(done, (0, [f"forgot repository {WEB!r}"]))
        self.assertEqual([one.url for one in remembered(str(self.path))], [EMPTY])

    def test_host(self) -> None:
        """All sets of a host go; the next read counts the snapshots again."""
        head, _, table = self.read()
        self.assertIsNotNone(head["names"])
        exit_status, lines = self.run_it("forget", WEB, "web")
        self.assertEqual(exit_status, 0)
        self.assertEqual(
            lines,
            [f"forgot host 'web', user {user!r} in {WEB!r}" for user in ("root", "www")],
        )
        self.assertEqual(self.names(), [("db", "root"), ("old", "root")])
        after, content, same_table = self.read()
        self.assertEqual(after, {**head, "names": None})
        self.assertEqual((content.snapshot_count, same_table), (2, table))

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
