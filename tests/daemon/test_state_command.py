"""``restic-reporter state`` beside a daemon, and after it."""

import json
import os
import subprocess
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.doubles.daemons import Daemon, run_script
from tests.doubles.programs import Folder
from tests.doubles.servers import EXAMPLE_PASSWORD, example, snapshots


class StateCommandTests(SynchronousTestCase):
    """The state of the repository that ships with the project."""

    def setUp(self) -> None:
        """Its hosts, from restic."""
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.url = str(example())
        self.hosts = {one["hostname"] for one in snapshots(self.url)}

    def daemon(self) -> Daemon:
        """A daemon that serves: it has collected, or restored what was read before."""
        config = [{"repo": self.url, "password": EXAMPLE_PASSWORD}]
        return Daemon(self.folder, config, "--state-dir=state").serving()

    def collect(self) -> None:
        """Run a daemon until it has collected once more, and written its state."""
        daemon = self.daemon()
        daemon.collect()
        daemon.stop()

    def run_it(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run the command to its end."""
        return run_script(self.folder.path, "state", "--state-dir=state", *arguments)

    def shown(self) -> dict[str, Any]:
        """The sets that the command shows, by host."""
        done = self.run_it("--json")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        (found,) = json.loads(done.stdout)
        self.assertEqual((found["url"], found["reason"]), (self.url, None))
        return {one["host"]: one for one in found["sets"]}

    def test_folder_of_another(self) -> None:
        """The state that root's daemon has in the folder of another user, as in a container."""
        if os.getuid() != 0:
            raise SkipTest("only root can use the folders of others")
        state = self.folder.path / "state"
        state.mkdir(mode=0o700)
        os.chown(state, 65532, 65532)
        self.collect()
        self.assertEqual(set(self.shown()), self.hosts)
        self.assertEqual(self.run_it("forget", self.url).returncode, 0)

    def test_life(self) -> None:
        """It reads beside the daemon, but drops only without it; a read brings sets back."""
        self.assertEqual(self.run_it().returncode, 1)
        self.assertFalse((self.folder.path / "state").exists())
        self.collect()
        before = self.shown()
        self.assertEqual(set(before), self.hosts)
        host = min(self.hosts)
        daemon = self.daemon()
        self.assertEqual(self.shown(), before)
        done = self.run_it("forget", self.url, host)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn(f"(process {daemon.program.process.pid}); stop it first\n", done.stderr)
        daemon.stop()
        self.assertEqual(self.shown(), before)
        done = self.run_it("forget", self.url, host)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn(f"forgot host {host!r}, user ", done.stdout)
        self.assertEqual(set(self.shown()), self.hosts - {host})
        self.collect()
        self.assertEqual(self.shown(), before)
