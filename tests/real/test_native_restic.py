"""The native reader against restic itself: the same repositories, read by both."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from restic_reporter.readers.native.snapshot_files import decode
from restic_reporter.restic_format.file_hash import check_content
from restic_reporter.restic_format.file_names import is_file_name
from restic_reporter.restic_format.snapshot_json import parse_snapshot, parse_time
from tests.doubles.native_case import Kept
from tests.doubles.native_made import BACKUPS, KINDS, BothReaders, add_key, backend, copy, made
from tests.doubles.native_repositories import PASSWORD, compressed, name_of, seal
from tests.doubles.servers import restic, snapshots
from tests.doubles.tools import tool


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
            # It prints them of its own snapshots and of later versions'.
            newest = [one.latest for one in expected.content.sets if one.latest is not None]
            with_summary = [one for one in newest if one.summary.processed_bytes is not None]
            self.assertEqual(bool(with_summary), kind[0] != "restic-0.14")
            for latest in with_summary:
                self.assertTrue(latest.program_version.startswith("restic 0."))
                self.assertIsNotNone(latest.summary.duration)

    async def test_many_paths(self) -> None:
        """Snapshots of 60,000 paths are the same, and so are the others beside them."""
        repository = made(*KINDS[-1])
        path = copy(repository.path, self.mktemp())
        every = (
            json.loads(restic(path, "--no-lock", "cat", "snapshot", file.name, password=PASSWORD))
            for file in _files(path)
        )
        [one] = [snapshot for snapshot in every if snapshot["hostname"] == "now"]
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
            found = {snapshot for _, snapshot in decode(files, repository.master)}
            self.assertEqual(found, expected)

    async def test_own_key(self) -> None:
        """A key with the parameters that restic itself picked opens it."""
        for kind in (KINDS[0], KINDS[-1]):
            self.memory = Kept()
            repository = made(*kind)
            path = copy(repository.path, self.mktemp())
            own = add_key(path, repository.own_key).name
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
        self.assertEqual(result.lock_times, (parse_time(said["time"]),))


def _files(path: Path) -> Iterator[Path]:
    return (path / "snapshots").iterdir()
