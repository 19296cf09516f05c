"""``restic-reporter collect`` as a process, on pipes and on a terminal."""

import json
import re
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.daemons import SCRIPT, Daemon, Metrics, run_script, variables
from tests.doubles.programs import PATIENCE, Folder, processes, wait_until
from tests.doubles.servers import EXAMPLE_PASSWORD, RestServer, copy_example
from tests.doubles.terminal import Terminal
from tests.doubles.tools import tool

MARKER = "hunter2marker"

# How a restic is called that says that it runs, and hangs; it has a child of its own.
HANGING = """#!/bin/sh
sleep 987 &
echo >> started
wait
"""


class ScriptCase(SynchronousTestCase):
    """The console script in a folder with two repositories, one of which has another password."""

    def setUp(self) -> None:
        """A REST server over both."""
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.server = RestServer(self.folder, self.folder.path / "data", {"me": MARKER})
        copy_example(self.server.path / "good")
        copy_example(self.server.path / "bad")
        self.good = self.entry("good")
        self.bad = {**self.entry("bad"), "password": f"{MARKER}-2"}
        self.configure([self.good, self.bad])

    def entry(self, name: str) -> dict[str, Any]:
        """The entry of a repository on the server."""
        repo = self.server.url(name, f"me:{MARKER}@")
        return {"repo": repo, "password": EXAMPLE_PASSWORD}

    def label(self, name: str) -> str:
        """How the repository is called in output."""
        return self.server.url(name, "me:***@")

    def configure(self, config: Any) -> None:
        """Write the config."""
        self.folder.write("config.json", json.dumps(config), 0o600)

    def environment(self) -> dict[str, str]:
        """More variables for the script."""
        return {}

    def run_it(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run it to its end, with its output in pipes; no secret shows."""
        done = run_script(self.folder.path, *arguments, more=self.environment())
        self.assertNotIn(MARKER, done.stdout + done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        return done

    def on_terminal(self, *arguments: str, **more: Any) -> Terminal:
        """Start it on a terminal."""
        terminal = Terminal([*SCRIPT, *arguments], variables(), self.folder.path, **more)
        self.addCleanup(terminal.kill)
        return terminal


class PipeTests(ScriptCase):
    """What comes out where nobody looks."""

    def test_metrics(self) -> None:
        """The metrics are those of the daemon, but for what one run does not have."""
        self.configure([self.good])
        done = self.run_it("collect", "--reader=native", "--log-level=info")
        self.assertEqual(done.returncode, 0, done.stderr)
        metrics = Metrics(done.stdout)
        daemon = Daemon(self.folder, [self.good], "--reader=native").serving()
        other = daemon.metrics()
        gone = {name for name, _ in other.samples.keys() - metrics.samples.keys()}
        self.assertEqual(
            {name for name in gone if not name.startswith("process_")},
            {
                "backup_job_running",
                "backup_job_next_timestamp_seconds",
                "backup_job_skipped_total",
                "backup_config_last_reload_successful",
                "backup_config_last_reload_success_timestamp_seconds",
                "restic_reporter_reactor_lag_seconds",
                "restic_reporter_log_lines_dropped_total",
            },
        )
        self.assertEqual(metrics.samples.keys() - other.samples.keys(), set())
        newest = "backup_newest_timestamp"
        self.assertEqual(metrics.series(newest), other.series(newest))
        self.assertEqual(len(metrics.series(newest)), 5)
        self.assertIn("[info] read ", done.stderr)

    def test_some_failed(self) -> None:
        """One that cannot be read costs the status, and is told on standard error."""
        done = self.run_it("collect", f"--restic={tool('restic-0.18')}")
        self.assertEqual(done.returncode, 3)
        metrics = Metrics(done.stdout)
        self.assertEqual(metrics.value("backup_snapshot_count", url=self.label("good")), 62)
        self.assertEqual(
            metrics.value("backup_read_failures_total", url=self.label("bad"), reason="auth"), 1
        )
        self.assertEqual(metrics.value("backup_job_error_count"), 1)
        (line,) = (one for one in done.stderr.splitlines() if "[error]" in one)
        self.assertIn(f"cannot read {self.label('bad')}", line)

    def test_wrong(self) -> None:
        """A wrong option or config costs status 1, and nothing is written."""
        for problem, *arguments in (
            ("--concurrency: invalid value 'x'", "--concurrency=x"),
            ("invalid config\nnone.json: cannot be read", "--config=none.json"),
            ("--textfile: no such folder", "--textfile=nowhere/x.prom"),
            ("--textfile: invalid name", "--textfile=x.txt"),
            ("--frequency", "--frequency=2"),
        ):
            done = self.run_it("collect", *arguments)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn(problem, done.stderr)
        self.configure([{**self.good, "pasword": "x"}])
        done = self.run_it("collect", "--textfile=out.prom")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("did you mean 'password'", done.stderr)
        self.assertFalse((self.folder.path / "out.prom").exists())

    def test_nothing_to_read(self) -> None:
        """A config without repositories is read well."""
        self.configure([])
        done = self.run_it("collect")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(Metrics(done.stdout).value("backup_job_error_count"), 0)

    def test_textfile(self) -> None:
        """With --textfile the metrics are in that file, without timestamps, also with errors."""
        target = self.folder.path / "out.prom"
        for config, status in (([self.good], 0), ([self.good, self.bad], 3)):
            self.configure(config)
            done = self.run_it("collect", "--reader=native", "--textfile=out.prom")
            self.assertEqual((done.returncode, done.stdout), (status, ""), done.stderr)
            text = target.read_text()
            metrics = Metrics(text)
            self.assertEqual(metrics.value("backup_job_error_count"), len(config) - 1)
            for line in text.splitlines():
                if not line.startswith("#"):
                    self.assertEqual(len(line.rpartition("}")[2].split(" ")), 2, line)
            self.assertEqual(target.stat().st_mode & 0o777, 0o644)
            self.assertEqual(
                [one for one in self.folder.path.iterdir() if "out.prom" in one.name], [target]
            )
            self.assertNotIn(MARKER, text)
        check = subprocess.run(
            [tool("promtool"), "check", "metrics"],
            stdin=target.open(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        # 3 is for names that it would not have chosen.
        self.assertIn(check.returncode, (0, 3), check.stderr)


class InterruptTests(ScriptCase):
    """An end by a signal."""

    def setUp(self) -> None:
        """A restic that hangs."""
        super().setUp()
        self.restic = str(self.folder.write("hanging", HANGING, 0o755))
        self.target = self.folder.path / "out.prom"

    def options(self) -> Sequence[str]:
        """Those of a run that hangs."""
        return ("collect", f"--restic={self.restic}", "--textfile=out.prom")

    def assert_stopped(self, began: float) -> None:
        """It was quick, nothing is left, and nothing was written."""
        self.assertLess(time.monotonic() - began, 10)
        self.assertEqual(list(processes(str(self.folder.path / "hanging"))), [])
        self.assertFalse(self.target.exists())
        for name in ("good", "bad"):
            locks = self.server.path / name / "locks"
            self.assertEqual(list(locks.iterdir()), [])

    def test_signals(self) -> None:
        """INT, TERM and HUP end it with their status, whatever the shell had it ignore."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            program = self.folder.run(
                ["env", "--ignore-signal=INT", *SCRIPT, *self.options()], variables()
            )
            started = self.folder.path / "started"
            wait_until(started.exists)
            began = time.monotonic()
            program.signal(number)
            self.assertEqual(program.end(), 128 + number, program.output)
            self.assert_stopped(began)
            self.assertNotIn("Traceback", program.output)
            started.unlink()

    def test_key(self) -> None:
        """Ctrl-C ends it with status 130, and gives the cursor back."""
        terminal = self.on_terminal(*self.options())
        wait_until((self.folder.path / "started").exists)
        began = time.monotonic()
        terminal.press(b"\x03")
        self.assertEqual(terminal.end(), 130, terminal.text)
        self.assert_stopped(began)
        self.assertGreater(terminal.raw.rfind("\x1b[?25h"), terminal.raw.rfind("\x1b[?25l"))
        self.assertNotIn("Traceback", terminal.text)


