"""Runs ``examples/report-result/report-result`` in several shells."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.doubles.programs import PATIENCE, ROOT
from tests.doubles.tools import tool

SCRIPT = ROOT / "examples" / "report-result" / "report-result"

SHELLS = tuple(filter(shutil.which, ("dash", "bash", "mksh")))

# Nobody listens there.
NOWHERE = "http://127.0.0.1:1"


class Reporter:
    """A machine with jobs, whose home is ``home``."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.spool = home / "spool"
        self.shell = "sh"
        programs = home / "bin"
        programs.mkdir(parents=True, exist_ok=True)
        (programs / "restic").symlink_to(tool("restic-0.18"))
        curl = programs / "curl"
        curl.write_text(f'#!/bin/sh\nexec {tool("curl")} "$@"\n')
        curl.chmod(0o755)
        # No process in the background, unless a test sets another pause.
        self.environment = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "REPORT_RESULT_TO": NOWHERE,
            "REPORT_RESULT_SPOOL": str(self.spool),
            "REPORT_RESULT_PAUSE": "0",
        }

    def run(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run it to its end."""
        return self.run_program(self.shell, str(SCRIPT), *arguments, **environment)

    def run_program(self, *command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run another program on this machine."""
        return subprocess.run(
            command,
            cwd=self.home,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    def kept(self) -> list[str]:
        """The results that are kept, the oldest first."""
        return [path.read_text() for path in sorted(self.spool.glob("*.result"))]

    def end_sender(self) -> None:
        """End the process in the background, as a restart of the machine does."""
        sender = self.spool / "sender"
        if sender.exists():
            self.run_program("kill", "-9", sender.read_text().strip())
