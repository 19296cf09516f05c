"""The native reader against restic itself: the same repositories, read by both."""

import functools
import json
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

from attrs import define, evolve

from restic_reporter.backends.local import LocalBackend
from restic_reporter.concurrency.daemon_threads import KeyedThreads
from restic_reporter.concurrency.deadline import Deadline
from restic_reporter.model.repository import Repository
from restic_reporter.readers.native.key_file import open_key_file, parse_key_file
from restic_reporter.readers.native.snapshot_files import decode
from restic_reporter.readers.restic import ResticReader
from restic_reporter.redaction.secret import Secret
from restic_reporter.restic_format.file_hash import check_content
from restic_reporter.restic_format.file_names import is_file_name
from restic_reporter.restic_format.snapshot_json import parse_snapshot, parse_time
from restic_reporter.testing import read_request
from tests.doubles.native_case import NOW, Kept, NativeCase, reactor
from tests.doubles.native_repositories import PASSWORD, compressed, key_file, name_of, seal
from tests.doubles.repositories import Outcome, no_tools, outcome
from tests.doubles.servers import PATIENCE, restic, snapshots
from tests.doubles.tools import tool

# Who made it, the repository's version, and how it is compressed.
KINDS = (
    ("restic-0.14", "1", "auto"),
    ("restic-0.14", "2", "max"),
    ("restic-0.18", "2", "off"),
    ("restic-0.19", "2", "max"),
)

# Host, local time, zone and tags.
BACKUPS = (
    ("alpha", "2025-03-01 12:00:00", "Asia/Tokyo", "a,b"),
    ("alpha", "2025-03-01 05:00:00", "America/St_Johns", "ä"),
    ("gämma ray", "2024-02-29 23:59:59", "Asia/Kathmandu", "c"),
    ('quoted "\\ \t<&>', "9999-12-31 23:59:59", "UTC", "c"),
    ("beginning", "0001-01-02 00:00:00", "UTC", "c"),
    ("nought", "0000-01-01 00:00:00", "UTC", "c"),
    ("forgotten", "2025-01-01 00:00:00", "UTC", "c"),
)


@define
class Made:
    """A repository in a folder, its master key, and the key file that restic made for it."""

    path: Path
    master: bytes
    own_key: bytes


@functools.cache
def empty(version: str) -> Made:
    """An empty repository of this version; to be copied."""
    program = "restic-0.14" if version == "1" else "restic-0.19"
    path = Path(f"native-empty-{version}").resolve()
    restic(path, "init", "--repository-version", version, program=program, password=PASSWORD)
    [own] = (path / "keys").iterdir()
    content = own.read_bytes()
    master = open_key_file(parse_key_file(own.name, content), PASSWORD.encode())
    assert master is not None
    # With keys that are derived in no time the rest goes on in no time too.
    own.chmod(0o600)
    own.unlink()
    _add_key(path, key_file(master, "another", created="1970-01-01T00:00:00Z"))
    _add_key(path, key_file(master))
    return Made(path, master, content)


@functools.cache
def made(program: str, version: str, compression: str) -> Made:
    """A repository of this kind, with all that restic does to snapshots."""
    folder = Path(f"native-{program}-{version}-{compression}").resolve()
    data = folder / "data"
    data.mkdir(parents=True)
    for name in ("kept", "left-out"):
        (data / name).write_text(name)
    path = folder / "repository"
    shutil.copytree(empty(version).path, path)

    def run(*arguments: str, zone: str = "UTC") -> str:
        environment = {"TZ": zone, "RESTIC_COMPRESSION": compression}
        return restic(path, *arguments, program=program, password=PASSWORD, environment=environment)

    for host, local, zone, tags in BACKUPS:
        run("backup", "--host", host, "--time", local, "--tag", tags, str(data), zone=zone)
    run("backup", "--host", "now", str(data))
    run("tag", "--add", "more", "--host", "gämma ray")
    if program != "restic-0.14":
        run("rewrite", "--exclude", "left-out", "--forget", "--host", "alpha")
    listed = snapshots(path, program=program, password=PASSWORD)
    [forgotten] = [one["id"] for one in listed if one["hostname"] == "forgotten"]
    run("forget", forgotten)
    return evolve(empty(version), path=path)


def _add_key(path: Path, content: bytes) -> Path:
    file = path / "keys" / name_of(content)
    file.write_bytes(content)
    return file


