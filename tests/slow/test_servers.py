"""Each server of the tests with each restic."""

import subprocess

from tests.doubles.moto import Moto
from tests.doubles.programs import PATIENCE, serves
from tests.doubles.radosgw import Radosgw
from tests.doubles.rclone import Rclone
from tests.doubles.server_case import ServerCase
from tests.doubles.servers import restic
from tests.doubles.sshd import Sshd
from tests.doubles.swift import Swift

VERSIONS = ("restic-0.14", "restic-0.18", "restic-0.19")


class SwiftTests(ServerCase):
    """OpenStack Swift's S3 API; `tests.real.test_servers` has more of it."""

    def test_restic(self) -> None:
        """Each restic can use it."""
        server = Swift(self.folder)
        for program in VERSIONS:
            self.check_s3(server, program)

    def test_wrong_secret(self) -> None:
        """restic 0.14, which does not repeat it for minutes, fails with a wrong secret."""
        server = Swift(self.folder)
        environment = server.environment | {"AWS_SECRET_ACCESS_KEY": "wrong"}
        with self.assertRaisesRegex(AssertionError, "Access Denied"):
            restic(server.url, "init", program="restic-0.14", environment=environment)


class RadosgwTests(ServerCase):
    """Ceph's S3 server."""

    def test_restic(self) -> None:
        """Each restic can use it, also after a restart."""
        server = Radosgw(self.folder)
        for program in VERSIONS:
            self.check_s3(server, program)
        server.stop()
        self.assertFalse(serves(server.address))
        server.start()
        restic(f"{server.url}/restic-0.19", "snapshots", environment=server.environment)

    def test_refusals(self) -> None:
        """It refuses a wrong secret and a wrong clock, but takes any region."""
        server = Radosgw(self.folder)
        self.check_refusals(server)
        self.assertEqual(server.ask("GET", region="anywhere")[0], 200)


class MotoTests(ServerCase):
    """moto's server."""

    def test_restic(self) -> None:
        """Each restic can use it with a session token; without the token it is refused."""
        server = Moto(self.folder)
        server.use_session()
        for program in VERSIONS:
            self.check_s3(server, program)
        server.session_token = ""
        status, body = server.ask("GET")
        self.assertEqual((status, b"InvalidAccessKeyId" in body), (403, True), body)

    def test_user(self) -> None:
        """A user needs no session token; a wrong secret is refused."""
        server = Moto(self.folder)
        self.assertEqual(server.ask("GET")[0], 200)
        self.assertEqual(server.ask("GET", secret="wrong")[0], 403)


class SshdTests(ServerCase):
    """OpenSSH's server."""

    def test_restic(self) -> None:
        """Each restic can use it."""
        server = Sshd(self.folder)
        for program in VERSIONS:
            self.check_sftp(server, program)

    def test_penalties(self) -> None:
        """After some refused keys it lets nobody in from that address."""
        server = Sshd(self.folder)
        for _ in range(4):
            self._log_in(server.command(server.other_key))
        server.program.wait_for("activating ipv4 penalty")
        self.assertEqual(self._log_in(server.command()), 255)
        server.program.wait_for("drop connection .* penalty: failed authentication")
        self.assertEqual(server.logins, 0)

    def _log_in(self, command: list[str]) -> int:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE
        ).returncode


class RcloneTests(ServerCase):
    """rclone's SFTP server."""

    def test_restic(self) -> None:
        """Each restic can use it, but 0.14, which cannot make a repository there."""
        server = Rclone(self.folder)
        for program in ("restic-0.18", "restic-0.19"):
            self.check_sftp(server, program)
        restic(server.files / "old", "init", program="restic-0.14")
        options = ["-o", f"sftp.command={server.sftp_command()}"]
        restic(server.url("old"), *options, "snapshots", program="restic-0.14")
