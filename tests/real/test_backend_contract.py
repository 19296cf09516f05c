"""The promises of `IBackend`, kept by every backend of ours."""

import os
import signal
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet import reactor as default_reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from restic_reporter.backends.local import LocalBackend
from restic_reporter.backends.rest import RestBackend
from restic_reporter.concurrency.daemon_threads import KeyedThreads
from restic_reporter.http import BoundedHTTPClient, basic_auth
from restic_reporter.interfaces import IBackend
from restic_reporter.model.repository import Repository
from restic_reporter.redaction.secret import Secret
from restic_reporter.testing import BackendContractTests, MemoryBackend
from tests.doubles.b2_case import B2Case
from tests.doubles.fake_s3 import REGION, SECRET
from tests.doubles.programs import Folder
from tests.doubles.repositories import no_tools, repository, settings_for
from tests.doubles.s3_case import S3Case
from tests.doubles.servers import RestServer
from tests.doubles.sftp_case import SFTPCase

reactor: Any = default_reactor

USER, PASSWORD = "t@m", "p@:s/w%d ü"


class MemoryContractTests(BackendContractTests, TestCase):
    """The double."""

    def setUp(self) -> None:
        self.backend = MemoryBackend(concurrent_loads=3, shows_keys=True)

    def make_backend(self) -> IBackend:
        return self.backend

    def put(self, path: str, content: bytes) -> None:
        self.backend.files[path] = content

    def remove(self, path: str) -> None:
        del self.backend.files[path]

    def hold(self) -> None:
        self.backend.waiting = lambda _: Deferred()


class FolderContractTests(BackendContractTests):
    """What backends of repositories in the folder ``path`` have in common."""

    path: Path

    def put(self, path: str, content: bytes) -> None:
        (self.path / path).parent.mkdir(parents=True, exist_ok=True)
        (self.path / path).write_bytes(content)

    def remove(self, path: str) -> None:
        (self.path / path).unlink()


class LocalContractTests(FolderContractTests, TestCase):
    """Repositories in folders."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp()).absolute() / "some where-ü"
        self.tools = evolve(no_tools(), reactor=reactor, threads=KeyedThreads(reactor))

    def make_backend(self) -> IBackend:
        return LocalBackend.make(repository(str(self.path)), self.tools)


class RestContractTests(FolderContractTests, TestCase):
    """Repositories behind a real rest-server that asks for a password."""

    secrets = (PASSWORD, basic_auth(USER, PASSWORD).split()[1])

    def setUp(self) -> None:
        folder = Folder()
        self.addCleanup(folder.close)
        self.server = RestServer(folder, folder.path / "data", {USER: PASSWORD})
        self.path = self.server.path / "some" / "whe re"
        http = BoundedHTTPClient(reactor)
        self.addCleanup(lambda: Deferred.fromCoroutine(http.close()))
        self.tools = evolve(no_tools(), http=http)

    def make_backend(self) -> IBackend:
        url = self.server.url("some/whe%20re")
        settings = settings_for(url, rest_username=USER, rest_password=PASSWORD)
        return RestBackend.make(
            Repository(1, url, "rest", Secret(url), Secret("x"), settings), self.tools
        )


class B2ContractTests(BackendContractTests, B2Case):
    """Repositories in a fake B2."""

    def setUp(self) -> None:
        super().setUp()
        self.secrets = (self.key.secret,)

    def make_backend(self) -> IBackend:
        return self.backend("some/whe re")

    def put(self, path: str, content: bytes) -> None:
        self.fake.account.put(self.bucket, f"some/whe re/{path}", content)

    def remove(self, path: str) -> None:
        self.fake.account.remove(self.bucket, f"some/whe re/{path}")


class S3ContractTests(BackendContractTests, S3Case):
    """Repositories in a fake S3."""

    secrets = (SECRET,)

    def make_backend(self) -> IBackend:
        return self.backend("some/whe%20re", options={"s3.region": REGION})

    def put(self, path: str, content: bytes) -> None:
        self.fake.put(f"some/whe re/{path}", content)

    def remove(self, path: str) -> None:
        del self.fake.bucket.objects[f"some/whe re/{path}"]


class SFTPContractTests(FolderContractTests, SFTPCase):
    """Repositories behind a fake SFTP server."""

    def make_backend(self) -> IBackend:
        return self.backend()

    def hold(self) -> None:
        os.kill(self.last_pid(), signal.SIGSTOP)
