"""Checks of the real servers, by the real restic."""

import json
import time
from collections.abc import Mapping, Sequence

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.programs import Folder
from tests.doubles.s3_server import S3Server
from tests.doubles.servers import restic
from tests.doubles.ssh_server import SshServer

HALF_AN_HOUR = 1800.0


class ServerCase(SynchronousTestCase):
    """Has a folder that ends what was started in it."""

    def setUp(self) -> None:
        self.folder = Folder()
        self.addCleanup(self.folder.close)

    def check_backup(
        self, program: str, url: str, options: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        """Check that a restic makes a repository there, writes a snapshot and lists it."""
        source = self.folder.write("source", "content")

        def run(*arguments: str) -> str:
            words = [*options, *arguments]
            return restic(url, *words, program=program, environment=environment)

        run("init")
        run("backup", str(source))
        (found,) = json.loads(run("snapshots", "--json"))
        self.assertEqual(found["paths"], [str(source)])

    def check_s3(self, server: S3Server, program: str) -> None:
        """Check that a restic can use an S3 server."""
        self.check_backup(program, f"{server.url}/{program}", (), server.environment)

    def check_sftp(self, server: SshServer, program: str) -> None:
        """Check that a restic can use an SFTP server."""
        options = ["-o", f"sftp.command={server.sftp_command()}"]
        self.check_backup(program, server.url(program), options, {})

    def check_refusals(self, server: S3Server) -> None:
        """Check that it refuses a wrong secret and a wrong clock."""
        self.assertEqual(server.ask("GET")[0], 200)
        status, body = server.ask("GET", secret="wrong")
        self.assertEqual((status, b"SignatureDoesNotMatch" in body), (403, True), body)
        status, body = server.ask("GET", at=time.time() - HALF_AN_HOUR)
        self.assertEqual((status, b"RequestTimeTooSkewed" in body), (403, True), body)
