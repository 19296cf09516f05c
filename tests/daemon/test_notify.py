"""The whole daemon and a socket like systemd's: what it is told, and when."""

import os
import signal

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.daemons import Daemon
from tests.doubles.notify_socket import NotifySocket
from tests.doubles.programs import Folder
from tests.doubles.servers import EXAMPLE_PASSWORD, example


class NotifyTests(SynchronousTestCase):
    """A daemon whose password waits for a gate."""

    def setUp(self) -> None:
        """The socket, and a daemon that reports to it."""
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.systemd = NotifySocket(str(self.folder.path / "notify"))
        self.addCleanup(self.systemd.close)
        self.gate = self.folder.path / "gate"
        os.mkfifo(self.gate)
        command = f"sh -c 'env > {self.folder.path}/environment; cat {self.gate}'"
        self.entry = {"repo": str(example()), "password_command": command, "reader": "native"}
        self.daemon = Daemon(
            self.folder,
            [self.entry],
            environment={"NOTIFY_SOCKET": self.systemd.address, "WATCHDOG_USEC": "4000000"},
        )

    def test_life(self) -> None:
        """READY follows the first collection; a reload and the stop are reported too."""
        self.systemd.wait_for("STATUS=collecting 0 of 1")
        self.assertIn("EXTEND_TIMEOUT_USEC=4000000", self.systemd.messages)
        self.assertEqual([one for one in self.systemd.messages if "READY" in one], [])
        self.gate.write_text(EXAMPLE_PASSWORD)
        self.assertIn("STATUS=next collection at", self.systemd.wait_for("READY=1"))
        self.daemon.serving()
        self.systemd.wait_for("WATCHDOG=1")
        rejected = "; config not reloaded, keeping the running one"
        for config, status in (([{"bad": 1}], rejected), ([self.entry], "")):
            self.daemon.configure(config)
            self.daemon.program.signal(signal.SIGHUP)
            self.systemd.wait_for("RELOADING=1\nMONOTONIC_USEC=")
            ready = self.systemd.wait_for("READY=1\nSTATUS=")
            self.assertRegex(ready, rf"next collection at .*\d\d:\d\d{status}$")
        self.assertEqual(self.daemon.stop(), -signal.SIGINT)
        self.systemd.wait_for("STOPPING=1\nSTATUS=stopping")
        environment = (self.folder.path / "environment").read_text()
        self.assertNotIn("NOTIFY_SOCKET", environment)
        self.assertNotIn("WATCHDOG", environment)

    def test_stopped_at_start(self) -> None:
        """A daemon that is stopped during its first collection was never ready."""
        self.systemd.wait_for("STATUS=collecting 0 of 1")
        self.daemon.stop()
        self.systemd.wait_for("STOPPING=1")
        self.assertEqual([one for one in self.systemd.messages if "READY" in one], [])
