"""The SFTP backend and each SFTP server, with each restic."""

from typing import Any

from twisted.internet.defer import Deferred

from restic_reporter.backends.sftp import SFTPBackend
from tests.doubles.native_made import BothReaders
from tests.doubles.native_repositories import PASSWORD
from tests.doubles.programs import Folder
from tests.doubles.rclone import Rclone
from tests.doubles.restic_case import VERSIONS
from tests.doubles.servers import restic
from tests.doubles.sftp_case import SFTPCase, sftp_entry
from tests.doubles.ssh_server import SshServer
from tests.doubles.sshd import Sshd


class ReadersTests(SFTPCase, BothReaders):
    """Both readers see the same, over whichever server."""

    timeout = 300

    def setUp(self) -> None:
        super().setUp()
        self.folder = Folder()
        self.addCleanup(self.folder.close)

    async def check(self, server: SshServer) -> None:
        """Have each restic make a repository, and read all side by side, over one login."""
        data = self.folder.write("data", "content")
        command = server.sftp_command()
        backends = {}
        for version in VERSIONS:
            path = server.files / version
            options: dict[str, Any] = {"password": PASSWORD, "program": version}
            # Over rclone's server, 0.14 makes no repository.
            restic(path, "init", **options)
            for number in range(3):
                restic(path, "backup", f"--host=host-{number}", str(data), **options)
            entry = sftp_entry(server.url(version), {"sftp.command": command}, {}, {})
            backends[path] = SFTPBackend.make(entry, self.tools)
        if isinstance(server, Sshd):
            server.adopt(server.files)
        listings: list[Deferred[Any]] = [
            Deferred.fromCoroutine(backend.list(self.deadline(), self.meter))
            for backend in backends.values()
        ]
        for listing, (path, backend) in zip(listings, backends.items(), strict=True):
            names = {one.name for one in (path / "snapshots").iterdir()}
            self.assertEqual((await listing).snapshots, names)
            self.memory = type(self.memory)()
            expected = await self.by_restic(path)
            self.assertEqual(expected.content.snapshot_count, 3)
            self.assertEqual(await self.read(backend), expected)
        self.assertEqual(len(self.connections), 1)

    async def test_sshd(self) -> None:
        """OpenSSH's."""
        await self.check(Sshd(self.folder))

    async def test_rclone(self) -> None:
        """rclone's, which answers with up to 1,000 names at once and without owners."""
        server = Rclone(self.folder)
        await self.check(server)
        many = server.files / "restic-0.18"
        names = {f"{number:064x}" for number in range(3000)}
        for name in names:
            (many / "snapshots" / name).touch()
        entry = sftp_entry(
            server.url("restic-0.18"), {"sftp.command": server.sftp_command()}, {}, {}
        )
        backend = SFTPBackend.make(entry, self.tools)
        listing = await backend.list(self.deadline(), self.meter)
        self.assertLessEqual(names, set(listing.snapshots))
