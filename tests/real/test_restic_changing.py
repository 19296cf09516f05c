"""The restic reader and repositories that change while it reads."""

import os
import re
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet import reactor
from twisted.logger import globalLogPublisher

from restic_reporter.backends.local import LocalBackend
from restic_reporter.collection.read_repository import read_repository
from restic_reporter.collection.state import RepositoryStatus, Task
from restic_reporter.concurrency.daemon_threads import KeyedThreads
from restic_reporter.concurrency.deadline import Deadline
from restic_reporter.model.snapshots import Listing, Meter
from restic_reporter.processes import child
from restic_reporter.readers import restic as module
from restic_reporter.readers.restic import ResticReader
from restic_reporter.testing import read_request
from tests.doubles.child_programs import PATIENCE, script
from tests.doubles.repositories import no_tools, outcome
from tests.doubles.restic_case import ENVIRON, NOW, PASSWORD, VERSIONS, ReaderTestCase, entry, made
from tests.doubles.servers import restic, snapshots
from tests.doubles.tools import tool

any_reactor: Any = reactor


def make_sparse(path: Path) -> None:
    """A file of a size that fits into no memory."""
    path.touch()
    os.truncate(path, 2**40)


class ReplacedBackend:
    """
    A folder in which one snapshot loses its file right after the first listing; its name goes
    before the second one.
    """

    def __init__(self, backend: LocalBackend, path: Path) -> None:
        self.concurrent_loads = backend.concurrent_loads
        self.list_keys, self.load = backend.list_keys, backend.load
        self._backend = backend
        self._path = path
        self.listings = 0

    async def list(self, deadline: Deadline, meter: Meter) -> Listing:
        """What is there."""
        self.listings += 1
        if self.listings == 2:
            self._path.unlink()
        listing = await self._backend.list(deadline, meter)
        if self.listings == 1:
            self._path.unlink()
            self._path.symlink_to("/nowhere")
        return listing


class ChangingTests(ReaderTestCase):
    """Snapshots that go while restic itself reads."""

    async def test_vanished(self) -> None:
        """Each version is stopped or says so, and the next listing is read."""
        for program in VERSIONS:
            path = self.copy(made(program) / "full", program)
            repository = entry(path)
            gone = sorted((path / "snapshots").iterdir())[0]
            tools = evolve(no_tools(), threads=KeyedThreads(any_reactor))
            backend: Any = ReplacedBackend(LocalBackend.make(repository, tools), gone)
            reader = ResticReader(reactor, tool(program), ENVIRON)
            task = Task(repository, "local", backend, reader, PATIENCE)
            reading = await read_repository(
                task, RepositoryStatus(task), NOW, reactor, Deadline.after(reactor, PATIENCE)
            )
            left = snapshots(path, password=PASSWORD, program=program)
            self.assertEqual(reading.content.snapshot_count, len(left))
            self.assertNotIn(gone.name, {one["id"] for one in left})

    async def test_spoilt_cache(self) -> None:
        """A cache at which restic hangs or breaks down is tried once, for a part of the time."""
        self.patch(child, "INTERRUPT_GRACE", 0.2)
        for word, spoil, share in (("hangs", os.mkfifo, 0.05), ("fails", make_sparse, 0.5)):
            self.patch(module, "_CACHE_SHARE", share)
            logged: list[Any] = []
            observer: Any = logged.append
            globalLogPublisher.addObserver(observer)
            self.addCleanup(globalLogPublisher.removeObserver, observer)
            path = made("restic-0.18") / "full"
            [identifier] = re.findall(
                r'"id": ?"([0-9a-f]{64})"', restic(path, "cat", "config", password=PASSWORD)
            )
            cache = Path(self.mktemp()).resolve()
            (cache / identifier).mkdir(parents=True)
            spoil(cache / identifier / "version")
            calls = Path(self.mktemp()).resolve()
            program = script(
                Path(self.mktemp()),
                f'#!/bin/sh\necho "$@" >> {calls}\nexec {tool("restic-0.18")} "$@"\n',
            )
            reader = ResticReader(reactor, program, ENVIRON, str(cache))
            for _ in range(2):
                request = read_request(entry(path), Deadline.after(reactor, PATIENCE))
                found = await outcome(reader, request, NOW)
                self.assertEqual(len(found.ids), found.content.snapshot_count)
            runs = calls.read_text().splitlines()
            self.assertEqual([f"--cache-dir {cache}" in run for run in runs], [True, False, False])
            problems = [str(one.get("problem")) for one in logged if one.get("problem")]
            self.assertEqual(len(problems), 1)
            self.assertIn(f"restic {word} with the cache in {str(cache)!r}", problems[0])
