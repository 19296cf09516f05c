"""The tables of the database: sealed values by key, and how SQLite reports damage. Blocks."""

import hashlib
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from .packing import DamagedError, seal, unseal

# Each brings the database to the next version; the first makes it. Keys are digests of labels.
MIGRATIONS = (
    """
    CREATE TABLE head (key INTEGER PRIMARY KEY, value BLOB NOT NULL);
    CREATE TABLE content (key INTEGER PRIMARY KEY, value BLOB NOT NULL);
    CREATE TABLE job (key INTEGER PRIMARY KEY, value BLOB NOT NULL);
    CREATE TABLE result (key INTEGER PRIMARY KEY, value BLOB NOT NULL);
    """,
)
TABLES = ("head", "content", "job", "result")

# Of SQLite's error names: faults of the file's content, such as a missing table. READONLY is one,
# as the file could be opened to write. Any other is one of the disk, the folder or the file system.
_DAMAGE = re.compile("SQLITE_(CORRUPT|NOTADB|ERROR|FORMAT|MISMATCH|READONLY$)")


def is_damage(error: Exception) -> bool:
    """Return whether ``error`` is due to the database's own content."""
    if isinstance(error, DamagedError):
        return True
    name = getattr(error, "sqlite_errorname", "") or ""
    return _DAMAGE.match(name) is not None


def key_of(label: str) -> int:
    """Return the key of the repository with this label; never that of the job."""
    digest = hashlib.blake2b(label.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 1) or 1


def connect(database: Path, mode: str = "rw") -> sqlite3.Connection:
    """Connect to the file ``database``, in a ``mode`` of SQLite's URIs."""
    uri = f"{database.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None)
    # A damaged value may pass for text that cannot be decoded.
    connection.text_factory = bytes
    return connection


def rows(
    connection: sqlite3.Connection, skip_damaged: bool = False
) -> Iterator[tuple[str, int, bytes]]:
    """
    Yield table, key and sealed value of all rows.

    :raises DamagedError: at a row that was not written so, unless it is to be skipped.
    """
    for table in TABLES:
        for key, sealed in connection.execute(f"SELECT key, value FROM {table}"):
            try:
                if not (isinstance(key, int) and key >= 0 and isinstance(sealed, bytes)):
                    raise DamagedError
                unseal(key, sealed)
            except DamagedError:
                if not skip_damaged:
                    raise
            else:
                yield table, key, sealed


def unsealed(connection: sqlite3.Connection, table: str) -> list[tuple[int, bytes]]:
    """Return the key and the value of all rows of one table."""
    found = connection.execute(f"SELECT key, value FROM {table}").fetchall()
    return [(key, unseal(key, sealed)) for key, sealed in found]


def get(connection: sqlite3.Connection, table: str, key: int) -> bytes | None:
    """Return the value of a row; raise a `DamagedError` if it was not written so."""
    row = connection.execute(f"SELECT value FROM {table} WHERE key = ?", (key,)).fetchone()
    return None if row is None else unseal(key, row[0])


def put(connection: sqlite3.Connection, table: str, key: int, value: bytes) -> None:
    """Write a row."""
    put_sealed(connection, table, key, seal(key, value))


def put_sealed(connection: sqlite3.Connection, table: str, key: int, sealed: bytes) -> None:
    """Write a row of `rows`."""
    connection.execute(f"REPLACE INTO {table} (key, value) VALUES (?, ?)", (key, sealed))


def delete(connection: sqlite3.Connection, key: int, *tables: str) -> None:
    """Delete the rows of a repository in these tables."""
    for table in tables:
        connection.execute(f"DELETE FROM {table} WHERE key = ?", (key,))
