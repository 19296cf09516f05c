"""The database of what is remembered: opened, verified, mended, read and written. Blocks."""

import json
import sqlite3
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from attrs import define, evolve, field

from ..concurrency.cooperative import at_once
from ..model.backup_sets import HISTORY, Name, with_history
from ..model.results import Result, Results
from ..model.snapshots import Content
from .folder import StateFolder
from .packing import DamagedError, pack, unpack, unpack_table
from .records import Record
from .results import drop_old_results, labels_of_results, read_results, write_results
from .tables import (
    MIGRATIONS,
    connect,
    delete,
    get,
    is_damage,
    key_of,
    put,
    put_sealed,
    rows,
    unsealed,
)

_JOB = 0

# Less is lost at the end of each value than with 4,096.
_PAGE = 2048

_WAL_LIMIT = 2**22


class _NewerError(ValueError):
    """The database was written by a newer version."""


@define(eq=False)
class Database:
    """
    The database in a folder; used by one thread.

    All methods raise `sqlite3.Error` or `OSError`; a damaged database is mended before.
    """

    _folder: StateFolder
    _connection: sqlite3.Connection | None = None
    # The repositories whose past has been looked up.
    _known: set[str] = field(factory=set)

    def open(self, now: float) -> list[str]:
        """
        Open the database, or create it; forget repositories not read for long before ``now``.

        Returns what had to be done, as messages for the log.
        """
        if self._connection is not None:
            return []
        notes = []
        try:
            connection = self._verified()
        except _NewerError as error:
            name = self._folder.set_aside("newer")
            notes.append(f"{error}; set aside as {name!r}, starting a new one")
            connection = self._verified()
        except (sqlite3.Error, DamagedError) as error:
            if not is_damage(error):
                raise
            connection, kept, name = self._mended()
            notes.append(f"database is corrupt; set aside as {name!r}, {kept} of its entries kept")
        self._connection = connection
        with self._transaction() as connection:
            for key, head in unsealed(connection, "head"):
                if json.loads(head)["last_success"] < now - HISTORY:
                    delete(connection, key, "head", "content")
            drop_old_results(connection, now - HISTORY)
        return notes

    def _verified(self) -> sqlite3.Connection:
        """Return a connection to the database, of the current version and undamaged."""
        self._folder.create_database()
        connection = connect(self._folder.database)
        try:
            connection.execute(f"PRAGMA page_size = {_PAGE}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT}")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > len(MIGRATIONS):
                raise _NewerError(f"database has version {version}, written by a newer release")
            for number, script in enumerate(MIGRATIONS[version:], version + 1):
                connection.executescript(
                    f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {number}; COMMIT"
                )
            # A damaged header may forbid it; nothing is written.
            connection.executescript(
                f"BEGIN IMMEDIATE; PRAGMA user_version = {len(MIGRATIONS)}; ROLLBACK"
            )
            if connection.execute("PRAGMA quick_check(1)").fetchone() != (b"ok",):
                raise DamagedError
            for _ in rows(connection):
                pass
        except UnicodeDecodeError:
            # SQLite's message quotes a damaged name.
            connection.close()
            raise DamagedError from None
        except BaseException:
            connection.close()
            raise
        return connection

    def _mended(self) -> tuple[sqlite3.Connection, int, str]:
        """Set the database aside; return a new one with all undamaged rows, and their number."""
        good = list(self._salvage())
        name = self._folder.set_aside("corrupt")
        connection = self._verified()
        try:
            connection.execute("BEGIN IMMEDIATE")
            for table, key, sealed in good:
                put_sealed(connection, table, key, sealed)
            connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        return connection, len(good), name

    def _salvage(self) -> Iterator[tuple[str, int, bytes]]:
        try:
            with closing(connect(self._folder.database)) as connection:
                yield from rows(connection, skip_damaged=True)
        except (sqlite3.Error, UnicodeDecodeError):
            return

    def read(self, labels: Iterable[str]) -> Iterator[tuple[str, dict[str, Any], Content, bytes]]:
        """Yield each repository's label, its `Record.head`, content and packed table."""
        connection = self._opened()
        for label in labels:
            key = key_of(label)
            head, packed = get(connection, "head", key), get(connection, "content", key)
            self._known.add(label)
            if head is not None and packed is not None:
                values = json.loads(head)
                if values["url"] == label:
                    yield label, values, *unpack(packed)

    def labels(self) -> list[str]:
        """Return the labels of all repositories that were read, or have results."""
        connection = self._opened()
        heads = {json.loads(head)["url"] for _, head in unsealed(connection, "head")}
        return sorted(heads.union(labels_of_results(connection)))

    def results(self, labels: Iterable[str]) -> dict[str, dict[str, Result]]:
        """Return the latest result of each kind, by label."""
        return dict(read_results(self._opened(), labels))

    def job(self) -> dict[str, Any]:
        """Return what was remembered of the collections, or nothing."""
        value = get(self._opened(), "job", _JOB)
        return {} if value is None else dict(json.loads(value))

    def write(
        self,
        records: Iterable[Record],
        job: Mapping[str, Any] | None,
        now: float,
        results: Mapping[str, Results] | None = None,
    ) -> None:
        """
        Remember ``records``, ``job`` and ``results``, all or none.

        ``now`` is in Unix seconds.
        """
        with self._transaction() as connection:
            for record in records:
                key = key_of(record.url)
                put(connection, "head", key, json.dumps(record.head).encode())
                if record.content is not None:
                    content = self._with_past(record.url, record.content, now)
                    put(connection, "content", key, pack(content, record.table))
            for label, some in (results or {}).items():
                write_results(connection, label, some)
            if job is not None:
                put(connection, "job", _JOB, json.dumps(job).encode())
        if job is not None:
            # At the end of a collection: damage to SQLite's log would lose all that is only there.
            self._opened().execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def _with_past(self, label: str, content: Content, now: float) -> Content:
        """Keep the histories in the database where they were not looked up before."""
        if label in self._known:
            return content
        for _, _, before, _ in self.read([label]):
            content = at_once(with_history(content, before, now))
        return content

    def forget(self, label: str) -> None:
        """Delete a repository."""
        with self._transaction() as connection:
            delete(connection, key_of(label), "head", "content", "result")

    def close(self) -> None:
        """Close it; SQLite then merges its own files."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _opened(self) -> sqlite3.Connection:
        assert self._connection is not None
        return self._connection

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._opened()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            # A full disk has rolled it back already.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def open_unwritable(self) -> None:
        """
        Open the database on a full or read-only disk, only to read.

        :raises OSError: it was not closed in order, so that some of it is elsewhere.
        :raises ValueError: it has another version.
        """
        log = Path(f"{self._folder.database}-wal")
        if log.exists() and log.stat().st_size:
            raise OSError(f"{log.name!r} is needed too")
        self._open_as_it_is("ro&immutable=1")

    def open_to_read(self) -> None:
        """
        Open the database as it is now, also while a daemon writes. Nothing is mended.

        :raises ValueError: it has another version.
        """
        self._open_as_it_is("ro")

    def _open_as_it_is(self, mode: str) -> None:
        self._connection = connection = connect(self._folder.database, mode)
        connection.execute("BEGIN")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version != len(MIGRATIONS):
            release = "a newer" if version > len(MIGRATIONS) else "an older"
            raise _NewerError(f"database has version {version}, written by {release} release")

    def open_to_write(self) -> None:
        """Open the database; raise a `DamagedError` or `ValueError` where `open` would mend it."""
        self._connection = self._verified()

    def forget_sets(self, label: str, names: Container[Name]) -> None:
        """Delete backup sets of a repository; the next read counts those with snapshots again."""
        key = key_of(label)
        for _, head, content, table in self.read([label]):
            columns = unpack_table(table).columns() if table else None
            packed = pack(_without(content, names), columns)
            # Without the names of its snapshots, the repository counts as changed.
            changed = json.dumps({**head, "names": None}).encode()
            with self._transaction() as connection:
                put(connection, "head", key, changed)
                put(connection, "content", key, packed)


def _without(content: Content, names: Container[Name]) -> Content:
    sets = {(one.host, one.user): one for one in content.sets}
    gone = sum(one.snapshot_count for name, one in sets.items() if name in names)
    return evolve(
        content,
        snapshot_count=content.snapshot_count - gone,
        sets=tuple(one for name, one in sets.items() if name not in names),
        past={name: one for name, one in content.past.items() if name not in names},
    )
