"""Tests of `restic_reporter.readers.cache`: encrypted snapshot files on disk."""

import contextlib
import os
import threading
from pathlib import Path

from restic_reporter.concurrency.deadline import Deadline
from restic_reporter.readers.cache import SnapshotCache, snapshots
from restic_reporter.readers.cache.folder import CacheFolder
from restic_reporter.testing import all_threads_back
from tests.doubles.native_case import Kept, NativeCase, reactor
from tests.doubles.native_repositories import SealedRepository, snapshot_json
from tests.doubles.programs import PATIENCE

REPOSITORY = "ab" * 32
LIMIT = 1000


class CacheTests(NativeCase):
    """The cache as the native reader uses it."""

    def setUp(self) -> None:
        super().setUp()
        self.path = Path(self.mktemp()).resolve()
        self.use_cache(str(self.path))

    def restart(self) -> None:
        """Forget all that is in memory."""
        self.memory = Kept()
        self.use_cache(str(self.path))

    def cached(self) -> set[str]:
        """The names of the snapshots in the cache."""
        return {one.name for one in self.path.glob("*/snapshots/*/*")}

    def warnings(self) -> int:
        """How many lines of the log speak of the cache."""
        return sum("the cache in" in line for line in self.lines)

    async def test_restart(self) -> None:
        """After a restart only what is new is fetched."""
        source = SealedRepository.made(300)
        expected = await self.read(source)
        self.assertEqual(len(source.loaded("snapshots")), 300)
        self.assertEqual(self.cached(), source.names("snapshots"))
        self.restart()
        self.assertEqual(await self.read(source), expected)
        self.assertEqual(source.loaded("snapshots"), [])
        added = source.add_snapshot(snapshot_json(hostname="new"))
        self.restart()
        await self.read(source)
        self.assertEqual(source.loaded("snapshots"), [added])
        self.assertEqual(self.warnings(), 0)

    async def test_pruned(self) -> None:
        """Snapshots that leave the repository leave the cache, also those gone meanwhile."""
        source = SealedRepository.made(10)
        await self.read(source)
        for restart in (False, True):
            gone = sorted(source.names("snapshots"))[0]
            del source.files[f"snapshots/{gone}"]
            if restart:
                self.restart()
            await self.read(source)
            self.assertEqual(self.cached(), source.names("snapshots"))

    async def test_corrupt(self) -> None:
        """Corrupt files are fetched again, and mended."""
        source = SealedRepository.made(5)
        expected = await self.read(source)
        source.loads.clear()
        bad = sorted(self.path.glob("*/snapshots/*/*"))[:2]
        for file in bad:
            file.write_bytes(b"x" + file.read_bytes())
        self.restart()
        self.assertEqual(await self.read(source), expected)
        self.assertEqual(set(source.loaded("snapshots")), {file.name for file in bad})
        self.restart()
        await self.read(source)
        self.assertEqual(source.loaded("snapshots"), [])

    async def test_planted(self) -> None:
        """A file that somebody has put into the cache is believed no more than the server's."""
        source = SealedRepository.made(2)
        await self.read(source)
        planted = source.add("snapshots", b"planted")
        file = next(self.path.glob("*/snapshots")) / planted[:2] / planted
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"planted")
        self.restart()
        result = await self.read(source)
        self.assertEqual(result.unreadable, {planted})

    async def test_unreadable_are_not_kept(self) -> None:
        """What cannot be decrypted does not get into the cache."""
        source = SealedRepository.made(2)
        bad = source.add("snapshots", b"planted")
        await self.read(source)
        self.assertEqual(self.cached(), source.names("snapshots") - {bad})

    async def test_unusable(self) -> None:
        """Where the folder cannot be used the read goes on without, and one line tells."""
        self.path.touch()
        source = SealedRepository.made(200)
        self.assertEqual((await self.read(source)).content.snapshot_count, 200)
        self.memory = Kept()
        await self.read(source)
        self.assertEqual(self.warnings(), 1)

    async def test_other_version(self) -> None:
        """A foreign folder is left as it is."""
        source = SealedRepository.made(3)
        folder = self.path / source.identifier
        folder.mkdir(parents=True)
        (folder / "version").write_text("foreign")
        self.assertEqual((await self.read(source)).content.snapshot_count, 3)
        self.assertEqual(os.listdir(folder), ["version"])
        self.assertEqual(self.warnings(), 1)

    async def test_hanging(self) -> None:
        """A disk that hangs delays one read, not each, and is used again when it answers."""
        go_on = threading.Event()
        self.addCleanup(go_on.set)
        calls: list[str] = []
        keep_only = CacheFolder.keep_only

        def hang(folder: CacheFolder, repository: str, names: frozenset[str]) -> None:
            calls.append(repository)
            go_on.wait(PATIENCE)
            keep_only(folder, repository, names)

        self.patch(CacheFolder, "keep_only", hang)
        self.patch(snapshots, "_DISK_TIMEOUT", 0.05)
        for number in (1, 2):
            source = SealedRepository.made(number)
            self.memory = Kept()
            self.assertEqual((await self.read(source)).content.snapshot_count, number)
        self.assertEqual((len(calls), self.cached(), self.warnings()), (1, set(), 1))
        self.patch(snapshots, "_DISK_TIMEOUT", PATIENCE)
        go_on.set()
        await all_threads_back()
        self.memory = Kept()
        await self.read(source)
        self.assertEqual(self.cached(), source.names("snapshots"))

    async def test_no_threads(self) -> None:
        """Without a thread to be had there is no cache, and no failure."""
        cache = SnapshotCache(reactor, str(self.path))

        def refuse(thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        self.patch(threading.Thread, "start", refuse)
        deadline = Deadline.after(reactor, PATIENCE)
        for _ in range(2):
            found = await cache.load(REPOSITORY, ["0" * 64], LIMIT, deadline)
            self.assertEqual(found, {"0" * 64: None})
        self.assertEqual(self.warnings(), 1)

    async def test_nothing_decrypted(self) -> None:
        """No word of a snapshot is on the disk."""
        source = SealedRepository.made()
        source.add_snapshot(snapshot_json(hostname="a-telling-name"))
        await self.read(source)
        content = b""
        for file in self.path.rglob("*"):
            with contextlib.suppress(IsADirectoryError):
                content += file.read_bytes()
        self.assertNotIn(b"telling", content)
