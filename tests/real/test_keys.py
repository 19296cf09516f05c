"""Tests of keys, formats and locks that real restics make, with real servers and both readers."""

import os
import pwd
import subprocess
import time
from typing import Any

from attrs import evolve

from restic_reporter.backends.local import LocalBackend
from restic_reporter.backends.rest import RestBackend
from restic_reporter.backends.sftp import SFTPBackend
from restic_reporter.backends.sftp.login import Login
from restic_reporter.collection.state import Locks
from restic_reporter.interfaces import ISnapshotReader
from restic_reporter.model.access import KeyFacts
from restic_reporter.model.errors import Reason
from restic_reporter.model.repository import Repository
from restic_reporter.model.snapshots import Lock
from restic_reporter.redaction.secret import Secret
from tests.doubles.access_case import AccessCase
from tests.doubles.programs import PATIENCE
from tests.doubles.repositories import settings_for
from tests.doubles.servers import EXAMPLE_PASSWORD, RestServer, copy_example, restic
from tests.doubles.sftp_case import sftp_repository
from tests.doubles.tools import tool

NEW_PASSWORD = "another password"


class KeysCase(AccessCase):
    """A repository, and the ways to read it."""

    def setUp(self) -> None:
        super().setUp()
        self.path = copy_example(self.folder.path / "repo")
        [self.key] = (self.path / "keys").iterdir()
        self.server = RestServer(self.folder, self.folder.path)
        self.new_password = self.folder.write("new-password", NEW_PASSWORD)

    def entry(self, scheme: str) -> Repository:
        """Its entry in a config."""
        password = Secret(EXAMPLE_PASSWORD)
        if scheme == "rest":
            url = self.server.url("repo")
            return Repository(1, url, scheme, Secret(url), password, settings_for(url))
        if scheme == "sftp":
            return evolve(sftp_repository(str(self.path), tool("sftp-server")), password=password)
        return Repository(1, str(self.path), scheme, Secret(str(self.path)), password)

    def read_by(self, reader: ISnapshotReader, entry: Repository) -> None:
        """Collect it in this way from now on."""
        makers = {"rest": RestBackend, "sftp": SFTPBackend, "local": LocalBackend}
        maker: Any = makers[entry.scheme]
        self.use(maker.make(entry, self.tools), reader, entry)
        self.addCleanup(self.log_out)

    def log_out(self) -> None:
        """End all that ssh would be."""
        for one in self.tools.shared.values():
            if isinstance(one, Login):
                one.close()

    async def known(self) -> KeyFacts:
        """What is known after another collection."""
        status = await self.collect()
        self.assertTrue(status.success, status.error)
        return status.keys

    def restic(self, *arguments: str, **options: Any) -> str:
        """Run restic on the repository."""
        return restic(self.path, *arguments, **options)


class KeysTests(KeysCase):
    """``restic key``."""

    async def check(self, scheme: str, reader: ISnapshotReader) -> None:
        """Check that a new key shows, until it is removed, and that a changed one does."""
        self.read_by(reader, self.entry(scheme))
        # The restic reader sees no keys; the listings of other storages have them.
        looks_only = scheme == "rest" and not reader.incremental
        if looks_only:
            self.assertIsNone((await self.known()).count)
        before = await self.known()
        self.assertEqual(before.count, 1)
        self.assertEqual(before.version, "2" if reader.incremental else "")
        begun = int(time.time())
        self.restic("key", "add", "--new-password-file", str(self.new_password))
        known = await self.known()
        self.assertEqual(known.count, 2)
        if scheme == "rest":
            # The new key was not read, as the old one opens it all the same.
            self.assertIsNone(known.newest)
        else:
            assert known.newest is not None and before.newest is not None
            self.assertGreaterEqual(known.newest, begun)
            self.assertLess(before.newest, begun)
        [added] = [one for one in (self.path / "keys").iterdir() if one != self.key]
        self.restic("key", "remove", added.name)
        self.assertEqual(await self.known(), before)

    async def test_rest(self) -> None:
        """On a REST server a look at the keys shows them."""
        self.let_days_pass()
        for reader in self.readers():
            await self.check("rest", reader)

    async def test_local(self) -> None:
        """In a folder each listing shows them, and when they were stored."""
        os.utime(self.key, (1_600_000_000, 1_600_000_000))
        for reader in self.readers():
            await self.check("local", reader)

    async def test_sftp(self) -> None:
        """Over SFTP too."""
        os.utime(self.key, (1_600_000_000, 1_600_000_000))
        for reader in self.readers():
            await self.check("sftp", reader)

    async def test_password(self) -> None:
        """A changed password is a new key; what is known stays until it opens."""
        self.let_days_pass()
        for scheme in ("rest", "local"):
            reader = self.readers()[1]
            self.read_by(reader, self.entry(scheme))
            before = await self.known()
            self.restic("key", "passwd", "--new-password-file", str(self.new_password))
            await self.assert_not_read(Reason.AUTH, 62)
            status = await self.collect()
            self.assertEqual(status.keys, before)
            entry = evolve(self.entry(scheme), password=Secret(NEW_PASSWORD))
            self.read_by(reader, entry)
            after = await self.known()
            self.assertEqual(after.count, 1)
            assert after.newest is not None and before.newest is not None
            self.assertGreater(after.newest, before.newest)
            self.new_password.write_text(EXAMPLE_PASSWORD)
            self.restic(
                *("key", "passwd", "--new-password-file", str(self.new_password)),
                password=NEW_PASSWORD,
            )
            self.new_password.write_text(NEW_PASSWORD)

    async def test_no_request(self) -> None:
        """They cost no request beside those that were sent before they were shown."""
        native = {"list": 5, "load": 64}
        for reader, first in zip(self.readers(), ({"list": 2}, native), strict=True):
            self.read_by(reader, self.entry("rest"))
            status = await self.collect()
            self.assertEqual(status.meter.requests, first)
            for _ in range(3):
                first["list"] += 2
                await self.collect()
                self.assertEqual(status.meter.requests, first)
        self.let_days_pass()
        await self.collect()
        # The names of the keys, and the config.
        self.assertEqual(
            status.meter.requests, {"list": native["list"] + 3, "load": native["load"] + 1}
        )


