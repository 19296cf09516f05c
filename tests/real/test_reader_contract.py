"""The promises of `ISnapshotReader`, kept by every reader of ours."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet import reactor as default_reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from restic_reporter.backends.local import LocalBackend
from restic_reporter.concurrency.cpu_threads import WorkerThreads
from restic_reporter.concurrency.daemon_threads import KeyedThreads
from restic_reporter.interfaces import IBackend, ISnapshotReader
from restic_reporter.model.repository import Repository
from restic_reporter.model.snapshots import Snapshot
from restic_reporter.readers.native import NativeReader
from restic_reporter.readers.restic import ResticReader
from restic_reporter.testing import MemoryBackend, MemoryReader, ReaderContractTests
from tests.doubles.native_repositories import PASSWORD, SealedRepository, snapshot_json
from tests.doubles.repositories import name, no_tools, repository
from tests.doubles.tools import tool

reactor: Any = default_reactor


class MemoryContractTests(ReaderContractTests, TestCase):
    """The double."""

    def setUp(self) -> None:
        self.reader = MemoryReader()
        self.backend = MemoryBackend({"config": b"config", f"keys/{name(99)}": b""})

    def make_reader(self) -> ISnapshotReader:
        return self.reader

    def make_entry(self) -> Repository:
        return repository()

    def make_backend(self) -> IBackend:
        return self.backend

    def add(self, host: str, user: str, time: float) -> str:
        number = name(len(self.reader.snapshots))
        self.reader.snapshots.append(Snapshot(number, time, host, user))
        self.backend.files[f"snapshots/{number}"] = b""
        return number

    def remove(self, snapshot: str) -> None:
        self.reader.snapshots = [one for one in self.reader.snapshots if one.id != snapshot]
        del self.backend.files[f"snapshots/{snapshot}"]

    def damage(self, snapshot: str) -> None:
        self.reader.damaged.add(snapshot)

    def hold(self) -> None:
        self.reader.waiting = Deferred

    def contents(self) -> object:
        return dict(self.backend.files), list(self.reader.snapshots)


class NativeContractTests(ReaderContractTests, TestCase):
    """The reader that decrypts by itself."""

    def setUp(self) -> None:
        self.source = SealedRepository.made()
        self.workers = WorkerThreads(reactor, 2)
        self.addCleanup(self.workers.stop)

    def make_reader(self) -> ISnapshotReader:
        return NativeReader(reactor, {}, self.workers)

    def make_entry(self) -> Repository:
        return repository(password=PASSWORD)

    def make_backend(self) -> IBackend:
        return self.source

    def add(self, host: str, user: str, time: float) -> str:
        written = datetime.fromtimestamp(time, UTC).isoformat()
        return self.source.add_snapshot(snapshot_json(written, hostname=host, username=user))

    def remove(self, snapshot: str) -> None:
        del self.source.files[f"snapshots/{snapshot}"]

    def damage(self, snapshot: str) -> None:
        self.source.files[f"snapshots/{snapshot}"] = b"damaged"

    def hold(self) -> None:
        self.source.waiting = lambda _: Deferred()

    def contents(self) -> object:
        return dict(self.source.files)


class ResticContractTests(ReaderContractTests, TestCase):
    """The reader that asks a real restic."""

    def setUp(self) -> None:
        """A repository in a folder, whose key costs nothing to derive."""
        self.path = Path(self.mktemp()).resolve()
        self.source = SealedRepository.made()
        for folder in ("data", "index", "keys", "locks", "snapshots"):
            (self.path / folder).mkdir(parents=True)
        for path, content in self.source.files.items():
            (self.path / path).write_bytes(content)
        self.tools = evolve(no_tools(), reactor=reactor, threads=KeyedThreads(reactor))

    def make_reader(self) -> ISnapshotReader:
        return ResticReader(reactor, tool("restic-0.18"), {"PATH": os.environ["PATH"]})

    def make_entry(self) -> Repository:
        return repository(str(self.path), PASSWORD)

    def make_backend(self) -> IBackend:
        return LocalBackend.make(self.make_entry(), self.tools)

    def add(self, host: str, user: str, time: float) -> str:
        written = datetime.fromtimestamp(time, UTC).isoformat()
        value = snapshot_json(written, hostname=host, username=user)
        snapshot = self.source.add_snapshot(value)
        path = f"snapshots/{snapshot}"
        (self.path / path).write_bytes(self.source.files[path])
        return snapshot

    def remove(self, snapshot: str) -> None:
        (self.path / "snapshots" / snapshot).unlink()

    def damage(self, snapshot: str) -> None:
        (self.path / "snapshots" / snapshot).write_bytes(b"damaged")

    def hold(self) -> None:
        """A FIFO, which restic waits for."""
        (self.path / "config").unlink()
        os.mkfifo(self.path / "config")

    def contents(self) -> object:
        # The config is a FIFO where restic is held up.
        paths = [path for path in self.path.rglob("*") if path.name != "config"]
        return {str(path): path.is_file() and path.read_bytes() for path in paths}
