"""The whole daemon and signals that come before it runs."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.daemons import Daemon
from tests.doubles.programs import ROOT, Folder
from tests.doubles.servers import EXAMPLE_PASSWORD, example

# Holds the start where a module is imported: says so, and waits for the gate to be opened.
HOLDING = """
import os, sys

class Holding:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["HELD_MODULE"]:
            sys.meta_path.remove(self)
            with open({started!r}, "w"):
                pass
            with open({gate!r}):
                pass

sys.meta_path.insert(0, Holding())
"""

# While options are parsed, and while the daemon is put together.
MODULES = ("croniter", "restic_reporter.daemon.wiring", "restic_reporter.readers.native")

# What twistd does with a command line, up to the service; then the handlers that it left.
PARSING = """
import signal, sys
from twisted.scripts.twistd import ServerOptions

def handlers():
    return [signal.getsignal(n) for n in map(signal.Signals, (1, 2, 10, 15))]

before = handlers()
ServerOptions().parseOptions(sys.argv[1:])
print(handlers() == before)
"""


class EarlySignalsTests(SynchronousTestCase):
    """Signals to a daemon whose start is held."""

    def setUp(self) -> None:
        """The folder, and what holds the start."""
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.started, self.gate = (self.folder.path / name for name in ("started", "gate"))
        os.mkfifo(self.started)
        os.mkfifo(self.gate)
        self.folder.write(
            "sitecustomize.py", HOLDING.format(started=str(self.started), gate=str(self.gate))
        )

    def held(self, module: str) -> Daemon:
        """A daemon that is about to import ``module``."""
        daemon = Daemon(
            self.folder,
            [{"repo": str(example()), "password": EXAMPLE_PASSWORD}],
            "--reader=native",
            environment={
                "PYTHONPATH": os.pathsep.join([str(self.folder.path), str(ROOT)]),
                "HELD_MODULE": module,
            },
        )
        self.started.read_text()
        return daemon

    def test_hup_and_usr1(self) -> None:
        """They end nothing, and are obeyed once the daemon runs."""
        for module in MODULES:
            daemon = self.held(module)
            daemon.program.signal(signal.SIGHUP)
            daemon.program.signal(signal.SIGUSR1)
            # Opens the gate, and does not wait where nobody stands before it.
            gate = os.open(self.gate, os.O_RDWR)
            try:
                daemon.serving()
            finally:
                os.close(gate)
            self.assertEqual(daemon.stop(), -signal.SIGINT)
            self.assertIn("config reloaded", daemon.program.output)
            # The first collection has begun before.
            self.assertIn("a collection is already running", daemon.program.output)

    def test_int_and_term(self) -> None:
        """They end it at once by that signal, without a word."""
        for module in MODULES:
            for number in (signal.SIGINT, signal.SIGTERM):
                daemon = self.held(module)
                daemon.program.signal(number)
                self.assertEqual(daemon.program.end(), -number)
                self.assertEqual(daemon.program.output, "")

    def test_ignored(self) -> None:
        """A shell that ignores HUP and USR1 before it starts twistd protects Python's start too."""
        twistd = Path(sys.executable).with_name("twistd")
        ignoring = f'#!/bin/sh\ntrap "" HUP USR1\necho > {self.started}\nexec {twistd} "$@"\n'
        path = self.folder.write("twistd", ignoring, 0o755)
        daemon = Daemon(
            self.folder, [], twistd=str(path), environment={"HELD_MODULE": "no.such.module"}
        )
        self.started.read_text()
        daemon.program.signal(signal.SIGHUP)
        daemon.program.signal(signal.SIGUSR1)
        daemon.serving()
        self.assertEqual(daemon.stop(), -signal.SIGINT)

    def test_other_commands(self) -> None:
        """Other commands of twistd keep their handlers."""
        for command, expected in (
            (["web", "--path=."], "True\n"),
            (["restic-reporter"], "False\n"),
        ):
            done = subprocess.run(
                [sys.executable, "-c", PARSING, "-n", *command],
                env={"PATH": os.defpath, "PYTHONPATH": str(ROOT)},
                cwd=self.folder.path,
                capture_output=True,
                text=True,
                timeout=60,
            )
            self.assertEqual((done.stdout, done.stderr), (expected, ""))