class FormatTests(KeysCase):
    """The versions of the repository's format."""

    async def test_versions(self) -> None:
        """Either shows, and an upgrade of the repository does."""
        path = self.folder.path / "old"
        restic(path, "init", "--repository-version", "1")
        self.let_days_pass()
        self.path = path
        self.read_by(self.readers()[1], self.entry("local"))
        self.assertEqual((await self.known()).version, "1")
        self.restic("migrate", "upgrade_repo_v2")
        self.assertEqual((await self.known()).version, "2")


class LocksTests(KeysCase):
    """Who holds the locks, while restic runs and after it has been killed."""

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start a restic that holds a lock until its standard input ends."""
        process = subprocess.Popen(
            [tool("restic-0.18"), "-r", str(self.path), "--no-cache", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env={"RESTIC_PASSWORD": EXAMPLE_PASSWORD, "PATH": os.environ["PATH"]},
        )
        self.addCleanup(process.kill)
        return process

    async def locks(self, count: int) -> Locks:
        """The locks, as soon as there are so many."""
        while True:
            status = await self.collect()
            self.assertTrue(status.success, status.error)
            assert status.locks is not None
            if status.locks.count == count:
                return status.locks

    def held_by(self, process: "subprocess.Popen[bytes]", time: float, exclusive: bool) -> Lock:
        """The lock of a process that we have started."""
        user = pwd.getpwuid(os.getuid()).pw_name
        return Lock(time, os.uname().nodename, user, process.pid, exclusive)

    async def test_backup(self) -> None:
        """A backup that runs shows with host, user and process, as long as it runs."""
        for scheme in ("rest", "local", "sftp"):
            self.read_by(self.readers()[1], self.entry(scheme))
            backup = self.start("backup", "--stdin", "--host", "of-the-snapshot")
            [lock] = (await self.locks(1)).oldest
            self.assertEqual(lock, self.held_by(backup, lock.time, exclusive=False))
            self.assertLess(abs(time.time() - lock.time), PATIENCE)
            backup.communicate(b"content", PATIENCE)
            self.assertEqual(backup.returncode, 0)
            self.assertEqual((await self.locks(0)).oldest, ())

    async def test_left_behind(self) -> None:
        """An exclusive lock shows as such, also after its process was killed."""
        self.read_by(self.readers()[1], self.entry("local"))
        password = self.folder.path / "never-written"
        os.mkfifo(password)
        changing = self.start("key", "passwd", "--new-password-file", str(password))
        await self.locks(1)
        changing.kill()
        changing.wait(PATIENCE)
        [lock] = (await self.locks(1)).oldest
        self.assertEqual(lock, self.held_by(changing, lock.time, exclusive=True))

    async def test_times_alone(self) -> None:
        """The restic reader reads no locks; their times are those of the listing."""
        self.read_by(self.readers()[0], self.entry("local"))
        (self.path / "locks" / ("0" * 64)).write_bytes(b"lock")
        os.utime(self.path / "locks" / ("0" * 64), (1_700_000_000, 1_700_000_000))
        found = await self.locks(1)
        self.assertEqual((found.times, found.oldest), ((1_700_000_000.0,), ()))
