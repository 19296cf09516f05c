"""The rows of a table of snapshots, packed in columns."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any

from attrs import define, field

from .columns import (
    DEFAULT_SHAPE,
    FOLDERS_SIZE,
    SLICE,
    SUMMARY_SIZE,
    Columns,
    RepeatedColumn,
    Shape,
    Steps,
    pack_folders,
    pack_summary,
    unpack_folders,
    unpack_summary,
)
from .snapshots import Client, Latest, Snapshot, Summary

ID_SIZE = 32
UNUSABLE_TIME = float("nan")

# Host and user; or their hash, for a set beyond the limit; or None for no set.
SetColumn = tuple[str, str] | int | None

# Tags and version of the program; None beyond the limit.
InfoColumn = tuple[str, str] | None

# Paths and tags, each empty if not grouped by it; None beyond the limit.
GroupColumn = tuple[str, str] | None

# A digest of the paths, 0 beyond the limit; and flags.
MarkColumn = tuple[int, int]

# `Client.labels`; None without them or beyond the limit.
ClientColumn = tuple[str, ...] | None

# Flags of a row: it is made from an older snapshot, so that its time means nothing; its time is not
# when the backup began; it is not when the file was stored.
DERIVED, DATED, ELSEWHEN = 1, 2, 4

# A digest of the paths, and of all that a copy has in common with the snapshot.
_DIGEST = 8
# The end of the id of the first snapshot, and that digest.
IDENTITY_SIZE = 2 * _DIGEST

# The label values of a snapshot's set, if it has one; its time; and these two. A copy of a snapshot
# has one of the two in common with it.
Identity = tuple[tuple[str, str] | None, float, bytes, bytes]


# Of all tables without these columns: nothing is ever added to them.
_NO_GROUPS: RepeatedColumn[GroupColumn] = RepeatedColumn("H")
_NO_CLIENTS: RepeatedColumn[ClientColumn] = RepeatedColumn("H")


def fixed_columns(shape: Shape) -> tuple[tuple[int, str], ...]:
    """Return the bytes for one row in each of `Columns.fixed`, and the kind of an array's items."""
    identity = IDENTITY_SIZE if shape.identified else 0
    folders = FOLDERS_SIZE if shape.has_clients else 0
    return (ID_SIZE, ""), (8, "d"), (SUMMARY_SIZE, ""), (identity, ""), (folders, "")


