"""The whole daemon after a restart: what was last read well is served, and read no second time."""

import re
import signal
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from restic_reporter.state.database import Database
from restic_reporter.state.folder import StateFolder
from restic_reporter.state.records import Record
from tests.doubles.daemons import Daemon, Metrics
from tests.doubles.programs import Folder, status_of
from tests.doubles.servers import copy_example, restic
from tests.doubles.state_case import (
    AFTERWARDS,
    AT_ONCE,
    StateCase,
    content,
    content_by_any_reader,
    held,
)
from tests.doubles.tools import tool

DAY = 86400.0


class RestartTests(StateCase):
    """A restart with a repository that is as it was, that is away, or that has changed."""

    def counting_restic(self) -> tuple[str, Path]:
        """A restic that notes its starts in a file."""
        calls = self.folder.write("calls", "")
        text = f'#!/bin/sh\necho >> {calls}\nexec {tool("restic-0.18")} "$@"\n'
        return str(self.folder.write("counting-restic", text, 0o755)), calls

    def age(self, seconds: float) -> None:
        """Have what is remembered be older."""
        database = Database(StateFolder(self.state))
        database.open(time.time())
        [(url, head, _, _)] = database.read([self.url])
        head["last_success"] -= seconds
        if head["access"]:
            head["access"][2] -= seconds
        database.write([Record(url, head)], None, time.time())
        database.close()

    def test_unchanged_starts_no_restic(self) -> None:
        """An unchanged repository costs two listings and no restic, after however long."""
        program, calls = self.counting_restic()
        before = self.remembered("--reader=restic", restic=program)
        self.assertGreater(len(content(before)), 60)
        calls.write_text("")
        self.age(90 * DAY)
        daemon = self.restarted("--reader=restic", restic=program)
        daemon.program.wait_for("collected 1 repository")
        after = daemon.metrics()
        self.assertEqual(content(after), content(before))
        self.assertEqual(self.requests(after), {"list": 2})
        self.assertEqual(calls.read_text(), "")
        self.assert_good(after)
        restic(self.repository, "backup", "--quiet", "--host=new", str(calls))
        daemon.collect()
        self.assertEqual(daemon.metrics().value("backup_snapshot_count", url=self.url), 63)
        self.assertEqual(calls.read_text(), "\n")

    def test_unchanged_derives_no_key(self) -> None:
        """An unchanged native one costs two listings; afterwards one key and no snapshot."""
        before = self.remembered()
        self.age(DAY / 2)
        metrics, log = self.single_run()
        self.assertEqual(log, "")
        self.assertEqual(content(metrics), content(before))
        self.assertEqual(self.requests(metrics), {"list": 2})
        self.assert_good(metrics)
        self.age(90 * DAY)
        status_of(self.server.address, "/from-here-on")
        self.server.program.wait_for("GET /from-here-on")
        since = len(self.server.program.lines)
        daemon = self.restarted()
        daemon.program.wait_for("collected 1 repository")
        self.assertEqual(content(daemon.metrics()), content(before))
        self.server.program.wait_for("GET /repo/keys/[0-9a-f]{64}")
        log = "".join(self.server.program.lines[since:])
        # Two folders are listed at a time, in any order.
        listed = re.findall(r"GET /repo/(\w+)/ ", log)
        self.assertEqual(Counter(listed), {"snapshots": 2, "locks": 2, "keys": 1})
        self.assertEqual(listed[-1], "keys")
        self.assertEqual(len(re.findall(r"GET /repo/\w+/\w+", log)), 1)
        self.assert_good(daemon.metrics())

    def test_server_away(self) -> None:
        """While the server is away its values are served at once, and nothing is lost."""
        before = self.remembered()
        self.served_at_once(before, failures=0)
        self.server.stop()
        daemon = self.restarted()
        daemon.program.wait_for("cannot read .*network")
        daemon.program.wait_for("collected 1 repository")
        metrics = daemon.metrics()
        self.assert_kept(metrics, before)
        self.assert_failed(metrics, "network", 1)
        self.assertEqual(metrics.value("backup_job_error_count"), 1)
        daemon.stop()
        self.server.start_again()
        self.served_at_once(before, failures=1)
        daemon = self.restarted()
        daemon.program.wait_for("collected 1 repository")
        after = daemon.metrics()
        self.assert_good(after)
        self.assertEqual(content(after), content(before))

    def served_at_once(self, before: Metrics, failures: int) -> None:
        """What was known is served before any read can have ended."""
        with held(self.server):
            daemon = self.restarted()
            metrics = daemon.metrics()
            self.assert_kept(metrics, before)
            self.assertEqual(metrics.value("backup_read_error_count", url=self.url), failures)
            self.assertEqual(metrics.value("backup_job_error_count"), failures)
            daemon.stop(signal.SIGKILL)

    def assert_kept(self, metrics: Metrics, before: Metrics) -> None:
        """The content, and the time of the last good read, are as they were."""
        self.assertEqual(content(metrics), content(before))
        name = "backup_read_last_success_timestamp_seconds"
        self.assertEqual(metrics.series(name), before.series(name))

    def test_wrong_password(self) -> None:
        """A password that no longer fits shows after the first collection, and in each later."""
        before = self.remembered()
        wrong = [{**self.entry, "password": "mistaken"}]
        daemon = self.restarted(entries=wrong)
        self.assertEqual(content(daemon.metrics()), content(before))
        self.refused(daemon, before)
        with held(self.server):
            daemon = self.restarted(entries=wrong)
            self.assert_failed(daemon.metrics(), "auth", 0)
            daemon.stop(signal.SIGKILL)
        daemon = self.restarted(entries=wrong)
        daemon.program.wait_for("cannot read .*auth")
        daemon.program.wait_for("collected 1 repository")
        daemon.configure([self.entry])
        daemon.reload()
        daemon.collect()
        self.assert_good(daemon.metrics())
        self.assertEqual(content(daemon.metrics()), content(before))

    def test_wrong_password_in_a_folder(self) -> None:
        """The same of a folder, whose listing shows the keys."""
        self.url = str(self.repository)
        self.entry["repo"] = self.url
        before = self.remembered()
        self.refused(self.restarted(entries=[{**self.entry, "password": "mistaken"}]), before)
        daemon = self.restarted()
        daemon.program.wait_for("collected 1 repository")
        self.assert_good(daemon.metrics())

    def refused(self, daemon: Daemon, before: Metrics) -> None:
        """Its password does not open the unchanged repository, which it finds out itself."""
        daemon.program.wait_for("collected 1 repository.* 0 could not be read")
        daemon.program.wait_for("cannot read .*auth")
        self.assert_failed(daemon.metrics(), "auth", 1)
        daemon.collect()
        self.assert_failed(daemon.metrics(), "auth", 2)
        self.assertEqual(content(daemon.metrics()), content(before))
        daemon.stop()


