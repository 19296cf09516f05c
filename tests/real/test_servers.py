"""The real S3 and SFTP servers that tests start; the slow tests have more of them."""

import subprocess

from tests.doubles.programs import PATIENCE, serves
from tests.doubles.server_case import ServerCase
from tests.doubles.servers import copy_example, restic, snapshots
from tests.doubles.ssh_server import sftp_server
from tests.doubles.sshd import Sshd, descendants
from tests.doubles.swift import Swift


class SwiftTests(ServerCase):
    """OpenStack Swift's S3 API."""

    def test_restic(self) -> None:
        """restic makes a repository in it, writes and lists, also after a restart."""
        server = Swift(self.folder)
        self.check_s3(server, "restic-0.18")
        server.stop()
        self.assertFalse(serves(server.address))
        server.start()
        url = f"{server.url}/restic-0.18"
        self.assertEqual(len(snapshots(url, environment=server.environment)), 1)

    def test_refusals(self) -> None:
        """It refuses a wrong secret, a wrong clock and a wrong region."""
        server = Swift(self.folder)
        self.check_refusals(server)
        status, body = server.ask("GET", region="us-east-1")
        self.assertEqual(status, 400)
        self.assertIn(b"<Code>AuthorizationHeaderMalformed</Code>", body)
        self.assertIn(f"<Region>{server.region}</Region>".encode(), body)


class SshdTests(ServerCase):
    """OpenSSH's server, and its SFTP server as a child."""

    def test_restic(self) -> None:
        """restic makes a repository over it, writes and lists; each run is one login."""
        server = Sshd(self.folder)
        self.check_sftp(server, "restic-0.18")
        self.assertGreaterEqual(server.logins, 3)
        self.assertEqual(server.refusals, 0)

    def test_adopt(self) -> None:
        """A repository that was put into its folder can be read."""
        server = Sshd(self.folder)
        server.adopt(copy_example(server.files / "example"))
        options = ["-o", f"sftp.command={server.sftp_command()}"]
        self.assertIn("snapshots", restic(server.url("example"), *options, "snapshots"))

    def test_wrong_key(self) -> None:
        """It refuses another key."""
        server = Sshd(self.folder)
        done = self._log_in(server.command(server.other_key))
        self.assertEqual(done.returncode, 255)
        self.assertIn("Permission denied (publickey)", done.stderr)
        server.program.wait_for("Failed publickey")
        self.assertEqual((server.logins, server.refusals), (0, 1))

    def test_wrong_host_key(self) -> None:
        """The client refuses a server with another host key than the known one."""
        server = Sshd(self.folder)
        server.know(server.other_key)
        done = self._log_in(server.command())
        self.assertEqual(done.returncode, 255)
        self.assertIn("Host key verification failed", done.stderr)

    def test_stop(self) -> None:
        """Its end is the end of its sessions."""
        server = Sshd(self.folder)
        client = subprocess.Popen(server.command(), stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(client.communicate)
        self.addCleanup(client.kill)
        server.program.wait_for("Starting session: subsystem 'sftp'")
        self.assertNotEqual(descendants(server.program.process.pid), [])
        server.stop()
        self.assertEqual(client.wait(PATIENCE), 255)
        self.assertFalse(serves(server.address))

    def test_without_ssh(self) -> None:
        """restic can start the SFTP server itself."""
        path = copy_example(self.folder.path / "example")
        options = ["-o", f"sftp.command={sftp_server()}"]
        self.assertIn("snapshots", restic(f"sftp:any:{path}", *options, "snapshots"))

    def _log_in(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE
        )
