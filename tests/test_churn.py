"""Tests of repositories that real restics change while they are read."""

import os
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor as default_reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from restic_reporter.backends.b2 import B2Backend
from restic_reporter.backends.local import LocalBackend
from restic_reporter.backends.rest import RestBackend
from restic_reporter.collection import Collector
from restic_reporter.config import Repository
from restic_reporter.config.settings import B2Credentials
from restic_reporter.deadline import Deadline, sleep
from restic_reporter.errors import Reason
from restic_reporter.http import BoundedHTTPClient, Transport
from restic_reporter.interfaces import BackendTools, IBackend, ISnapshotReader
from restic_reporter.model import Listing, Meter
from restic_reporter.readers.native import NativeReader
from restic_reporter.readers.restic import ResticReader
from restic_reporter.repository_state import RepositoryStatus, Task
from restic_reporter.secret import Secret
from restic_reporter.threads import KeyedThreads
from restic_reporter.worker_threads import WorkerThreads

from .churn import TALLY, Comparison, History, Operations, make_repository
from .fake_b2 import FakeB2
from .servers import EXAMPLE_PASSWORD, Folder, RestServer, restic
from .tools import tool

reactor: Any = default_reactor

# Operations in each case. One of them changes up to sixty snapshots, one after the other.
OPERATIONS = 5


class ChurnCase(TestCase):
    """A repository, and collections of it."""

    timeout = 300

    def setUp(self) -> None:
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.workers = WorkerThreads(reactor, 2)
        self.addCleanup(self.workers.stop)
        self.http = BoundedHTTPClient(reactor)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.http.close()))
        self.tools = BackendTools(reactor, self.http, KeyedThreads(reactor))
        self.path = self.folder.path / "repo"
        self.master = make_repository(self.path)
        self.history = History(self.path, self.master)
        self.environ = {"PATH": os.environ["PATH"], "HOME": "/"}

    def native(self) -> ISnapshotReader:
        """The reader without restic."""
        return NativeReader(reactor, {}, self.workers)

    def by_restic(self, program: str = "restic-0.18") -> ISnapshotReader:
        """The reader that runs this restic."""
        return ResticReader(reactor, tool(program), self.environ)

    def entry(self, url: str, scheme: str, **more: Any) -> Repository:
        """An entry for the repository."""
        return Repository(1, url, scheme, Secret(url), Secret(EXAMPLE_PASSWORD), **more)

    def local(self) -> tuple[Repository, IBackend]:
        """The folder."""
        entry = self.entry(str(self.path), "local")
        return entry, LocalBackend.make(entry, self.tools)

    def rest(self) -> tuple[Repository, IBackend]:
        """A REST server in front of the folder."""
        self.server = RestServer(self.folder, self.folder.path)
        entry = self.entry(self.server.url("repo"), "rest")
        return entry, RestBackend.make(entry, self.tools)

    def b2(self) -> tuple[Repository, IBackend]:
        """A bucket that is made to follow the folder, file by file."""
        fake = FakeB2()
        self.addCleanup(fake.close)
        bucket = fake.account.add_bucket("some-bucket")
        key = fake.account.add_key()
        for file in self.path.rglob("*"):
            if file.is_file():
                name = f"repo/{file.relative_to(self.path)}"
                fake.account.put(bucket, name, file.read_bytes())

        def follow(name: str, content: bytes | None) -> None:
            if content is None:
                fake.account.remove(bucket, f"repo/snapshots/{name}")
            else:
                fake.account.put(bucket, f"repo/snapshots/{name}", content)

        self.history.on_change = follow
        ca = self.folder.write("ca.pem", fake.authority.pem.decode())
        self.environ.update(fake.environment(key, fake.named()))
        entry = self.entry(
            "b2:some-bucket:repo",
            "b2",
            b2=B2Credentials(key.id, Secret(key.secret), fake.direct(tls=True)),
            transport=Transport(ca_certificates=fake.authority.pem),
            ca_certificate_path=str(ca),
        )
        return entry, B2Backend.make(entry, self.tools)

    def use(self, entry: Repository, backend: IBackend, reader: ISnapshotReader) -> None:
        """Collect this from now on."""
        self.collector = Collector(reactor, time.time, 1)
        self.collector.set_tasks({entry.url: Task(entry, entry.scheme, backend, reader, 60.0)})

    async def collect(self) -> RepositoryStatus:
        """Collect; what is known then."""
        await self.collector.collect()
        [status] = self.collector.statuses.values()
        return status


