"""systemd's own opinion of the units in packaging/."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.real.test_docs import DOCS, ROOT, named, section

UNITS = ROOT / "packaging"

# The most that `systemd-analyze security` may find.
EXPOSURE = 1.5


class UnitsTests(SynchronousTestCase):
    """What `systemd-analyze` says."""

    def setUp(self) -> None:
        """The units, with a program that exists on every machine."""
        if shutil.which("systemd-analyze") is None:
            raise SkipTest("there is no systemd-analyze")
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        for unit in UNITS.glob("restic-reporter.s*"):
            text = unit.read_text().replace("/opt/restic-reporter/bin/restic-reporter", "/bin/true")
            (self.folder / unit.name).write_text(text)

    def analyze(self, *arguments: str) -> str:
        """What it prints; it must be content."""
        done = subprocess.run(
            ["systemd-analyze", "--no-pager", *arguments],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
        )
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def test_verify(self) -> None:
        """Both units are valid."""
        units = sorted(str(one.resolve()) for one in self.folder.iterdir())
        self.assertEqual(len(units), 2)
        self.assertEqual(self.analyze("verify", *units), "")

    def test_security(self) -> None:
        """The exposure is low, and the docs give the reason of each point that is left."""
        found = self.analyze(
            "security",
            "--offline=true",
            f"--threshold={EXPOSURE * 10:.0f}",
            "restic-reporter.service",
        )
        level = re.search(r"exposure level for restic-reporter.service: (\d+\.\d) ", found)
        assert level is not None, found
        self.assertLessEqual(float(level[1]), EXPOSURE)
        text = section((DOCS / "systemd.md").read_text(), "What it may do")
        explained = [one.split("=")[0] for one in named(text)]
        left = {one.split("=")[0] for one in re.findall(r"^✗ (\S+)", found, re.MULTILINE)}
        self.assertEqual(left - set(explained), set(), "not explained in docs/systemd.md")
        self.assertIn(f"level of {level[1]}", text)