@define
class Rows:
    """
    The columns: a value in each of them for each snapshot.

    ``times`` are Unix seconds, NaN for invalid ones.
    """

    shape: Shape = DEFAULT_SHAPE
    ids: bytes = b""
    times: array[float] = field(factory=lambda: array("d"))
    summaries: bytes = b""
    identities: bytes = b""
    folders: bytes = b""
    sets: RepeatedColumn[SetColumn] = field(factory=lambda: RepeatedColumn("I"))
    marks: RepeatedColumn[MarkColumn] = field(factory=lambda: RepeatedColumn("H"))
    infos: RepeatedColumn[InfoColumn] = field(factory=lambda: RepeatedColumn("H"))
    groups: RepeatedColumn[GroupColumn] = field(init=False)
    clients: RepeatedColumn[ClientColumn] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.groups = RepeatedColumn("H") if self.shape.group_by else _NO_GROUPS
        self.clients = RepeatedColumn("H") if self.shape.has_clients else _NO_CLIENTS

    @classmethod
    def of(cls, columns: Columns) -> Rows:
        """Return the rows with this content."""
        ids, times, summaries, identities, folders = columns.fixed
        rows = cls(columns.shape, ids, array("d", times), summaries, identities, folders)
        for column, (values, places) in zip(rows.repeated(), columns.repeated, strict=True):
            column.values = values
            column.places.frombytes(places)
        return rows

    def columns(self) -> Columns:
        """Return the content, which later changes leave alone."""
        fixed = (self.ids, self.times.tobytes(), self.summaries, self.identities, self.folders)
        repeated = tuple((list(one.values), one.places.tobytes()) for one in self.repeated())
        return Columns(self.shape, fixed, repeated)

    def repeated(self) -> tuple[RepeatedColumn[Any], ...]:
        """Return the columns whose values repeat."""
        groups = (self.groups,) if self.shape.group_by else ()
        clients = (self.clients,) if self.shape.has_clients else ()
        return self.sets, self.marks, self.infos, *groups, *clients

    def __len__(self) -> int:
        return len(self.times)

    def id(self, row: int) -> bytes:
        """Return the id of the snapshot in this row."""
        return self.ids[row * ID_SIZE : (row + 1) * ID_SIZE]

    def names(self, start: int, stop: int) -> list[str]:
        """Return the ids (64 hex digits) in the rows from ``start`` to ``stop``."""
        text = self.ids[start * ID_SIZE : stop * ID_SIZE].hex()
        return [text[at : at + 64] for at in range(0, len(text), 64)]

    def identity(self, row: int) -> tuple[bytes, bytes]:
        """Return what the snapshot in this row has in common with its copies."""
        start, middle = row * IDENTITY_SIZE, row * IDENTITY_SIZE + _DIGEST
        return self.identities[start:middle], self.identities[middle : middle + _DIGEST]

    def latest(self, row: int) -> Latest:
        """Return the details of the snapshot in this row."""
        tags, version = self.infos.values[self.infos.places[row]] or ("", "")
        return Latest(self.id(row).hex(), tags, version, self.summary(row))

    def summary(self, row: int) -> Summary:
        """Return the statistics of the snapshot in this row."""
        return unpack_summary(self.summaries[row * SUMMARY_SIZE : (row + 1) * SUMMARY_SIZE])

    def client(self, row: int) -> Client:
        """Return what ``--compat`` shows of the snapshot in this row, which must have a client."""
        labels = self.clients.values[self.clients.places[row]] or ()
        packed = self.folders[row * FOLDERS_SIZE : (row + 1) * FOLDERS_SIZE]
        return Client(labels, unpack_folders(packed))

    def add_fixed(self, snapshots: Iterable[Snapshot]) -> None:
        """Add the values of ``snapshots`` to all columns but the repeated ones."""
        ids, summaries, identities = [self.ids], [self.summaries], [self.identities]
        folders = [self.folders]
        # Others may hold this column as it is now.
        times = self.times[:]
        for one in snapshots:
            ids.append(bytes.fromhex(one.id or ""))
            times.append(UNUSABLE_TIME if one.time is None else one.time)
            summaries.append(pack_summary(one.summary))
            if self.shape.identified:
                identities.append(identity(one))
            if self.shape.has_clients:
                folders.append(pack_folders(one.client.folders if one.client else [None] * 3))
        self.ids, self.summaries, self.identities, self.folders = map(
            b"".join, (ids, summaries, identities, folders)
        )
        # Without the spare room of a grown array.
        self.times = times[:]

    def taken(self, rows: Sequence[int]) -> Steps[Rows]:
        """Return only these rows, and only the values in them."""
        result = Rows(self.shape)
        sizes = [size for size, _ in fixed_columns(self.shape)]
        pieces: tuple[list[bytes], ...] = ([], [], [], [])
        columns = [self.ids, self.summaries, self.identities, self.folders]
        sized = list(zip(pieces, columns, [sizes[0], *sizes[2:]], strict=True))
        for start in range(0, len(rows), SLICE):
            some = rows[start : start + SLICE]
            for kept, column, size in sized:
                if size:
                    kept.extend(column[row * size : (row + 1) * size] for row in some)
            result.times.extend(self.times[row] for row in some)
            yield
        result.ids, result.summaries, result.identities, result.folders = map(b"".join, pieces)
        result.times = result.times[:]
        result.sets = yield from self.sets.taken(rows)
        result.marks = yield from self.marks.taken(rows)
        result.infos = yield from self.infos.taken(rows)
        if self.shape.group_by:
            result.groups = yield from self.groups.taken(rows)
        if self.shape.has_clients:
            result.clients = yield from self.clients.taken(rows)
        return result


def group_of(snapshot: Snapshot, group_by: Sequence[str]) -> GroupColumn:
    """Return the paths and tags that tell the snapshot's group apart."""
    paths = snapshot.paths if "paths" in group_by else ""
    return paths, snapshot.tags if "tags" in group_by else ""


def mark_of(snapshot: Snapshot) -> MarkColumn:
    """Return a digest of the snapshot's paths, and its flags."""
    flags = DERIVED if snapshot.original is not None else DATED * snapshot.dated
    return int.from_bytes(_digest(snapshot.paths), "big"), flags


def identity(snapshot: Snapshot) -> bytes:
    """Return the end of the id of the first snapshot, and a digest of what a copy has in common."""
    own = bytes.fromhex((snapshot.id or "")[-2 * _DIGEST :])
    first = bytes.fromhex(snapshot.original[-2 * _DIGEST :]) if snapshot.original else own
    # Without a tree it is like no other.
    same = f"{snapshot.time!r} {snapshot.tree} {snapshot.host} {snapshot.paths}"
    return first + (_digest(same) if snapshot.tree else own)


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST).digest()
