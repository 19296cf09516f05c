"""Tests of `restic_reporter.readers.restic`, with real versions of restic and worse ones."""

import os
import shutil
import socket
from pathlib import Path

from restic_reporter.model.errors import ReadError, Reason
from tests.doubles.certificates import Authority, self_signed
from tests.doubles.child_programs import running
from tests.doubles.restic_case import VERSIONS, ReaderTestCase, entry, made, read
from tests.doubles.servers import RestServer
from tests.doubles.tools import tool


class VersionTests(ReaderTestCase):
    """What must work with every version of restic."""

    async def test_values(self) -> None:
        """Hosts, users, counts and instants are those that restic shows."""
        for program in VERSIONS:
            path = made(program) / "full"
            before = sorted(path.rglob("*"))
            result = await read(tool(program), entry(path))
            self.assert_like(result, path, program)
            self.assertEqual(result.content.future_count, 1)
            newest = {one.host: one.newest for one in result.content.sets}
            # 05:00 in St John's, at UTC-3:30, is later than 12:00 in Tokyo.
            self.assertEqual(newest["alpha"], 1740817800.0)
            self.assertEqual((result.nameless, result.unreadable), (0, frozenset()))
            self.assertEqual(sorted(path.rglob("*")), before)

    async def test_empty(self) -> None:
        """An empty repository has no snapshots, and that is no failure."""
        for program in VERSIONS:
            result = await read(tool(program), entry(made(program) / "empty"))
            self.assertEqual((result.content.snapshot_count, result.ids), (0, frozenset()))

    async def test_other_versions_repository(self) -> None:
        """The oldest reads what the newest made, and the other way round."""
        for program, maker in (("restic-0.14", "restic-0.19"), ("restic-0.19", "restic-0.14")):
            path = made(maker) / "full"
            self.assert_like(await read(tool(program), entry(path)), path, maker)

    async def test_wrong_password(self) -> None:
        """A wrong password is ``auth``."""
        for program in VERSIONS:
            repository = entry(made(program) / "empty", "not the password")
            await self.assert_fails(tool(program), repository, Reason.AUTH)

    async def test_missing(self) -> None:
        """A repository that is not there is ``not_found``."""
        for program in VERSIONS:
            path = Path(self.mktemp()).resolve()
            await self.assert_fails(tool(program), entry(path), Reason.NOT_FOUND)

    async def test_refused(self) -> None:
        """A server that refuses is ``network``, also where restic tries again until the end."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        repository = entry(f"rest:http://u:secret@127.0.0.1:{port}/x")
        for program in VERSIONS:
            message = await self.assert_fails(
                tool(program), repository, Reason.NETWORK, seconds=1.5
            )
            self.assertIn("connection refused", message)

    async def test_silent(self) -> None:
        """A server that says nothing is ``timeout``; restic is gone then."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            location = f"rest:http://127.0.0.1:{silent.getsockname()[1]}/x"
            marker = f"marker-{os.getpid()}-{id(self)}"
            repository = entry(location, key_hint=marker)
            for program in VERSIONS:
                await self.assert_fails(tool(program), repository, Reason.TIMEOUT, seconds=1.0)
                self.assertEqual(running(marker), [])

    async def test_options(self) -> None:
        """restic gets an entry's options unchanged, with quotes and commas in them."""
        path = self.folder().path / "said"
        command = f"sh -c \"echo 'a,b' c >> {path}; exit 1\""
        repository = entry("sftp:h:/x", options={"sftp.command": command, "x.unknown": "a,b"})
        for program in VERSIONS:
            with self.assertRaises(ReadError):
                await read(tool(program), repository, seconds=20)
            self.assertEqual(path.read_text(), "a,b c\n")
            path.unlink()

    async def test_damaged_snapshots(self) -> None:
        """Snapshots that cannot be read are named; the others count."""
        for program in VERSIONS:
            path = self.copy(made(program) / "full")
            names = sorted(file.name for file in (path / "snapshots").iterdir())
            (path / "snapshots" / names[0]).write_bytes(b"garbage")
            (path / "snapshots" / names[1]).write_bytes(b"")
            with open(path / "snapshots" / names[2], "r+b") as file:
                file.truncate(60)
            result = await read(tool(program), entry(path))
            self.assertEqual(result.unreadable, {name[:8] for name in names[:3]})
            self.assertEqual(result.ids, {names[3]})
            self.assertEqual(result.content.snapshot_count, 1)

    async def test_rest_server(self) -> None:
        """A server that asks for a password gets it from the URL."""
        folder = self.folder()
        server = RestServer(folder, folder.path / "data", {"ann": "p@ss wörd"})
        path = made("restic-0.18") / "full"
        shutil.copytree(path, server.path / "r")
        for program in VERSIONS:
            good = entry(server.url("r", "ann:p%40ss%20w%C3%B6rd@"))
            self.assert_like(await read(tool(program), good), path, "restic-0.18")
            bad = entry(server.url("r", "ann:hopeless@"))
            await self.assert_fails(tool(program), bad, Reason.AUTH, seconds=5)
        missing = entry(server.url("other", "ann:p%40ss%20w%C3%B6rd@"))
        await self.assert_fails(tool("restic-0.14"), missing, Reason.NOT_FOUND)

    async def test_tls(self) -> None:
        """A certificate counts only when the entry's authority, or the system's, has signed it."""
        folder = self.folder()
        authority = Authority.make()
        (folder.path / "ca.pem").write_bytes(authority.pem)
        addresses = []
        path = made("restic-0.18") / "full"
        for number, pem in enumerate((authority.issue(), self_signed())):
            (folder.path / f"{number}.pem").write_bytes(pem)
            certificate = str(folder.path / f"{number}.pem")
            server = RestServer(
                folder,
                folder.path / f"data{number}",
                arguments=("--tls", "--tls-cert", certificate, "--tls-key", certificate),
            )
            shutil.copytree(path, server.path / "r")
            addresses.append(f"rest:https://{server.address}/r")
        ca = str(folder.path / "ca.pem")
        for program in VERSIONS:
            good = entry(addresses[0], ca_certificate_path=ca)
            self.assert_like(await read(tool(program), good), path, "restic-0.18")
            bad = entry(addresses[1], ca_certificate_path=ca)
            await self.assert_fails(tool(program), bad, Reason.TLS, seconds=1.5)
