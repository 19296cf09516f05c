"""Snapshots that are forgotten while a real restic reads them from a real rest-server."""

import shutil
from pathlib import Path
from typing import Any

from attrs import define, evolve
from twisted.internet import reactor as default_reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase
from twisted.web.proxy import ReverseProxyResource
from twisted.web.server import Site

from restic_reporter.backends.rest import RestBackend
from restic_reporter.collection.read_repository import read_repository
from restic_reporter.collection.state import Reading, RepositoryStatus, Task
from restic_reporter.concurrency.deadline import Deadline
from restic_reporter.http import BoundedHTTPClient
from restic_reporter.interfaces import IBackend
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.model.repository import Repository
from restic_reporter.readers.restic import ResticReader
from restic_reporter.redaction.secret import Secret
from tests.doubles.child_programs import PATIENCE
from tests.doubles.programs import Folder
from tests.doubles.repositories import no_tools, settings_for
from tests.doubles.restic_case import ENVIRON, NOW, PASSWORD, VERSIONS, made
from tests.doubles.servers import RestServer
from tests.doubles.tools import tool

reactor: Any = default_reactor


class Forgetting(ReverseProxyResource):
    """
    A proxy that removes ``snapshot`` when it is asked for first.

    With ``listed`` it is put back after the answer.
    """

    isLeaf = True

    def __init__(self, port: int, snapshot: Path, listed: bool) -> None:
        super().__init__("127.0.0.1", port, b"", reactor)
        self.snapshot = snapshot
        self.listed = listed
        self.content = snapshot.read_bytes()

    def render(self, request: Any) -> Any:
        """Pass a request on."""
        self.path = request.path
        # restic is stopped in the middle of a response; Twisted's proxy would end it all the same.
        request.notifyFinish().addErrback(lambda _: setattr(request, "finish", lambda: None))
        if request.path.endswith(self.snapshot.name.encode()):
            self.snapshot.unlink(missing_ok=True)
            if self.listed:
                request.notifyFinish().addBoth(lambda _: self.snapshot.write_bytes(self.content))
        return super().render(request)


@define
class Served:
    """A repository behind a proxy; ``proxy.snapshot`` is the one that vanishes."""

    repository: Repository
    proxy: Forgetting


class VanishedTests(TestCase):
    """restic is stopped, and the repository is looked at again."""

    timeout = 120

    def setUp(self) -> None:
        """A client, and a folder for servers."""
        self.client = BoundedHTTPClient(reactor)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.client.close()))
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.count = 0

    def serve(self, listed: bool = False) -> Served:
        """A server with a proxy in front of it."""
        self.count += 1
        server = RestServer(self.folder, self.folder.path / f"data{self.count}")
        path = server.path / "r"
        shutil.copytree(made("restic-0.18") / "full", path)
        (path / "snapshots").chmod(0o700)
        snapshot = sorted((path / "snapshots").iterdir())[1]
        proxy = Forgetting(int(server.address.rpartition(":")[2]), snapshot, listed)
        port = reactor.listenTCP(0, Site(proxy), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        url = f"rest:http://127.0.0.1:{port.getHost().port}/r/"
        settings = settings_for(url)
        return Served(Repository(1, url, "rest", Secret(url), Secret(PASSWORD), settings), proxy)

    async def read(
        self, served: Served, program: str, alone: bool, seconds: float = PATIENCE
    ) -> Reading:
        """Read as the collection does; ``alone`` where only restic sees the repository."""
        repository = served.repository
        tools = evolve(no_tools(), http=self.client)
        backend: IBackend | None = None if alone else RestBackend.make(repository, tools)
        reader = ResticReader(reactor, tool(program), ENVIRON)
        task = Task(repository, "rest", backend, reader, seconds)
        return await read_repository(
            task, RepositoryStatus(task), NOW, reactor, Deadline.after(reactor, seconds)
        )

    async def test_forgotten(self) -> None:
        """The other snapshots are read, with each version, listed by us or by restic alone."""
        for program in VERSIONS:
            for alone in (False, True):
                served = self.serve()
                reading = await self.read(served, program, alone)
                self.assertEqual(reading.content.snapshot_count, 3)
                self.assertFalse(served.proxy.snapshot.exists())

    async def test_still_listed(self) -> None:
        """One that is listed again and again and never found is ``partial``, by its name."""
        for program in VERSIONS:
            for alone in (False, True):
                served = self.serve(listed=True)
                with self.assertRaises(ReadError) as caught:
                    await self.read(served, program, alone)
                error = caught.exception
                self.assertEqual(error.reason, Reason.PARTIAL, error.message)
                self.assertIn(served.proxy.snapshot.name[:8], error.message)
