"""The sizes of real repositories, by every backend, and of one with very many packs."""

import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import evolve, frozen
from twisted.internet import reactor as default_reactor
from twisted.internet.defer import Deferred
from twisted.protocols.basic import FileSender

from restic_reporter.backends.local import LocalBackend
from restic_reporter.backends.rest import RestBackend
from restic_reporter.backends.sftp import SFTPBackend
from restic_reporter.concurrency.daemon_threads import KeyedThreads
from restic_reporter.concurrency.deadline import Deadline
from restic_reporter.http import BoundedHTTPClient
from restic_reporter.model.repository import Transport
from restic_reporter.model.snapshots import Meter
from restic_reporter.model.upkeep import Size
from tests.doubles.b2_case import B2Case
from tests.doubles.fake_s3 import REGION
from tests.doubles.hostile import ServerConnection
from tests.doubles.http_case import ServerCase
from tests.doubles.programs import Folder
from tests.doubles.repositories import no_tools, repository
from tests.doubles.s3_case import S3Case
from tests.doubles.servers import RestServer, restic
from tests.doubles.sftp_case import SFTPCase, sftp_repository
from tests.doubles.tools import tool

reactor: Any = default_reactor


def make(path: Path) -> Size:
    """Make a repository with some packs; its size, as du would say it."""
    restic(path, "init")
    data = path.with_name("data to back up")
    data.write_bytes(os.urandom(15 * 2**20))
    restic(path, "backup", "--pack-size=4", str(data))
    sizes = [one.stat().st_size for one in (path / "data").rglob("*") if one.is_file()]
    assert len(sizes) > 3
    return Size(sum(sizes), len(sizes))


def files(path: Path) -> Iterator[tuple[str, bytes]]:
    """All files of a repository, by their paths in it."""
    for one in path.rglob("*"):
        if one.is_file():
            yield str(one.relative_to(path)), one.read_bytes()


@frozen
class Pieces:
    """A file whose content is made as it is read."""

    pieces: Iterator[bytes]

    def read(self, size: int) -> bytes:
        """The next piece, nothing at the end."""
        return next(self.pieces, b"")


def soon() -> Deadline:
    """A deadline that nothing needs."""
    return Deadline.after(reactor, 60.0)


class FolderTests(SFTPCase):
    """In folders, of this machine or of another."""

    async def test_local(self) -> None:
        """Each folder with packs is a request."""
        expected = make(self.path)
        tools = evolve(no_tools(), reactor=reactor, threads=KeyedThreads(reactor))
        backend = LocalBackend.make(repository(str(self.path)), tools)
        self.assertEqual(await backend.measure(soon(), self.meter), expected)
        self.assertEqual(self.meter.requests, {"list": 256})

    async def test_sftp(self) -> None:
        """A real sftp-server; each folder with packs is a request."""
        expected = make(self.path)
        backend = SFTPBackend.make(sftp_repository(str(self.path), tool("sftp-server")), self.tools)
        self.assertEqual(await backend.measure(soon(), self.meter), expected)
        self.assertEqual(self.meter.requests, {"auth": 1, "list": 256})


class RestTests(ServerCase):
    """Behind REST servers."""

    async def test_real_server(self) -> None:
        """A real rest-server: one request."""
        folder = Folder()
        self.addCleanup(folder.close)
        expected = make(folder.path / "data" / "repo")
        server = RestServer(folder, folder.path / "data")
        url = server.url("repo").removeprefix("rest:")
        backend = RestBackend(self.client, f"{url.rstrip('/')}/", Transport(), {})
        self.assertEqual(await backend.measure(soon(), self.meter), expected)
        self.assertEqual(self.meter.requests, {"list": 1})

    async def test_memory(self) -> None:
        """The listing of very many packs is never held."""
        count, step = 60_000, 1000

        def pieces() -> Iterator[bytes]:
            yield b"HTTP/1.0 200 OK\r\n\r\n["
            for start in range(0, count, step):
                yield b"".join(
                    b'{"name":"%064x","size":16777216},' % number
                    for number in range(start, start + step)
                )
            yield b'{"name":"x","size":0}]'

        async def send(connection: ServerConnection) -> None:
            await FileSender().beginFileTransfer(Pieces(pieces()), connection.transport)
            connection.close()

        server = await self.serve(lambda one: Deferred.fromCoroutine(send(one)))
        client = BoundedHTTPClient(reactor)
        backend = RestBackend(client, f"http://127.0.0.1:{server.port}/", Transport(), {})
        meter = Meter()
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        size = await backend.measure(soon(), meter)
        _, peak = tracemalloc.get_traced_memory()
        await client.close()
        self.assertEqual(size, Size(count * 2**24, count))
        self.assertGreater(meter.received_bytes["list"], 5_000_000)
        self.assertLess(peak, 2_000_000)


class B2Tests(B2Case):
    """In a fake B2."""

    async def test_b2(self) -> None:
        """All packs, by one listing."""
        path = Path(self.mktemp()).absolute() / "repo"
        path.parent.mkdir()
        expected = make(path)
        for name, content in files(path):
            self.fake.account.put(self.bucket, f"repo/{name}", content)
        self.assertEqual(await self.backend().measure(soon(), self.meter), expected)
        self.assertEqual(self.calls["list_file_names"], 1)


class S3Tests(S3Case):
    """In a fake S3."""

    async def test_s3(self) -> None:
        """All packs, by one listing."""
        path = Path(self.mktemp()).absolute() / "repo"
        path.parent.mkdir()
        expected = make(path)
        for name, content in files(path):
            self.fake.put(f"repo/{name}", content)
        backend = self.backend(options={"s3.region": REGION})
        self.assertEqual(await backend.measure(soon(), self.meter), expected)
        self.assertEqual(self.meter.requests, {"list": 1})
