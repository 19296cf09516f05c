"""The whole daemon with results of other jobs: ``POST /-/results``."""

import signal
import time

from restic_reporter.model.results import KINDS
from restic_reporter.state.database import Database
from restic_reporter.state.folder import StateFolder
from tests.doubles.programs import wait_until
from tests.doubles.results_case import ResultsCase

OK = (200, "OK\n")


class ResultsTests(ResultsCase):
    """``POST /-/results``."""

    def test_restart(self) -> None:
        """A result shows at once, stays over a restart, and gives way to newer ones only."""
        daemon = self.start()
        before = time.time()
        self.assertEqual(self.post(kind="check", exit=0), OK)
        self.assertEqual(self.post(kind="prune", exit=1, time=1699999999.5), OK)
        daemon.program.wait_for(r"result of prune for repo \(exit status 1\) reported over HTTP by")
        found = self.results()
        success, when = found["check"]
        self.assertEqual((success, found["prune"]), (1, (0, 1699999999.5)))
        self.assertTrue(before <= when <= time.time())
        daemon.stop()
        daemon = self.start()
        self.assertEqual(self.results(), found)
        self.assertEqual(
            self.post(kind="prune", exit=0, time=1699999999),
            (200, "OK, but a newer result of prune is known\n"),
        )
        self.assertEqual(self.results(), found)
        self.assertEqual(self.post(kind="prune", exit=0, time=1700000000), OK)
        self.assertEqual(self.results()["prune"], (1, 1700000000))
        daemon.program.wait_for("collected 1 repository")

    def test_no_backup(self) -> None:
        """Whatever is reported, no value of a backup changes; the log has the address."""
        daemon = self.start()
        before = daemon.metrics()
        for kind in KINDS:
            self.assertEqual(self.post(kind=kind, exit=0), OK)
        daemon.program.wait_for(r"reported over HTTP by 127\.0\.0\.1")
        after = daemon.metrics()
        names = after.names(url="repo")
        reported = {name for name in names if name.startswith("backup_result_")}
        self.assertEqual(names - reported, before.names(url="repo"))
        self.assertIn("backup_newest_timestamp", names)
        for name in names - reported:
            self.assertEqual(after.series(name), before.series(name), name)

    def test_killed(self) -> None:
        """A result of a second ago outlasts a KILL, without any collection."""
        daemon = self.start()
        now = time.time()
        self.assertEqual(self.post(kind="copy", exit=4, time=now), OK)
        wait_until(self.is_written)
        daemon.stop(signal.SIGKILL)
        self.start()
        self.assertEqual(self.results(), {"copy": (0, now)})

    def is_written(self) -> bool:
        """Whether the database has a result."""
        database = Database(StateFolder(self.folder.path / "state"))
        database.open_to_read()
        try:
            return bool(database.results(["repo"]))
        finally:
            database.close()

    def test_labels_come_and_go(self) -> None:
        """Results of a new entry are taken before it is read; those of a removed one go."""
        daemon = self.start()
        self.assertEqual(self.post("other", kind="check", exit=0)[0], 404)
        daemon.configure(self.entries)
        daemon.reload()
        self.assertEqual(self.post("other", kind="check", exit=0, time=5), OK)
        self.assertEqual(self.results("other"), {})
        daemon.collect()
        self.assertEqual(self.results("other"), {"check": (1, 5)})
        daemon.configure(self.entries[1:])
        daemon.reload()
        self.assertEqual(self.post(kind="check", exit=0)[0], 404)
        self.assertEqual(self.post("other", kind="check", exit=7, time=6), OK)
        daemon.collect()
        self.assertEqual((self.results(), self.results("other")), ({}, {"check": (0, 6)}))

    def test_never_read(self) -> None:
        """A repository that cannot be read has results all the same, also after a restart."""
        gone = [{**self.entries[0], "repo": "gone"}]
        now = int(time.time())
        daemon = self.start(entries=gone)
        self.assertEqual(self.post("gone", kind="restore", exit=2, time=now), OK)
        for _ in range(2):
            self.assertEqual(self.results("gone"), {"restore": (0, now)})
            daemon.stop()
            daemon = self.start(entries=gone)

    def test_bad(self) -> None:
        """A wrong one is answered with the reason, and the log repeats nothing of it."""
        daemon = self.start()
        self.assertEqual(
            self.post(kind="chek", exit=0),
            (
                400,
                "400 Bad Request: unknown kind 'chek'; known are check, restore, prune, copy,"
                " backup\n",
            ),
        )
        self.assertNotIn("chek", daemon.program.output)
