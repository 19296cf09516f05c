"""Tests of ``scripts/``."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.programs import PATIENCE, ROOT
from tests.doubles.tools import tool

# Stands in for the console script: checks the config that the daemon would run with.
PROGRAM = f"""#!/bin/sh
[ "$1" = run ] && shift
PYTHONPATH={ROOT} exec {sys.executable} -m restic_reporter check-config "$@"
"""


class TryItTests(SynchronousTestCase):
    """``scripts/try-it``."""

    def test_no_warning(self) -> None:
        """The example starts without a warning about who can read its config."""
        folder = Path(self.mktemp()).absolute()
        programs = folder / ".venv" / "bin"
        programs.mkdir(parents=True)
        (folder / "scripts").mkdir()
        for name in ("scripts/try-it", "scripts/environment.sh", "setup.cfg"):
            shutil.copy(ROOT / name, folder / name)
        shutil.copy(ROOT / "config.example.json", folder)
        (folder / "config.example.json").chmod(0o644)
        for name, program in (
            ("python", "#!/bin/sh\n"),
            ("pip", "#!/bin/sh\n"),
            ("restic-reporter", PROGRAM),
        ):
            (programs / name).write_text(program)
            (programs / name).chmod(0o755)
        done = subprocess.run(
            [folder / "scripts" / "try-it", "--reader=native"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            umask=0o022,
            timeout=PATIENCE,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)[0]["repo"], "local:examples/repository")
        self.assertNotIn("readable by every user", done.stderr)


class FetchTestToolsTests(SynchronousTestCase):
    """``scripts/fetch-test-tools``."""

    def test_moved(self) -> None:
        """What starts a program with its own loader, or in its own environment, can be moved."""
        folder = Path(self.mktemp()).absolute()
        (folder / "bin").mkdir(parents=True)
        (folder / "packages").symlink_to(Path(tool("ssh")).parents[1] / "packages")
        for name, arguments, expected in (
            ("ssh", ("-V",), "OpenSSH_"),
            ("swift-python", ("-c", "import sys; print(sys.prefix)"), f"{folder}/packages/swift-"),
        ):
            program = shutil.copy(tool(name), folder / "bin")
            done = subprocess.run([program, *arguments], capture_output=True, text=True)
            self.assertIn(expected, done.stdout + done.stderr)
