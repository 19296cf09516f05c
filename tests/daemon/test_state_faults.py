"""The state folder of a whole daemon: private, taken, not writable, full, or damaged."""

import contextlib
import os
import random
import re
import signal
import sqlite3
import stat
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from twisted.trial.unittest import SkipTest

from restic_reporter.state.database import Database
from restic_reporter.state.folder import StateFolder
from restic_reporter.state.tables import TABLES
from tests.doubles.daemons import Daemon
from tests.doubles.native_repositories import cheapen
from tests.doubles.programs import Program
from tests.doubles.servers import EXAMPLE_PASSWORD, RestServer, copy_example, restic
from tests.doubles.state_case import AFTERWARDS, AT_ONCE, StateCase, content, held

MARKER = "mArKeR"

PAGE = 2048


# Without special rights a process is root in a namespace of users of its own.
UNSHARE = ("unshare", "--mount", *(() if os.getuid() == 0 else ("--user", "--map-root-user")))
ENTER_USER = () if os.getuid() == 0 else ("--user", "--preserve-credentials")


def fill(path: Path) -> None:
    """Leave no space on the disk where ``path`` is to be made."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def a_bit(data: bytearray, chance: random.Random) -> bytes | bytearray:
    """One bit anywhere has flipped."""
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return data


def the_header(data: bytearray, chance: random.Random) -> bytes | bytearray:
    """One bit within the file's header has flipped."""
    data[chance.randrange(100)] ^= 1 << chance.randrange(8)
    return data


def the_read_only_header(data: bytearray, chance: random.Random) -> bytes | bytearray:
    """One bit has flipped so that SQLite takes the file for one that must not be written."""
    data[18] ^= 1 << chance.randrange(2, 8)
    return data


def the_pages(data: bytearray, chance: random.Random) -> bytes | bytearray:
    """Some bytes of each page are others."""
    for start in range(0, len(data), PAGE):
        for _ in range(20):
            data[start + chance.randrange(PAGE)] = chance.randrange(256)
    return data


def the_end(data: bytearray, chance: random.Random) -> bytes | bytearray:
    """The file is shorter."""
    return data[: chance.randrange(1, len(data))]


def nothing(data: bytearray, chance: random.Random) -> bytes | bytearray:
    """The file is empty, as SQLite leaves it where it was stopped before its first write."""
    return b""


def noise(data: bytearray, chance: random.Random) -> bytes | bytearray:
    """The file is something else."""
    return chance.randbytes(len(data))


# Whether a fault must be told: not where nothing is lost, or the bits were of no use.
DAMAGES: dict[Callable[[bytearray, random.Random], bytes | bytearray], int | None] = {
    a_bit: None,
    the_header: None,
    the_read_only_header: 1,
    the_pages: 1,
    the_end: 1,
    nothing: 0,
    noise: 1,
}