class TerminalTests(ScriptCase):
    """What people see."""

    def test_table(self) -> None:
        """A bar while it runs, log lines whole above it, and then the result, worst first."""
        terminal = self.on_terminal("collect", f"--restic={tool('restic-0.18')}")
        self.assertEqual(terminal.end(), 3, terminal.text)
        text = terminal.text
        self.assertIn("0 of 2", text)
        self.assertIn("\x1b[2K", terminal.raw)
        (logged,) = (one for one in text.splitlines() if "[error]" in one)
        self.assertTrue(logged.endswith(" (auth)"), logged)
        result = text[text.index("Could not be read:") :].splitlines()
        self.assertEqual(result[1], f"  {self.label('bad')}")
        self.assertTrue(result[2].startswith("      auth: "), result)
        (head,) = (number for number, one in enumerate(result) if one.split()[:1] == ["State"])
        hosts = [re.split("  +", one.strip())[3] for one in result[head + 2 :] if "good" in one]
        self.assertEqual(hosts[0], "web-2")
        self.assertEqual(len(hosts), 5)
        self.assertRegex(result[head + 2], r"^(late|no limit) +\d+ days")
        self.assertEqual(result[-1], "repositories: 2; could not be read: 1; backup sets: 5")
        self.assertNotIn(MARKER, text)

    def test_slow(self) -> None:
        """A repository that takes long is named below the bar."""
        self.configure([self.good])
        restic = self.folder.write("hanging", HANGING, 0o755)
        terminal = self.on_terminal("collect", f"--restic={restic}")
        terminal.wait_for(f" s  {self.label('good')}")
        terminal.press(b"\x03")
        self.assertEqual(terminal.end(), 130)

    def test_redirected(self) -> None:
        """With standard output in a file, the metrics are there; the bar stays on the terminal."""
        self.configure([self.good])
        with (self.folder.path / "out").open("wb") as out:
            terminal = self.on_terminal("collect", "--reader=native", stdout=out)
            self.assertEqual(terminal.end(), 0, terminal.text)
        metrics = Metrics((self.folder.path / "out").read_text())
        self.assertEqual(metrics.value("backup_snapshot_count", url=self.label("good")), 62)
        self.assertIn("of 1", terminal.text)
        self.assertNotIn("Snapshots", terminal.text)

    def test_log_elsewhere(self) -> None:
        """With standard error in a file, log lines are there, and no bar is."""
        with (self.folder.path / "log").open("wb") as log:
            terminal = self.on_terminal("collect", "--reader=native", stderr=log)
            self.assertEqual(terminal.end(), 3, terminal.text)
        logged = (self.folder.path / "log").read_text()
        self.assertIn("[error] cannot read", logged)
        self.assertNotIn("of 2", logged)
        self.assertNotIn("[error]", terminal.text)
        self.assertIn("of 2", terminal.text)

    def test_file_and_table(self) -> None:
        """On a terminal --textfile shows the table too."""
        self.configure([self.good])
        terminal = self.on_terminal("collect", "--reader=native", "--textfile=out.prom")
        self.assertEqual(terminal.end(), 0, terminal.text)
        self.assertIn("web-2", terminal.text)
        self.assertIn("web-2", Path(self.folder.path, "out.prom").read_text())