class ChurnTests(ChurnCase):
    """Every page is compared with all that was true while it was made."""

    async def churn(
        self, place: Callable[[], tuple[Repository, IBackend]], reader: ISnapshotReader
    ) -> None:
        """Read beside restics that change the repository."""
        entry, backend = place()
        location = entry.url if entry.scheme == "rest" else str(self.path)
        self.history.start()
        self.addCleanup(self.history.stop)
        self.use(entry, backend, reader)
        operations = Operations(location, self.folder.path / "data", seed=len(location))
        windows: list[tuple[float, float, Any]] = []
        changing = deferToThread(operations.run, OPERATIONS)
        failed: Counter[Reason] = Counter()
        wrong: Counter[str] = Counter()
        while not changing.called:
            begun = time.monotonic()
            status = await self.collect()
            failed.update(status.failures)
            if status.success:
                assert status.content is not None
                windows.append((begun, time.monotonic(), status.content))
            status.failures.clear()
            await sleep(reactor, 0)
        await changing
        changed = 0
        for begun, ended, content in windows:
            states = await deferToThread(self.history.during, begun, ended)
            changed += len(states) > 1
            wrong += Comparison.of(content, states).wrong
        self.note(operations=operations.done.total(), compared=len(windows), changing=changed)
        self.note(**{f"failed: {reason}": number for reason, number in failed.items()})
        self.note(**{f"never true: {kind}": number for kind, number in wrong.items()})
        self.assertEqual((dict(wrong), set(failed) - {Reason.PARTIAL}), ({}, set()))
        # It is no proof if nothing was read, or nothing changed meanwhile.
        self.assertGreater(len(windows), OPERATIONS)
        self.assertGreater(changed, 0)

    def note(self, **numbers: int) -> None:
        """Add to what this case has come to."""
        TALLY.update({(self._testMethodName, name): number for name, number in numbers.items()})

    async def test_local_native(self) -> None:
        """A folder, without restic."""
        await self.churn(self.local, self.native())

    async def test_local_restic(self) -> None:
        """A folder, with restic."""
        await self.churn(self.local, self.by_restic("restic-0.19"))

    async def test_rest_native(self) -> None:
        """A REST server, without restic."""
        await self.churn(self.rest, self.native())

    async def test_rest_restic(self) -> None:
        """A REST server, with the oldest restic."""
        await self.churn(self.rest, self.by_restic("restic-0.14"))

    async def test_b2_native(self) -> None:
        """B2, without restic."""
        await self.churn(self.b2, self.native())

    async def test_b2_restic(self) -> None:
        """B2, with restic."""
        await self.churn(self.b2, self.by_restic())


class HeldBackend:
    """Calls ``act`` to its end right after the first listing, when the first file is asked for."""

    def __init__(self, backend: IBackend, act: Callable[[], object]) -> None:
        self.concurrent_loads = 1
        self.list_keys = backend.list_keys
        self._backend, self._act = backend, act
        self.held = False

    async def list(self, deadline: Deadline, meter: Meter) -> Listing:
        """What is there."""
        return await self._backend.list(deadline, meter)

    async def load(self, path: str, limit: int, deadline: Deadline, meter: Meter) -> bytes:
        """A file, as it is then."""
        if not self.held and path.startswith("snapshots/"):
            self.held = True
            await deferToThread(self._act)
        return await self._backend.load(path, limit, deadline, meter)


class WorstMomentTests(ChurnCase):
    """All snapshots are replaced right between the listing and the first of them being read."""

    def tag_all(self) -> None:
        """Save each snapshot anew, and remove the old one."""
        restic(self.path, "tag", "--add", "new")

    async def assert_all_there(self) -> None:
        """The first collection shows each of the 62."""
        status = await self.collect()
        self.assertEqual(status.failures, {})
        assert status.content is not None
        self.assertEqual(status.content.snapshot_count, 62)
        self.assertEqual(sum(one.snapshot_count for one in status.content.sets), 62)

    async def test_native(self) -> None:
        """The native reader, with a folder and a REST server."""
        for place in (self.local, self.rest):
            entry, backend = place()
            held: Any = HeldBackend(backend, self.tag_all)
            self.use(entry, held, self.native())
            await self.assert_all_there()
            self.assertTrue(held.held)

    async def test_restic(self) -> None:
        """The reader that runs restic, likewise."""
        for place in (self.local, self.rest):
            entry, backend = place()
            once = self.folder.path / "once"
            program = self.folder.write(
                "late",
                "#!/bin/sh\n"
                f"if [ ! -e {once} ]; then touch {once}; "
                f"env -i RESTIC_PASSWORD={EXAMPLE_PASSWORD} {tool('restic-0.18')} "
                f"--no-cache -q -r {self.path} tag --add new >&2; fi\n"
                f'exec {tool("restic-0.18")} "$@"\n',
                0o755,
            )
            self.use(entry, backend, ResticReader(reactor, str(program), self.environ))
            await self.assert_all_there()
            self.assertTrue(once.exists())
            once.unlink()