class FolderTests(StateCase):
    """One daemon in a folder of its own, with no secret in it."""

    def modes(self) -> dict[str, str]:
        """The modes of all that is in the folder, and of itself."""
        paths = [self.state, *self.state.iterdir()]
        return {path.name: stat.filemode(path.stat().st_mode) for path in paths}

    def test_modes(self) -> None:
        """Folder and files are their owner's alone, whatever the umask, also while in use."""
        daemon = self.start(prefix=("sh", "-c", 'umask 0; exec "$@"', "sh")).serving()
        daemon.collect()
        files = dict.fromkeys(("lock", "state.db", "state.db-wal", "state.db-shm"), "-rw-------")
        self.assertEqual(self.modes(), {"state": "drwx------", **files})

    def test_no_secret(self) -> None:
        """No password, no path and no file name of anybody's data is in any file, packed or not."""
        server = RestServer(self.folder, self.folder.path / "other", {"me": f"{MARKER}1"})
        url = server.url("repo", f"me:{MARKER}1@")
        repository = copy_example(server.path / "repo", real_key=True)
        cheapen(repository, EXAMPLE_PASSWORD, f"{MARKER}2")
        data = self.folder.path / f"{MARKER}3"
        data.mkdir()
        (data / f"{MARKER}4").write_text(f"{MARKER}5")
        backup = ("backup", "--quiet", "--host=shown", str(data))
        restic(repository, *backup, password=f"{MARKER}2")
        entry = {"repo": url, "env": {"SOME": f"{MARKER}6"}}
        for number in (2, 7):
            password = self.folder.write(f"password-{number}", f"{MARKER}{number}")
            daemon = self.start(entries=[{**entry, "password_file": str(password)}]).serving()
            daemon.collect()
            daemon.stop()
            texts = [path.read_bytes() for path in self.state.iterdir()]
            texts += self.unpacked()
            self.assertTrue(any(b'"shown"' in text for text in texts))
            for text in texts:
                self.assertFalse(MARKER.encode() in text)

    def unpacked(self) -> Iterator[bytes]:
        """All that can be unpacked anywhere in the database's values."""
        with closing(sqlite3.connect(self.database)) as database:
            [[tables]] = database.execute("SELECT count(*) FROM sqlite_schema WHERE type = 'table'")
            self.assertEqual(tables, len(TABLES))
            for table in TABLES:
                for [value] in database.execute(f"SELECT value FROM {table}"):
                    yield value
                    for place in re.finditer(b"x[\x01^\x9c\xda]", value):
                        try:
                            yield zlib.decompressobj().decompress(value[place.start() :])
                        except zlib.error:
                            # It only looked like the beginning of something packed.
                            continue

    def test_two_daemons(self) -> None:
        """A second one ends with 1 and says why; after a KILL of the first a third takes over."""
        first = self.start().serving()
        second = self.start()
        self.assertEqual(second.program.end(), 1)
        said = (
            f"--state-dir: '{self.state}' is in use by .* \\(process {first.program.process.pid}\\)"
        )
        self.assertRegex(second.program.output, said)
        self.assertEqual(second.program.output.strip().count("\n"), 0, second.program.output)
        first.collect()
        self.assert_good(first.metrics())
        first.stop(signal.SIGKILL)
        self.assert_good(self.start().serving().metrics())


class UnusableTests(StateCase):
    """A folder that cannot be written."""

    def assert_told(self, daemon: Daemon, success: int) -> None:
        """An error line was written once, and the metric is as it should be; all else works."""
        metrics = daemon.metrics()
        self.assertEqual(metrics.value("restic_reporter_state_write_success"), success)
        self.assertEqual(daemon.program.output.count("cannot be used"), 1, daemon.program.output)
        self.assertNotIn("Traceback", daemon.program.output)
        self.assert_good(metrics)

    def test_no_folder(self) -> None:
        """Where no folder can be made it works without, and says so once."""
        for state in (self.folder.write("file", "") / "state", Path("/proc/state")):
            self.state = state
            daemon = self.start()
            daemon.program.wait_for(f"state in '{state}' cannot be used: ")
            daemon.program.wait_for(AFTERWARDS)
            daemon.serving()
            restic(self.repository, "tag", "--add=new", "latest")
            daemon.collect()
            self.assert_told(daemon, 0)
            self.assertEqual(daemon.stop(), -signal.SIGINT)
            self.assertEqual(daemon.program.output.count("cannot be used"), 1)

    def small_disk(self) -> Program:
        """Something that holds a small disk at the place of the state, where only it sees it."""
        if subprocess.run([*UNSHARE, "true"], stderr=subprocess.DEVNULL).returncode != 0:
            raise SkipTest("needs root, or namespaces of users")
        self.state.mkdir()
        mount = f"mount -t tmpfs -o size=400k,mode=700 none {self.state}"
        holder = self.folder.run(
            [*UNSHARE, "sh", "-c", f"{mount} && echo mounted && exec sleep infinity"]
        )
        holder.wait_for("mounted")
        return holder

    def test_disk_full(self) -> None:
        """On a full disk it goes on, says so once, and writes again when there is space."""
        holder = self.small_disk()
        filler = Path(f"/proc/{holder.process.pid}/root{self.state}/filler")
        enter = ("nsenter", f"--target={holder.process.pid}", "--mount", "--wd", *ENTER_USER)
        self.remembered(prefix=enter)
        fill(filler)
        daemon = self.start(prefix=enter)
        daemon.program.wait_for("cannot be used")
        daemon.serving().program.wait_for("collected 1 repository")
        for _ in range(2):
            restic(self.repository, "backup", "--quiet", str(daemon.config))
            daemon.collect()
        self.assert_told(daemon, 0)
        filler.unlink()
        daemon.collect()
        daemon.program.wait_for("state is written again")
        self.assert_told(daemon, 1)
        before = daemon.metrics()
        fill(filler)
        restic(self.repository, "backup", "--quiet", str(daemon.config))
        daemon.collect()
        daemon.program.wait_for("cannot be used: .*full")
        metrics = daemon.metrics()
        self.assertEqual(metrics.value("restic_reporter_state_write_success"), 0)
        self.assertEqual(metrics.value("backup_snapshot_count", url=self.url), 65)
        daemon.stop(signal.SIGKILL)
        filler.unlink()
        with held(self.server):
            daemon = self.start(prefix=enter)
            daemon.program.wait_for(AT_ONCE)
            # What was read last may have found room in SQLite's log, which is used again.
            known = [content(before), content(metrics)]
            self.assertIn(content(daemon.serving().metrics()), known)
            daemon.stop(signal.SIGKILL)


