"""Tests of `restic_reporter.state.database`."""

import random
import sqlite3
from array import array
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.model.snapshots import BackupSet, Content
from restic_reporter.state import database as module
from restic_reporter.state.database import Database
from restic_reporter.state.folder import StateFolder
from restic_reporter.state.packing import unpack_table
from restic_reporter.state.records import Record
from restic_reporter.state.tables import MIGRATIONS, is_damage, key_of
from tests.doubles.repositories import NOW, snapshot

from .test_packing import table_of

DAY = 86400


def record(url: str = "/p", newest: float = NOW - DAY, history: tuple[float, ...] = ()) -> Record:
    """A repository of one set, whose newest snapshot is of this time."""
    times = array("I", map(int, (*history, newest)))
    content = Content(2, 0, 0, (BackupSet("h", "u", 2, newest, newest, history=times),), 0, None)
    table = table_of([snapshot(1, newest), snapshot(2, newest)])
    head = {"url": url, "last_success": NOW, "names": [2, "x"]}
    return Record(url, head, content, table.columns())


class DatabaseCase(SynchronousTestCase):
    """A database in a folder."""

    def setUp(self) -> None:
        """It is open."""
        self.folder = StateFolder(Path(self.mktemp()))
        self.folder.take()
        self.addCleanup(self.folder.release)
        self.database = Database(self.folder)
        self.addCleanup(lambda: self.database.close())
        self.assertEqual(self.database.open(NOW), [])

    def reopen(self, now: float = NOW) -> list[str]:
        """Close and open it, as another process would; return the notes."""
        self.database.close()
        self.database = Database(self.folder)
        return self.database.open(now)

    def read(self, *labels: str) -> dict[str, tuple[dict[str, Any], Content, bytes]]:
        """What is in it of these repositories."""
        return {label: rest for label, *rest in self.database.read(labels)}  # type: ignore[misc]


class DatabaseTests(DatabaseCase):
    """What was written is read."""

    def test_round(self) -> None:
        """A repository is read as it was written, also after a restart; others are unknown."""
        one = record()
        self.database.write([one], None, NOW)
        for _ in range(2):
            ((head, content, packed),) = self.read("/p", "/q").values()
            self.assertEqual((head, content), (dict(one.head), one.content))
            self.assertEqual(len(unpack_table(packed)), 2)
            self.assertEqual(self.reopen(), [])

    def test_head_alone(self) -> None:
        """An unchanged read replaces only the head."""
        one = record()
        self.database.write([one], None, NOW)
        self.database.write([Record("/p", {**one.head, "last_success": NOW + 5})], None, NOW)
        ((head, content, _),) = self.read("/p").values()
        self.assertEqual((head["last_success"], content), (NOW + 5, one.content))

    def test_job(self) -> None:
        """The outcome of the collections is kept."""
        self.assertEqual(self.database.job(), {})
        self.database.write([], {"last_success": NOW}, NOW)
        self.reopen()
        self.assertEqual(self.database.job(), {"last_success": NOW})

    def test_all_or_none(self) -> None:
        """Of a write that fails nothing stays."""
        self.database.write([record("/p", NOW - 3 * DAY)], None, NOW)
        bad = evolve(record("/q"), head={"url": object()})
        self.assertRaises(TypeError, self.database.write, [record("/p"), bad], None, NOW)
        self.assertEqual(self.read("/p")["/p"][1].sets[0].newest, NOW - 3 * DAY)
        self.database.write([record("/p")], None, NOW)
        self.assertEqual(self.read("/p")["/p"][1].sets[0].newest, NOW - DAY)

    def test_past_not_lost(self) -> None:
        """A repository that was not looked up keeps the history that the database has."""
        self.database.write([record(history=(NOW - 90 * DAY,))], None, NOW)
        self.reopen()
        self.database.write([record()], None, NOW)
        one = self.read("/p")["/p"][1].sets[0]
        self.assertEqual(list(one.history), [NOW - 90 * DAY, NOW - DAY])

    def test_old_repositories(self) -> None:
        """A repository that was not read for 400 days is forgotten."""
        old = record("/old")
        old = evolve(old, head={**old.head, "last_success": NOW - 300 * DAY})
        self.database.write([old, record()], None, NOW)
        self.reopen(NOW + 99 * DAY)
        self.assertEqual(self.database.labels(), ["/old", "/p"])
        self.reopen(NOW + 101 * DAY)
        self.assertEqual(self.database.labels(), ["/p"])

    def test_forget(self) -> None:
        """A repository is forgotten when told so."""
        self.database.write([record(), record("/q")], None, NOW)
        self.database.forget("/p")
        self.assertEqual(self.database.labels(), ["/q"])
        self.assertEqual(set(self.read("/p", "/q")), {"/q"})

    def test_no_other_label(self) -> None:
        """Of two labels with one key the one that was written is read."""
        self.patch(module, "key_of", lambda label: 7)
        self.database.write([record()], None, NOW)
        self.assertEqual((set(self.read("/q")), set(self.read("/p"))), (set(), {"/p"}))


