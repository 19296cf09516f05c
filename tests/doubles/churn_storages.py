"""Storages that real restics change, and of which each change of ``snapshots/`` is known."""

import ctypes
import json
import os
import re
import select
import struct
import threading
import time
from pathlib import Path
from typing import Any

from attrs import define, evolve, field, frozen

from restic_reporter.backends.b2 import B2Backend
from restic_reporter.backends.local import LocalBackend
from restic_reporter.backends.rest import RestBackend
from restic_reporter.interfaces import BackendTools, IBackend
from restic_reporter.model.repository import Repository
from restic_reporter.model.settings import BackendSettings
from restic_reporter.readers.native.compression import unpack
from restic_reporter.readers.native.encryption import Decryptor
from restic_reporter.redaction.secret import Secret
from tests.doubles.fake_b2 import FakeB2
from tests.doubles.fake_b2_account import Account
from tests.doubles.native_repositories import compressed, master_key, name_of, seal
from tests.doubles.programs import Folder
from tests.doubles.repositories import b2_settings, settings_for
from tests.doubles.servers import EXAMPLE_PASSWORD, RestServer, copy_example, restic

_NAME = re.compile("[0-9a-f]{64}")
_SNAPSHOT = re.compile("repository/snapshots/([0-9a-f]{64})")

_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE, _OVERFLOW = 0x40, 0x80, 0x100, 0x200, 0x4000

# How often, in seconds, a folder's changes are looked at.
_TICK = 0.005


@frozen
class Change:
    """
    A snapshot file that came (``there``) or went.

    It happened between ``earliest`` and ``latest``, in seconds of the monotonic clock.
    """

    earliest: float
    latest: float
    name: str
    there: bool


class FolderWatch:
    """The kernel's own account of a folder, by inotify, read by a thread of its own."""

    def __init__(self, path: Path) -> None:
        self.changes: list[Change] = []
        self.lost = False
        libc = ctypes.CDLL(None, use_errno=True)
        self._queue = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        events = _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE
        if libc.inotify_add_watch(self._queue, os.fsencode(path), events) < 0:
            raise OSError(ctypes.get_errno(), "cannot watch", str(path))
        self._empty = time.monotonic()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopping.is_set():
            select.select([self._queue], [], [], _TICK)
            self._take_all()
        self._take_all()

    def _take_all(self) -> None:
        """What has happened since the queue was seen empty."""
        while True:
            before = time.monotonic()
            try:
                data = os.read(self._queue, 1 << 16)
            except BlockingIOError:
                self._empty = before
                return
            self._take(data, time.monotonic())

    def _take(self, data: bytes, now: float) -> None:
        while data:
            _, mask, _, length = struct.unpack_from("iIII", data)
            name, data = data[16 : 16 + length].rstrip(b"\0").decode(), data[16 + length :]
            self.lost = self.lost or bool(mask & _OVERFLOW)
            if _NAME.fullmatch(name):
                there = bool(mask & (_CREATE | _MOVED_TO))
                self.changes.append(Change(self._empty, now, name, there))

    def stop(self) -> None:
        """Take what is left, and end."""
        if not self._stopping.is_set():
            self._stopping.set()
            self._thread.join()
            os.close(self._queue)


def fill(path: Path, count: int) -> None:
    """A copy of the example with at least ``count`` snapshots, at ``path``."""
    copy_example(path)
    [key] = (path / "keys").iterdir()
    master = master_key(key.name, key.read_bytes(), EXAMPLE_PASSWORD)
    decryptor = Decryptor(master)
    models = [decryptor.open(one.read_bytes()) for one in sorted((path / "snapshots").iterdir())]
    for number in range(count - len(models)):
        value = json.loads(unpack(models[number % len(models)], 2**20))
        value |= {"hostname": f"host-{number % 7}", "time": f"2026-0{number % 9 + 1}-01T00:00:00Z"}
        sealed = seal(master, compressed(json.dumps(value | {"number": number}).encode()))
        (path / "snapshots" / name_of(sealed)).write_bytes(sealed)