class DamageTests(StateCase):
    """A database that is not as it was written."""

    def test_damaged(self) -> None:
        """Whatever is wrong with its bytes, values are the true ones, and none of it is lost."""
        seed = random.randrange(2**32)
        chance = random.Random(seed)
        truth = content(self.remembered())
        good = self.database.read_bytes()
        self.assertGreater(len(good), 4 * PAGE)
        for damage, is_told in DAMAGES.items():
            with self.subTest(damage=damage.__name__, seed=seed):
                damaged = damage(bytearray(good), chance)
                self.database.write_bytes(damaged)
                metrics, log = self.single_run()
                self.assertEqual(content(metrics), truth)
                self.assert_good(metrics)
                [*aside] = self.state.glob("state.db.*-*")
                self.assertEqual(log.count("\n"), len(aside), log)
                if is_told is not None:
                    self.assertEqual(len(aside), is_told, log)
                for path in aside:
                    self.assertIn(f"set aside as {path.name!r}", log)
                    self.assertEqual(path.read_bytes(), damaged)
                    path.unlink()
                # It is whole again.
                database = Database(StateFolder(self.state))
                self.assertEqual(database.open(time.time()), [])
                [(_, _, kept, _)] = database.read([self.url])
                self.assertEqual(kept.snapshot_count, 62)
                database.close()

    def test_newer(self) -> None:
        """A database of a newer version is set aside as it is, once, and the daemon says so."""
        before = self.remembered()
        with closing(sqlite3.connect(self.database)) as database:
            database.execute("PRAGMA user_version = 99")
        newer = self.database.read_bytes()
        daemon = self.start()
        name = daemon.program.wait_for("database has version 99.* set aside as '(.*)'")[1]
        daemon.program.wait_for(AFTERWARDS)
        metrics = daemon.serving().metrics()
        self.assertEqual(content(metrics), content(before))
        self.assertEqual(metrics.value("restic_reporter_state_write_success"), 1)
        self.assertEqual(daemon.stop(), -signal.SIGINT)
        self.assertEqual(daemon.program.output.count("[error]"), 1, daemon.program.output)
        self.assertEqual((self.state / name).read_bytes(), newer)
        daemon = self.restarted()
        self.assertEqual(content(daemon.metrics()), content(before))
        self.assertNotIn("[error]", daemon.program.output)