def backend(path: Path) -> LocalBackend:
    """What lists it."""
    tools = evolve(no_tools(), threads=KeyedThreads(reactor))
    return LocalBackend.make(entry(path), tools)


def entry(path: Path) -> Repository:
    """An entry of the config."""
    return Repository(1, "label", "local", Secret(str(path)), Secret(PASSWORD))


def copy(path: Path, target: str) -> Path:
    """A copy of a repository, without the data, in the folder ``target``."""
    shutil.copytree(path, target, ignore=shutil.ignore_patterns("data"))
    return Path(target).resolve()


def damage(path: Path) -> None:
    """Overwrite each snapshot file, so that nobody can read it."""
    for file in (path / "snapshots").iterdir():
        file.chmod(0o600)
        file.write_bytes(bytes(file.stat().st_size))


class BothReaders(NativeCase):
    """What both readers say."""

    async def by_restic(
        self, path: Path, program: str = "restic-0.19", cache: str | None = None
    ) -> Outcome:
        """What the restic reader says."""
        reader = ResticReader(reactor, tool(program), {"PATH": os.environ["PATH"]}, cache)
        return await outcome(
            reader, read_request(entry(path), Deadline.after(reactor, PATIENCE)), NOW
        )


class EqualityTests(BothReaders):
    """Both readers say the same of repositories that restic made."""

    async def test_results(self) -> None:
        """Every field of the result is the same, for each kind of repository."""
        for kind in KINDS:
            self.memory = Kept()
            path = made(*kind).path
            expected = await self.by_restic(path)
            self.assertEqual(await self.read(backend(path)), expected)
            self.assertEqual(expected.content.snapshot_count, len(BACKUPS))
            self.assertEqual(expected.content.invalid_count, 1)

    async def test_many_paths(self) -> None:
        """Snapshots of 60,000 paths are the same, and so are the others beside them."""
        repository = made(*KINDS[-1])
        path = copy(repository.path, self.mktemp())
        [one] = [
            json.loads(restic(path, "--no-lock", "cat", "snapshot", name, password=PASSWORD))
            for name in sorted(file.name for file in _files(path))[:1]
        ]
        paths = [f"/home/user/some/folder/with/files/{number:07}" for number in range(60_000)]
        for members in ({"paths": paths}, {"tags": paths, "hostname": "tags"}, {"excludes": paths}):
            text = json.dumps({**one, **members}).encode()
            for plain in (text, compressed(text)):
                content = seal(repository.master, plain)
                (path / "snapshots" / name_of(content)).write_bytes(content)
        expected = await self.by_restic(path)
        self.assertEqual(expected.content.snapshot_count, len(BACKUPS) + 6)
        self.assertEqual(expected.content.invalid_count, 1)
        self.assertEqual(await self.read(backend(path)), expected)

    def test_snapshots(self) -> None:
        """Id, time, host and user of each snapshot are the same."""
        for kind in KINDS:
            repository = made(*kind)
            expected = {
                parse_snapshot(one)
                for one in snapshots(repository.path, program="restic-0.19", password=PASSWORD)
            }
            files = [(one.name, one.read_bytes()) for one in _files(repository.path)]
            for name, content in files:
                check_content(f"snapshots/{name}", content)
            found = {one.snapshot for one in decode(files, repository.master)}
            self.assertEqual(found, expected)

    async def test_own_key(self) -> None:
        """A key with the parameters that restic itself picked opens it."""
        for kind in (KINDS[0], KINDS[-1]):
            self.memory = Kept()
            repository = made(*kind)
            path = copy(repository.path, self.mktemp())
            own = _add_key(path, repository.own_key).name
            result = await self.read(backend(path), hint=own[:8])
            self.assertEqual(self.derivations(), [own])
            self.assertEqual(result.content.snapshot_count, len(BACKUPS))

    async def test_lock(self) -> None:
        """The time of a lock that a running restic holds."""
        path = copy(made(*KINDS[-1]).path, self.mktemp())
        running = subprocess.Popen(
            [tool("restic-0.19"), "-r", str(path), "--no-cache", "backup", "-v", "--stdin"],
            env={"PATH": os.environ["PATH"], "RESTIC_PASSWORD": PASSWORD, "HOME": "/"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            assert running.stdout is not None
            # It says so once it holds its lock.
            self.assertTrue(any(b"start backup" in line for line in running.stdout))
            [lock] = filter(is_file_name, os.listdir(path / "locks"))
            result = await self.read(backend(path))
            said = json.loads(restic(path, "--no-lock", "cat", "lock", lock, password=PASSWORD))
        finally:
            running.kill()
            running.communicate()
        self.assertEqual(result.oldest_lock, parse_time(said["time"]))


def _files(path: Path) -> Iterator[Path]:
    return (path / "snapshots").iterdir()


def _tree(path: Path) -> dict[str, tuple[int, bytes]]:
    """Modes and contents of all that is in a folder."""
    return {
        str(one.relative_to(path)): (
            stat.S_IMODE(one.stat().st_mode),
            one.read_bytes() if one.is_file() else b"",
        )
        for one in path.rglob("*")
    }


class SharedCacheTests(BothReaders):
    """The cache on disk, shared with restic."""

    def copy(self) -> Path:
        """A repository that may be damaged."""
        return copy(made(*KINDS[-1]).path, self.mktemp())

    async def test_same_layout(self) -> None:
        """What the native reader writes is what restic writes, byte by byte and mode by mode."""
        path = made(*KINDS[-1]).path
        ours = Path(self.mktemp()).resolve()
        self.use_cache(str(ours))
        await self.read(backend(path))
        for program in ("restic-0.14", "restic-0.19"):
            theirs = Path(self.mktemp()).resolve()
            await self.by_restic(path, program, str(theirs))
            self.assertEqual(_tree(ours), _tree(theirs))
            self.assertEqual(ours.stat().st_mode, theirs.stat().st_mode)
        self.assertNotIn(b"alpha", b"".join(content for _, content in _tree(ours).values()))

    async def test_used_by_restic(self) -> None:
        """restic takes snapshots from what the native reader wrote, and lists it as its own."""
        path, cache = self.copy(), Path(self.mktemp()).resolve()
        self.use_cache(str(cache))
        expected = await self.read(backend(path))
        damage(path)
        for program in ("restic-0.14", "restic-0.18", "restic-0.19"):
            self.assertEqual(await self.by_restic(path, program, str(cache)), expected)
        [identifier] = [one.name for one in cache.iterdir() if one.is_dir()]
        printed = subprocess.run(
            [tool("restic-0.19"), "cache", "--cache-dir", str(cache)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        self.assertIn(identifier[:10], printed)

    async def test_used_from_restic(self) -> None:
        """The native reader takes snapshots from what restic wrote."""
        for program in ("restic-0.14", "restic-0.19"):
            path, cache = self.copy(), Path(self.mktemp()).resolve()
            expected = await self.by_restic(path, program, str(cache))
            damage(path)
            self.memory = Kept()
            self.use_cache(str(cache))
            self.assertEqual(await self.read(backend(path)), expected)

    async def test_restic_without_its_cache(self) -> None:
        """restic that cannot use its cache folder, or finds a broken file there, still answers."""
        path = made(*KINDS[-1]).path
        expected = await self.by_restic(path)
        for program in ("restic-0.14", "restic-0.19"):
            file = Path(self.mktemp()).resolve()
            file.touch()
            self.assertEqual(await self.by_restic(path, program, str(file)), expected)
            cache = Path(self.mktemp()).resolve()
            await self.by_restic(path, program, str(cache))
            for one in list(cache.glob("*/snapshots/*/*"))[:2]:
                one.write_bytes(one.read_bytes() + b"x")
            self.assertEqual(await self.by_restic(path, program, str(cache)), expected)
        self.assertTrue(any("unable to open cache" in line for line in self.lines))

    async def test_restic_disk_full(self) -> None:
        """restic whose cache is on a full disk still answers."""
        path = made(*KINDS[-1]).path
        expected = await self.by_restic(path)
        for program in ("restic-0.14", "restic-0.19"):
            script = Path(self.mktemp()).resolve()
            script.write_text(
                f"#!/bin/sh\ntrap '' XFSZ\nulimit -f 0\nexec {tool(program)} \"$@\"\n"
            )
            script.chmod(0o700)
            environ = {"PATH": os.environ["PATH"]}
            reader = ResticReader(reactor, str(script), environ, str(Path(self.mktemp()).resolve()))
            deadline = Deadline.after(reactor, PATIENCE)
            self.assertEqual(
                await outcome(reader, read_request(entry(path), deadline), NOW), expected
            )