class HistoryTests(StateCase):
    """When sets were backed up, and to which entry that belongs."""

    def setUp(self) -> None:
        """A set that was backed up on five days, at each when it was due."""
        super().setUp()
        self.entry["schedule"] = "0 12 * * *"
        self.data = self.folder.write("file", "")
        for days in range(2, 7):
            self.back_up(self.repository, days)

    def back_up(self, repository: Path, days: int) -> None:
        """Back up the set so many days ago."""
        day = datetime.now(UTC) - timedelta(days=days)
        time = f"{day:%Y-%m-%d} 12:01:00"
        arguments = ("backup", "--quiet", "--host=laptop", f"--time={time}", str(self.data))
        restic(repository, *arguments, environment={"TZ": "UTC"})

    def start(self, *options: str, **arguments: Any) -> Daemon:
        """A daemon with the time zone of the schedule."""
        return super().start(*options, environment={"TZ": "UTC"}, **arguments)

    def runs(self, metrics: Metrics) -> tuple[float, float]:
        """The snapshots of the set, and how many of its due times were met."""
        [count] = metrics.series("backup_set_snapshot_count", host="laptop").values()
        [met] = metrics.series("backup_set_runs_met", host="laptop").values()
        return count, met

    def test_forgotten(self) -> None:
        """A backup counts as made after its snapshot was forgotten, even if all of the set were."""
        # The oldest is there, but not when it was due.
        self.assertEqual(self.runs(self.remembered()), (5, 4))
        restic(self.repository, "forget", "--host=laptop", "--keep-last=1")
        daemon = self.restarted()
        self.assertEqual(self.runs(daemon.metrics())[1], 4)
        daemon.program.wait_for("collected 1 repository")
        self.assertEqual(self.runs(daemon.metrics()), (1, 4))
        daemon.stop()
        restic(self.repository, "forget", "--host=laptop", "--unsafe-allow-remove-all")
        daemon = self.restarted()
        daemon.program.wait_for("collected 1 repository")
        self.assertEqual(daemon.metrics().series("backup_set_runs_met", host="laptop"), {})
        daemon.stop()
        self.back_up(self.repository, 1)
        daemon = self.restarted()
        daemon.program.wait_for("collected 1 repository")
        self.assertEqual(self.runs(daemon.metrics()), (1, 5))
        daemon.stop(signal.SIGKILL)

    def test_other_folder(self) -> None:
        """A relative path that means another folder now has nothing of the first one's."""
        entries = [{**self.entry, "repo": "data/repo"}]
        self.remembered(entries=entries)
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        other = copy_example(self.folder.path / "data" / "repo")
        restic(other, "forget", "--keep-last=1", "--group-by=")
        self.back_up(other, 3)
        self.back_up(other, 2)
        for opens in (AFTERWARDS, AT_ONCE):
            daemon = self.restarted(entries=entries, opens=opens)
            metrics = daemon.metrics()
            self.assertEqual(metrics.value("backup_snapshot_count", url="data/repo"), 3)
            self.assertEqual(self.runs(metrics), (2, 1))
            daemon.stop()

    def test_other_reader(self) -> None:
        """With another reader the values are served at once, and all is read anew."""
        before = self.remembered("--reader=restic", restic=tool("restic-0.18"))
        expected = content_by_any_reader(before)
        with held(self.server):
            daemon = self.restarted()
            self.assertEqual(content_by_any_reader(daemon.metrics()), expected)
            daemon.stop(signal.SIGKILL)
        daemon = self.restarted()
        daemon.program.wait_for("collected 1 repository")
        # The key and the config too.
        self.assertEqual(self.requests(daemon.metrics())["load"], 69)
        self.assertEqual(content_by_any_reader(daemon.metrics()), expected)

    def test_new_entry(self) -> None:
        """While one repository was never read, the port opens after the first collection."""
        self.remembered()
        copy_example(self.server.path / "other")
        entries = [self.entry, {**self.entry, "repo": self.server.url("other")}]
        daemon = self.start(entries=entries)
        daemon.program.wait_for("restored 1 of 2")
        daemon.program.wait_for("2 repositories; .* opens afterwards")
        daemon.program.wait_for("collected 2 repositories")
        metrics = daemon.serving().metrics()
        self.assertEqual(len(metrics.series("backup_snapshot_count")), 2)
        self.assertEqual(metrics.value("backup_job_error_count"), 0)
