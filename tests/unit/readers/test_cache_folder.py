"""Tests of `restic_reporter.readers.cache.folder`: encrypted snapshot files on disk."""

import os
import subprocess
import sys
from pathlib import Path

from restic_reporter.readers.cache.folder import CacheFolder, ForeignError
from tests.doubles.native_case import NativeCase
from tests.doubles.native_repositories import name_of
from tests.doubles.programs import ROOT

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