@define
class LocalStorage:
    """A repository of ``count`` snapshots in a folder."""

    folder: Folder
    count: int
    path: Path = field(init=False)
    location: str = field(init=False)
    watch: FolderWatch = field(init=False)
    environment: dict[str, str] = field(init=False, factory=dict)
    options: tuple[str, ...] = field(init=False, default=())
    scheme: str = field(init=False, default="local")
    settings: BackendSettings = field(init=False, factory=BackendSettings)

    def __attrs_post_init__(self) -> None:
        self.path = self.folder.path / "repository"
        fill(self.path, self.count)
        self.location = str(self.path)
        self.start()

    def start(self) -> None:
        """Make it reachable, and watch it."""
        self.watch = FolderWatch(self.path / "snapshots")
        self.folder.stack.callback(self.watch.stop)

    def changes(self) -> list[Change]:
        """All changes so far, of a storage that changes no more."""
        self.watch.stop()
        assert not self.watch.lost, "the kernel lost changes of the folder"
        return self.watch.changes

    def restic(self, *arguments: str, program: str = "restic-0.18") -> str:
        """What a real restic prints."""
        return restic(
            self.location,
            *self.options,
            *arguments,
            program=program,
            environment=self.environment,
        )

    def entry(self) -> Repository:
        """The entry of a config."""
        location, password = Secret(self.location), Secret(EXAMPLE_PASSWORD)
        return Repository(1, self.location, self.scheme, location, password, self.settings)

    def backend(self, tools: BackendTools) -> IBackend:
        """What lists it and loads from it."""
        return LocalBackend.make(self.entry(), tools)


@define
class RestStorage(LocalStorage):
    """The same behind a real rest-server."""

    scheme: str = field(init=False, default="rest")

    def start(self) -> None:
        """Serve it, and watch it."""
        LocalStorage.start(self)
        self.location = RestServer(self.folder, self.folder.path).url("repository")
        self.settings = settings_for(self.location)

    def backend(self, tools: BackendTools) -> IBackend:
        """What lists it and loads from it."""
        return RestBackend.make(self.entry(), tools)


class _WatchedAccount(Account):
    """Notes each change of a snapshot, in their order."""

    def __init__(self, shown: set[str]) -> None:
        super().__init__()
        self.changes: list[Change] = []
        self.shown = shown

    def upload(self, token: str | None, name: str, sha1: str, content: bytes) -> Any:
        """Take a file."""
        with self.lock:
            before = time.monotonic()
            answer = super().upload(token, name, sha1, content)
            self._note(name, before)
        return answer

    def call(self, name: str, token: str | None, arguments: Any, upload_url: str) -> Any:
        """Answer a call."""
        with self.lock:
            before = time.monotonic()
            answer = super().call(name, token, arguments, upload_url)
            if name in ("b2_hide_file", "b2_delete_file_version"):
                self._note(arguments["fileName"], before)
        return answer

    def _note(self, path: str, before: float) -> None:
        match = _SNAPSHOT.fullmatch(path)
        if match is None:
            return
        [bucket] = self.buckets.values()
        name, newest = match[1], bucket.newest(path)
        there = newest is not None and newest.action == "upload"
        if there != (name in self.shown):
            self.shown ^= {name}
            self.changes.append(Change(before, time.monotonic(), name, there))


@define
class B2Storage(LocalStorage):
    """The same in a fake B2, which the restics reach through a proxy."""

    scheme: str = field(init=False, default="b2")
    account: _WatchedAccount = field(init=False)

    def start(self) -> None:
        """Put it there."""
        fake = FakeB2()
        self.folder.stack.callback(fake.close)
        self.account = fake.account = _WatchedAccount(set(os.listdir(self.path / "snapshots")))
        bucket = self.account.add_bucket("some-bucket")
        for file in filter(Path.is_file, self.path.rglob("*")):
            name = str(file.relative_to(self.folder.path))
            self.account.put(bucket, name, file.read_bytes())
        key = self.account.add_key()
        self.location = "b2:some-bucket:repository"
        self.environment = fake.environment(key, fake.named())
        ca = self.folder.write("ca.pem", fake.authority.pem.decode())
        self.options = ("--cacert", str(ca))
        self.settings = b2_settings(self.location, key.id, key.secret, fake.direct())

    def changes(self) -> list[Change]:
        """All changes so far, of a storage that changes no more."""
        return self.account.changes

    def entry(self) -> Repository:
        """The entry of a config."""
        return evolve(
            LocalStorage.entry(self),
            settings=self.settings,
            ca_certificate_path=self.options[1],
            env={"HTTPS_PROXY": Secret(self.environment["HTTPS_PROXY"])},
        )

    def backend(self, tools: BackendTools) -> IBackend:
        """What lists it and loads from it."""
        return B2Backend.make(self.entry(), tools)


STORAGES = {"local": LocalStorage, "rest": RestStorage, "b2": B2Storage}
