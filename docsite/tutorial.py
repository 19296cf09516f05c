"""Does what docs/tutorial.md says, command by command."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.doubles.programs import PATIENCE, ROOT, Folder, Program
from tests.doubles.tools import tool

PAGE = ROOT / "docs" / "tutorial.md"

# The ports that the page names.
REPORTER, PROMETHEUS = "9121", "9099"

_STEP = re.compile(r"^## \d+\. (.+)\n((?:(?!## ).*\n)+)", re.MULTILINE)
_BLOCK = re.compile(r"(?:^    .*\n)+", re.MULTILINE)


def free_port() -> str:
    """A port that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


class Tutorial:
    """
    The commands of the page, in a folder of their own.

    ``ports`` replace those of the page; ``programs`` replace those of the tests' tools.
    In a ``hurry`` Prometheus looks each second. ``clone`` stands in for a clone of the project.
    """

    def __init__(
        self,
        folder: Folder,
        ports: tuple[str, str] = (REPORTER, PROMETHEUS),
        programs: Mapping[str, str] | None = None,
        hurry: bool = False,
        clone: Path | None = None,
    ) -> None:
        self.folder = folder
        self._changes = dict(zip((REPORTER, PROMETHEUS), ports, strict=True))
        if hurry:
            self._changes |= {"10s": "1s", "interval: 5s": "interval: 1s"}
        clone = clone or folder.path
        self.place = clone / "tutorial"
        self.place.mkdir(parents=True)
        (clone / "monitoring").symlink_to(ROOT / "monitoring")
        binaries = folder.path / "bin"
        binaries.mkdir()
        found = {"restic": tool("restic-0.18"), "prometheus": tool("prometheus")}
        for name, path in {**found, **(programs or {})}.items():
            (binaries / name).symlink_to(path)
        script = binaries / "restic-reporter"
        script.write_text(f'#!/bin/sh\nexec {sys.executable} -m restic_reporter "$@"\n')
        script.chmod(0o755)
        self.environment = {
            "PATH": f"{binaries}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "HOME": str(folder.path),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
        }
        self.steps = {title: self._blocks(text) for title, text in _STEP.findall(PAGE.read_text())}

    def _blocks(self, text: str) -> list[str]:
        """The commands of a step, with our changes."""
        for old, new in self._changes.items():
            text = text.replace(old, new)
        return [re.sub("(?m)^    ", "", block) for block in _BLOCK.findall(text)]

    def run(self, step: str) -> str:
        """Give the commands of a step, but for those that stay; return what they print."""
        output = ""
        for block in self.steps[step]:
            if not block.startswith(("restic-reporter run", "prometheus ")):
                done = subprocess.run(
                    ["bash", "-e", "-c", block],
                    cwd=self.place,
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    timeout=PATIENCE,
                )
                output += done.stdout
                if done.returncode != 0:
                    raise AssertionError(f"{block}\n{done.stdout}")
        return output

    def start(self, step: str) -> Program:
        """Start the program of a step that stays, and wait until it serves."""
        (block,) = (
            one
            for one in self.steps[step]
            if one.startswith(("restic-reporter run", "prometheus "))
        )
        command = ["bash", "-c", f"cd {self.place} && exec {block}"]
        program = self.folder.run(command, self.environment)
        program.wait_for("listening on|Server is ready to receive web requests")
        return program
