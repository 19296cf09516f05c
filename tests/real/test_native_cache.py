"""Tests of a cache that the native reader shares with real restics."""

import os
import stat
import subprocess
from pathlib import Path

from attrs import evolve

from restic_reporter.concurrency.deadline import Deadline
from restic_reporter.model.snapshots import NO_RATIOS, Summary
from restic_reporter.readers.restic import ResticReader
from restic_reporter.testing import read_request
from tests.doubles.native_case import NOW, Kept, reactor
from tests.doubles.native_made import KINDS, BothReaders, backend, copy, entry, made
from tests.doubles.programs import PATIENCE
from tests.doubles.repositories import Outcome, outcome
from tests.doubles.tools import tool


def damage(path: Path) -> None:
    """Overwrite each snapshot file, so that nobody can read it."""
    for file in (path / "snapshots").iterdir():
        file.chmod(0o600)
        file.write_bytes(bytes(file.stat().st_size))


def plain(one: Outcome) -> Outcome:
    """An outcome without what restic prints only since 0.17."""
    sets = tuple(
        evolve(
            each,
            latest=each.latest and evolve(each.latest, program_version="", summary=Summary()),
            ratios=NO_RATIOS,
        )
        for each in one.content.sets
    )
    return evolve(one, content=evolve(one.content, sets=sets, backdated_count=0))


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
        expected = plain(await self.read(backend(path)))
        damage(path)
        for program in ("restic-0.14", "restic-0.18", "restic-0.19"):
            self.assertEqual(plain(await self.by_restic(path, program, str(cache))), expected)
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
            expected = plain(await self.by_restic(path, program, str(cache)))
            damage(path)
            self.memory = Kept()
            self.use_cache(str(cache))
            self.assertEqual(plain(await self.read(backend(path))), expected)

    async def test_restic_without_its_cache(self) -> None:
        """restic that cannot use its cache folder, or finds a broken file there, still answers."""
        path = made(*KINDS[-1]).path
        expected = plain(await self.by_restic(path))
        for program in ("restic-0.14", "restic-0.19"):
            file = Path(self.mktemp()).resolve()
            file.touch()
            self.assertEqual(plain(await self.by_restic(path, program, str(file))), expected)
            cache = Path(self.mktemp()).resolve()
            await self.by_restic(path, program, str(cache))
            for one in list(cache.glob("*/snapshots/*/*"))[:2]:
                one.write_bytes(one.read_bytes() + b"x")
            self.assertEqual(plain(await self.by_restic(path, program, str(cache))), expected)
        self.assertTrue(any("unable to open cache" in line for line in self.lines))

    async def test_restic_disk_full(self) -> None:
        """restic whose cache is on a full disk still answers."""
        path = made(*KINDS[-1]).path
        expected = plain(await self.by_restic(path))
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
                plain(await outcome(reader, read_request(entry(path), deadline), NOW)), expected
            )
