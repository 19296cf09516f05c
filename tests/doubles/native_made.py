"""Repositories that real restics have made, for the tests of the native reader."""

import functools
import os
import shutil
from pathlib import Path

from attrs import define, evolve

from restic_reporter.backends.local import LocalBackend
from restic_reporter.concurrency.daemon_threads import KeyedThreads
from restic_reporter.concurrency.deadline import Deadline
from restic_reporter.model.repository import Repository
from restic_reporter.readers.native.key_file import open_key_file, parse_key_file
from restic_reporter.readers.restic import ResticReader
from restic_reporter.redaction.secret import Secret
from restic_reporter.testing import read_request
from tests.doubles.native_case import NOW, NativeCase, reactor
from tests.doubles.native_repositories import PASSWORD, key_file, name_of
from tests.doubles.programs import PATIENCE
from tests.doubles.repositories import Outcome, no_tools, outcome
from tests.doubles.servers import restic, snapshots
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
    add_key(path, key_file(master, "another", created="1970-01-01T00:00:00Z"))
    add_key(path, key_file(master))
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


def add_key(path: Path, content: bytes) -> Path:
    """Add a key file to a repository; its path."""
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
