"""The daemon as ``restic-reporter run``, and as process 1 of a container."""

import os
import re
import signal
import subprocess
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.doubles.daemons import SCRIPT, Daemon, run_script
from tests.doubles.programs import Folder
from tests.doubles.servers import EXAMPLE_PASSWORD, example
from tests.doubles.tools import tool

# Without special rights a process is root in a namespace of users of its own.
UNSHARE = (
    *("unshare", "--pid", "--fork", "--mount-proc", "--kill-child"),
    *(() if os.getuid() == 0 else ("--user", "--map-root-user")),
)


def children(pid: int) -> str:
    """The ids of a process's children, zombies too."""
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().strip()


class RunTests(SynchronousTestCase):
    """The console script's command."""

    def setUp(self) -> None:
        """A folder."""
        self.folder = Folder()
        self.addCleanup(self.folder.close)

    def start(self, *prefix: str, restic: str = "restic-0.18") -> Daemon:
        """A daemon that serves and has read its repository."""
        config = [{"repo": str(example()), "password": EXAMPLE_PASSWORD}]
        daemon = Daemon(
            self.folder, config, restic=restic, command=(*prefix, *SCRIPT, "run")
        ).serving()
        self.assertEqual(daemon.metrics().value("backup_job_error_count"), 0.0)
        return daemon

    def test_stop(self) -> None:
        """INT and TERM end it by that signal, and no pidfile stays."""
        for number in (signal.SIGINT, signal.SIGTERM):
            daemon = self.start()
            before = sorted(self.folder.path.iterdir())
            self.assertEqual(before, [daemon.config])
            self.assertEqual(daemon.stop(number), -number, daemon.program.output)
            self.assertNotIn("Traceback", daemon.program.output)
            self.assertEqual(sorted(self.folder.path.iterdir()), before)

    def test_first_process(self) -> None:
        """As process 1 it has no zombies, starts again after KILL, and TERM ends it with 0."""
        if subprocess.run([*UNSHARE, "true"], stderr=subprocess.DEVNULL).returncode != 0:
            raise SkipTest("needs root, or namespaces of users")
        text = f'#!/bin/sh\nsh -c "true &"\nexec {tool("restic-0.18")} "$@"\n'
        restic = str(self.folder.write("orphaning", text, 0o755))
        for number in (signal.SIGKILL, signal.SIGTERM):
            daemon = self.start(*UNSHARE, restic=restic)
            first = int(children(daemon.program.process.pid))
            numbers = re.search(r"NSpid:.*\t(\d+)\n", Path(f"/proc/{first}/status").read_text())
            self.assertEqual(numbers and numbers[1], "1")
            self.assertEqual(children(first), "")
            os.kill(first, number)
            status = daemon.program.end()
            self.assertNotIn("Traceback", daemon.program.output)
        self.assertEqual(status, 0, daemon.program.output)

    def end(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run it where it ends by itself."""
        return run_script(self.folder.path, "run", *arguments)

    def test_wrong_options(self) -> None:
        """A wrong option is named in one line, with status 1."""
        for said, *arguments in (
            ("--no-such-option", "--no-such-option"),
            ("--cron", "--cron=x"),
            ("--bind", "--bind"),
            ("--cron '0 0 * * *'", "--cron", "0", "0", "*", "*", "*"),
            ("option of twistd", "-n"),
            ("'0'; must be a whole number greater than 0", "--concurrency=0"),
            ("did you mean ':9121'?", "--bind=9121"),
        ):
            done = self.end(*arguments)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
            self.assertIn(said, done.stderr)

    def test_help(self) -> None:
        """The help shows the daemon's own options."""
        done = self.end("--help")
        self.assertEqual(done.returncode, 0)
        self.assertTrue(done.stdout.startswith("Usage: restic-reporter run [options]\n"))
        self.assertIn("--cache-dir=", done.stdout)
        self.assertNotIn("--pidfile", done.stdout)
        self.assertIn('\n  restic-reporter run --bind 127.0.0.1:9121 --cron "17', done.stdout)
