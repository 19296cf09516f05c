"""The rows of a table of snapshots, packed in columns."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any

from attrs import define, field

from .columns import (
    DEFAULT_SHAPE,
    SLICE,
    SUMMARY_SIZE,
    Columns,
    RepeatedColumn,
    Shape,
    Steps,
    pack_summary,
    unpack_summary,
)
from .snapshots import Latest, Snapshot

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


# Of all tables that are not grouped: nothing is ever added to it.
_NO_GROUPS: RepeatedColumn[GroupColumn] = RepeatedColumn("H")


def fixed_columns(shape: Shape) -> tuple[tuple[int, str], ...]:
    """Return the bytes for one row in each of `Columns.fixed`, and the kind of an array's items."""
    identity = IDENTITY_SIZE if shape.identified else 0
    return (ID_SIZE, ""), (8, "d"), (SUMMARY_SIZE, ""), (identity, "")


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
    sets: RepeatedColumn[SetColumn] = field(factory=lambda: RepeatedColumn("I"))
    marks: RepeatedColumn[MarkColumn] = field(factory=lambda: RepeatedColumn("H"))
    infos: RepeatedColumn[InfoColumn] = field(factory=lambda: RepeatedColumn("H"))
    groups: RepeatedColumn[GroupColumn] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.groups = RepeatedColumn("H") if self.shape.group_by else _NO_GROUPS

    @classmethod
    def of(cls, columns: Columns) -> Rows:
        """Return the rows with this content."""
        ids, times, summaries, identities = columns.fixed
        rows = cls(columns.shape, ids, array("d", times), summaries, identities)
        for column, (values, places) in zip(rows.repeated(), columns.repeated, strict=True):
            column.values = values
            column.places.frombytes(places)
        return rows

    def columns(self) -> Columns:
        """Return the content, which later changes leave alone."""
        fixed = (self.ids, self.times.tobytes(), self.summaries, self.identities)
        repeated = tuple((list(one.values), one.places.tobytes()) for one in self.repeated())
        return Columns(self.shape, fixed, repeated)

    def repeated(self) -> tuple[RepeatedColumn[Any], ...]:
        """Return the columns whose values repeat."""
        groups = (self.groups,) if self.shape.group_by else ()
        return self.sets, self.marks, self.infos, *groups

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
        summary = self.summaries[row * SUMMARY_SIZE : (row + 1) * SUMMARY_SIZE]
        return Latest(self.id(row).hex(), tags, version, unpack_summary(summary))

    def add_fixed(self, snapshots: Iterable[Snapshot]) -> None:
        """Add the values of ``snapshots`` to all columns but the repeated ones."""
        ids, summaries, identities = [self.ids], [self.summaries], [self.identities]
        # Others may hold this column as it is now.
        times = self.times[:]
        for one in snapshots:
            ids.append(bytes.fromhex(one.id or ""))
            times.append(UNUSABLE_TIME if one.time is None else one.time)
            summaries.append(pack_summary(one.summary))
            if self.shape.identified:
                identities.append(identity(one))
        self.ids, self.summaries, self.identities = map(b"".join, (ids, summaries, identities))
        # Without the spare room of a grown array.
        self.times = times[:]

    def taken(self, rows: Sequence[int]) -> Steps[Rows]:
        """Return only these rows, and only the values in them."""
        result = Rows(self.shape)
        pieces: tuple[list[bytes], ...] = ([], [], [])
        sized = [(self.ids, ID_SIZE), (self.summaries, SUMMARY_SIZE)]
        if self.shape.identified:
            sized.append((self.identities, IDENTITY_SIZE))
        for start in range(0, len(rows), SLICE):
            some = rows[start : start + SLICE]
            for kept, (column, size) in zip(pieces, sized, strict=False):
                kept.extend(column[row * size : (row + 1) * size] for row in some)
            result.times.extend(self.times[row] for row in some)
            yield
        result.ids, result.summaries, result.identities = map(b"".join, pieces)
        result.times = result.times[:]
        result.sets = yield from self.sets.taken(rows)
        result.marks = yield from self.marks.taken(rows)
        result.infos = yield from self.infos.taken(rows)
        if self.shape.group_by:
            result.groups = yield from self.groups.taken(rows)
        return result


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
