"""The SFTP backend against OpenSSH's real server, through a real ssh."""

import os
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from restic_reporter.backends.sftp import SFTPBackend
from restic_reporter.model.errors import Reason
from tests.doubles.programs import Folder
from tests.doubles.servers import copy_example
from tests.doubles.sftp_case import SFTPCase, sftp_entry
from tests.doubles.ssh_server import SshServer
from tests.doubles.sshd import Sshd
from tests.doubles.tools import tool


class ServerTestCase(SFTPCase):
    """Backends of repositories on a server."""

    def setUp(self) -> None:
        super().setUp()
        self.folder = Folder()
        self.addCleanup(self.folder.close)

    def on(self, server: SshServer, name: str, key: Path | None = None) -> SFTPBackend:
        """The backend of the repository ``name``, whose ssh has this ``key``."""
        path = f"{Path(tool('ssh')).parent}:{os.environ['PATH']}"
        options = {"sftp.args": server.sftp_args(key)}
        entry = sftp_entry(server.url(name), options, {}, {"PATH": path})
        return SFTPBackend.make(entry, self.tools)


class SshdTests(ServerTestCase):
    """OpenSSH."""

    def setUp(self) -> None:
        super().setUp()
        self.server = Sshd(self.folder)
        copy_example(self.server.files / "0")
        self.server.adopt(self.server.files)
        for number in range(1, 20):
            (self.server.files / str(number)).symlink_to("0")

    async def test_one_login(self) -> None:
        """Twenty repositories are listed and read over one login."""
        backends = [self.on(self.server, str(number)) for number in range(20)]
        calls: list[Deferred[Any]] = [
            Deferred.fromCoroutine(backend.list(self.deadline(), self.meter))
            for backend in backends
        ]
        names = {one.name for one in (self.server.files / "0" / "snapshots").iterdir()}
        for call, backend in zip(calls, backends, strict=True):
            listing = await call
            self.assertEqual(listing.snapshots, names)
            path = f"snapshots/{min(names)}"
            content = await backend.load(path, 2**20, self.deadline(), self.meter)
            self.assertEqual(content, (self.server.files / "0" / path).read_bytes())
        self.assertEqual(self.server.logins, 1)
        await self.assert_error(
            self.on(self.server, "none").list(self.deadline(), self.meter), Reason.NOT_FOUND
        )

    async def test_refused(self) -> None:
        """A wrong key costs one refusal, so that the right one is not locked out with it."""
        for number in range(6):
            await self.assert_error(
                self.on(self.server, str(number), self.server.other_key).list(
                    self.deadline(), self.meter
                ),
                Reason.AUTH,
                "Permission denied (publickey)",
            )
        self.assertEqual(self.server.refusals, 1)
        await self.on(self.server, "0").list(self.deadline(), self.meter)
        self.assertEqual(self.server.logins, 1)

    async def test_host_key(self) -> None:
        """A server with another host key than before is not trusted."""
        self.server.know(self.server.other_key)
        await self.assert_error(
            self.on(self.server, "0").list(self.deadline(), self.meter),
            Reason.AUTH,
            "Host key verification failed",
        )
        self.assertEqual(self.server.logins, 0)

    async def test_server_ends(self) -> None:
        """A lost server is ``network``; when it is back, the next read logs in again."""
        backend = self.on(self.server, "0")
        await backend.list(self.deadline(), self.meter)
        self.server.stop()
        await self.connections[0].closed()
        await self.assert_error(
            backend.list(self.deadline(), self.meter), Reason.NETWORK, "Connection refused"
        )
        self.server.start()
        await backend.list(self.deadline(), self.meter)
