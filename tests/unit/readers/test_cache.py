"""Tests of `restic_reporter.readers.cache`: encrypted snapshot files on disk."""

import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path

from restic_reporter.concurrency.deadline import Deadline
from restic_reporter.readers.cache import SnapshotCache, snapshots
from restic_reporter.readers.cache.folder import CacheFolder, ForeignError
from restic_reporter.testing import all_threads_back
from tests.doubles.native_case import Kept, NativeCase, reactor
from tests.doubles.native_repositories import SealedRepository, name_of, snapshot_json
from tests.doubles.servers import PATIENCE, ROOT

REPOSITORY = "ab" * 32
LIMIT, BUDGET = 1000, 10_000


class FolderTests(NativeCase):
    """The files themselves."""

    def setUp(self) -> None:
        super().setUp()
        self.path = Path(self.mktemp()).resolve() / "deeper" / "cache"
        self.folder = CacheFolder(str(self.path))
        self.snapshots = self.path / REPOSITORY / "snapshots"

    def store(self, *contents: bytes) -> list[str]:
        """Keep some files; their names."""
        files = {name_of(content): content for content in contents}
        self.folder.store(REPOSITORY, files)
        return list(files)

    def load(self, *names: str) -> list[bytes | None]:
        """What is in the cache under these names."""
        found = self.folder.load(REPOSITORY, names, LIMIT, BUDGET)
        return [found[name] for name in names]

    def place(self, name: str) -> Path:
        """Where a file is."""
        return self.snapshots / name[:2] / name

    def test_kept(self) -> None:
        """What is stored is there, for nobody else to read, and nothing besides."""
        first, second = self.store(b"first", b"second")
        self.assertEqual(self.load(first, second, "0" * 64), [b"first", b"second", None])
        self.assertEqual(self.place(first).stat().st_mode & 0o777, 0o600)
        self.assertEqual(os.listdir(self.place(first).parent), [first])
        for folder in (self.path, self.snapshots, self.place(first).parent):
            self.assertEqual(folder.stat().st_mode & 0o777, 0o700)

    def test_budget(self) -> None:
        """A look ends after so many bytes; what is left is not in the answer."""
        names = self.store(*(bytes([number]) * 100 for number in range(5)))
        found = self.folder.load(REPOSITORY, names, LIMIT, 250)
        self.assertEqual(list(found), names[:3])
        self.assertEqual(list(self.folder.load(REPOSITORY, names, LIMIT, 1)), names[:1])

    def test_corrupt(self) -> None:
        """A file that is altered, cut, empty or too large is not given, and is removed."""
        names = self.store(b"one", b"two", b"three", b"x" * (LIMIT + 1))
        self.place(names[0]).write_bytes(b"onf")
        self.place(names[1]).write_bytes(b"tw")
        self.place(names[2]).write_bytes(b"")
        self.assertEqual(self.load(*names), [None] * 4)
        self.assertFalse(any(self.place(name).exists() for name in names))

    def test_other_things(self) -> None:
        """Folders, pipes and links in a file's place are not followed, and stop no other file."""
        names = self.store(b"one", b"two", b"three", b"four")
        outside = self.path.parent / "outside"
        outside.write_bytes(b"one")
        for name in names[:3]:
            self.place(name).unlink()
        self.place(names[0]).symlink_to(outside)
        os.mkfifo(self.place(names[1]))
        self.place(names[2]).mkdir()
        (self.place(names[2]) / "x").touch()
        self.assertEqual(self.load(*names), [None, None, None, b"four"])
        with self.assertRaises(OSError):
            self.store(b"three", b"one", b"two")
        self.assertEqual(self.load(*names), [b"one", b"two", None, b"four"])
        self.assertEqual(outside.read_bytes(), b"one")
        self.folder.keep_only(REPOSITORY, names[:1])

    def test_links_to_folders(self) -> None:
        """Nothing is read, written or removed behind a link."""
        elsewhere = self.path.parent.parent / "elsewhere"
        [name] = self.store(b"one")
        os.rename(self.place(name).parent, elsewhere)
        self.place(name).parent.symlink_to(elsewhere)
        self.assertEqual(self.load(name), [None])
        with self.assertRaises(ForeignError):
            self.store(b"one")
        self.folder.remove(REPOSITORY, [name])
        self.folder.keep_only(REPOSITORY, [])
        self.assertEqual(os.listdir(elsewhere), [name])
        os.rename(self.path / REPOSITORY, elsewhere.parent / "third")
        (self.path / REPOSITORY).symlink_to(elsewhere.parent / "third")
        self.assertRaises(ForeignError, self.load, name)

    def test_removed(self) -> None:
        """Files that are told, or all but those told, go; other files and repositories stay."""
        names = self.store(b"one", b"two", b"three")
        self.folder.store("cd" * 32, {names[0]: b"one"})
        other = self.place(names[0]).with_name("restic's own")
        other.touch()
        index = self.path / REPOSITORY / "index" / "x"
        index.touch()
        self.folder.remove(REPOSITORY, [names[1], "0" * 64])
        self.assertEqual(self.load(*names), [b"one", None, b"three"])
        self.folder.keep_only(REPOSITORY, {names[2]})
        self.assertEqual(self.load(*names), [None, None, b"three"])
        self.assertTrue(other.exists() and index.exists())
        self.assertEqual(self.folder.load("cd" * 32, names[:1], LIMIT, BUDGET), {names[0]: b"one"})

    def test_left_by_a_crash(self) -> None:
        """What a crash left goes after a day; what may be at work stays."""
        [name] = self.store(b"one")
        old, new = (self.place(name).with_name(f"tmp-restic-reporter-{n}") for n in "ab")
        for one in (old, new):
            one.touch()
        os.utime(old, (0, 0))
        self.folder.keep_only(REPOSITORY, {name})
        self.assertEqual((old.exists(), new.exists()), (False, True))

    def test_in_use(self) -> None:
        """The folder looks used, or `restic cache --cleanup` would take it."""
        self.store(b"one")
        os.utime(self.path / REPOSITORY, (0, 0))
        self.load("0" * 64)
        self.assertGreater((self.path / REPOSITORY).stat().st_mtime, 10**9)

    def test_foreign(self) -> None:
        """A cache of another version is left alone."""
        self.store(b"one")
        (self.path / REPOSITORY / "version").write_text("2")
        self.assertRaises(ForeignError, self.store, b"two")
        (self.path / REPOSITORY / "version").write_text("1\n")
        self.store(b"two")

    def test_disk_full(self) -> None:
        """Where the disk takes nothing more nothing half-written stays."""
        [name] = self.store(b"one")
        script = (
            "import sys; from restic_reporter.readers.cache.folder import CacheFolder\n"
            "try: CacheFolder(sys.argv[1]).store(sys.argv[2], {'cd' * 32: b'x' * 9999})\n"
            "except OSError: sys.exit(7)\n"
        )
        done = subprocess.run(
            [
                *("/bin/sh", "-c", 'ulimit -f 0; exec "$@"', "sh"),
                *(sys.executable, "-c", script, str(self.path), REPOSITORY),
            ],
            cwd=ROOT,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        self.assertEqual(done.returncode, 7)
        self.assertEqual([one.name for one in self.snapshots.glob("*/*")], [name])


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