class VersionTests(DatabaseCase):
    """Versions of the database."""

    def test_from_each_version(self) -> None:
        """A database of every older version is brought to the next one, with all in it."""
        more = (*MIGRATIONS, "ALTER TABLE job ADD COLUMN more TEXT;")
        one = record()
        for version in range(len(more)):
            for path in self.folder.path.glob("state.db*"):
                path.unlink()
            self.patch(module, "MIGRATIONS", more[:version])
            if version:
                self.assertEqual(self.reopen(), [])
                self.database.write([one], {"last_success": NOW}, NOW)
            self.patch(module, "MIGRATIONS", more)
            self.assertEqual(self.reopen(), [])
            if version:
                self.assertEqual(self.read("/p")["/p"][1], one.content)
                self.assertEqual(self.database.job(), {"last_success": NOW})
            self.database.close()
            with closing(sqlite3.connect(self.folder.database)) as connection:
                self.assertEqual(connection.execute("PRAGMA user_version").fetchone(), (len(more),))
                connection.execute("SELECT more FROM job")

    def test_interrupted_migration(self) -> None:
        """A migration that fails changes nothing, and is done at the next start."""
        self.database.write([record()], None, NOW)
        broken = (*MIGRATIONS, "CREATE TABLE more (x); SELECT nothing FROM nowhere;")
        self.patch(module, "MIGRATIONS", broken)
        self.assertRaises(sqlite3.Error, self.database_of_this_version)
        self.patch(module, "MIGRATIONS", (*MIGRATIONS, "CREATE TABLE more (x);"))
        self.assertEqual(self.reopen(), [])
        self.assertIn("/p", self.read("/p"))

    def database_of_this_version(self) -> None:
        """Open it without mending."""
        self.database.close()
        Database(self.folder)._verified()

    def test_newer(self) -> None:
        """A database of a newer release is set aside whole, and a new one begun."""
        self.database.write([record()], None, NOW)
        self.database.close()
        with sqlite3.connect(self.folder.database) as connection:
            connection.execute("PRAGMA user_version = 99")
        before = self.folder.database.read_bytes()
        (note,) = self.reopen()
        self.assertRegex(note, "version 99, written by a newer release; set aside as 'state.db.new")
        self.assertEqual(self.read("/p"), {})
        aside = [path.read_bytes() for path in self.folder.path.glob("state.db.newer-*")]
        self.assertIn(before, aside)


class DamageTests(DatabaseCase):
    """Damaged databases are set aside, and what is whole in them is kept."""

    def damaged(self, seed: int) -> Iterator[bytes]:
        """The database, damaged in several ways."""
        self.database.write([record(f"/{n}", NOW - n * DAY) for n in range(1, 40)], None, NOW)
        self.database.close()
        good = self.folder.database.read_bytes()
        chance = random.Random(seed)
        for _ in range(40):
            flipped = bytearray(good)
            for _ in range(chance.choice((1, 1, 3, 50))):
                flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
            yield bytes(flipped)
        for _ in range(10):
            start = chance.randrange(len(good))
            yield good[:start]
            yield good[:start] + bytes(len(good) - start)
        yield chance.randbytes(len(good))
        yield b""
        yield b"no database" * 100

    def test_never_wrong(self) -> None:
        """Whatever is damaged, each repository is read as it was written, or not at all."""
        for content in self.damaged(11):
            for path in self.folder.path.glob("state.db*"):
                path.unlink()
            self.folder.database.write_bytes(content)
            notes = self.reopen()
            for label, (head, found, packed) in self.read(*(f"/{n}" for n in range(1, 40))).items():
                expected = record(label, NOW - int(label[1:]) * DAY)
                self.assertEqual((head, found), (dict(expected.head), expected.content))
                self.assertEqual(len(unpack_table(packed)), 2)
            aside = {
                path.name.removesuffix("-wal") for path in self.folder.path.glob("state.db.*-*")
            }
            self.assertEqual(len(aside), len(notes), notes)
            # It works again.
            self.database.write([record("/1")], None, NOW)
            self.assertEqual(self.reopen(), [])
            self.assertIn("/1", self.read("/1"))

    def test_one_value(self) -> None:
        """Of one damaged value all others are kept, and the damaged file."""
        self.database.write([record(f"/{n}") for n in range(1, 40)], {"last_success": NOW}, NOW)
        self.database.close()
        with sqlite3.connect(self.folder.database) as connection:
            key = key_of("/7")
            connection.execute("UPDATE content SET value = 'x' || value WHERE key = ?", (key,))
        (note,) = self.reopen()
        self.assertRegex(note, "^database is corrupt; set aside as .*, 78 of its entries kept$")
        found = self.read(*(f"/{n}" for n in range(1, 40)))
        self.assertEqual(len(found), 38)
        self.assertEqual(self.database.job(), {"last_success": NOW})

    def test_what_is_damage(self) -> None:
        """A file with other content is damaged; a full disk or a dead mount harms no file."""
        self.database.close()
        self.folder.database.write_bytes(b"no database" * 1000)
        error = self.assertRaises(sqlite3.Error, self.database._verified)
        self.assertTrue(is_damage(error))
        for name in (
            "FULL",
            "IOERR_WRITE",
            "CANTOPEN",
            "READONLY_DBMOVED",
            "PROTOCOL",
            "BUSY",
            "NOMEM",
        ):
            harmless = sqlite3.OperationalError()
            harmless.sqlite_errorname = f"SQLITE_{name}"
            self.assertFalse(is_damage(harmless), name)
        self.assertFalse(is_damage(OSError()))
