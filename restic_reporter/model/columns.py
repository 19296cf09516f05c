"""Columns of a table of snapshots, packed."""

import math
import struct
from array import array
from collections.abc import Generator, Mapping, Sequence
from typing import Any, Generic, TypeVar

from attrs import define, field, frozen

from .snapshots import NO_SUMMARY, Summary

T = TypeVar("T")

# Work in short steps, for `restic_reporter.concurrency.cooperative`, and its result.
Steps = Generator[None, None, T]

# Rows processed in one step.
SLICE = 2048

# Duration, processed bytes, added bytes; new, changed and unmodified files.
_SUMMARY = struct.Struct("=dddIII")
_NO_COUNT = 2**32 - 1
_ABSENT = (math.nan, math.nan, math.nan, _NO_COUNT, _NO_COUNT, _NO_COUNT)
_PACKED_ABSENT = _SUMMARY.pack(*_ABSENT)
SUMMARY_SIZE = _SUMMARY.size


def pack_summary(summary: Summary) -> bytes:
    """Return the bytes for one row."""
    if summary is NO_SUMMARY:
        return _PACKED_ABSENT
    return _SUMMARY.pack(
        *(
            absent if one is None else one
            for one, absent in zip(summary.values(), _ABSENT, strict=True)
        )
    )


def unpack_summary(packed: bytes) -> Summary:
    """Return what `pack_summary` has packed."""
    if packed == _PACKED_ABSENT:
        return NO_SUMMARY
    duration, processed, added, new, changed, unmodified = _SUMMARY.unpack(packed)
    return Summary(
        duration if duration == duration else None,
        int(processed) if processed == processed else None,
        int(added) if added == added else None,
        new if new != _NO_COUNT else None,
        changed if changed != _NO_COUNT else None,
        unmodified if unmodified != _NO_COUNT else None,
    )


# New, changed and unmodified folders.
_FOLDERS = struct.Struct("=III")
FOLDERS_SIZE = _FOLDERS.size


def pack_folders(counts: Sequence[int | None]) -> bytes:
    """Return the bytes for one row."""
    return _FOLDERS.pack(*(_NO_COUNT if one is None else one for one in counts))


def unpack_folders(packed: bytes) -> tuple[int | None, int | None, int | None]:
    """Return what `pack_folders` has packed."""
    new, changed, unmodified = (
        one if one != _NO_COUNT else None for one in _FOLDERS.unpack(packed)
    )
    return new, changed, unmodified


@define
class RepeatedColumn(Generic[T]):
    """A column whose values repeat: each is kept once, and its place for each row."""

    kind: str
    values: list[T] = field(factory=list)
    places: "array[int]" = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.places = array(self.kind)

    def index(self) -> dict[T, int]:
        """Return the place of each value."""
        return {one: place for place, one in enumerate(self.values)}

    def append(self, value: T, index: dict[T, int]) -> None:
        """Add a row; ``index`` is of `index`, and kept up to date."""
        place = index.setdefault(value, len(self.values))
        if place == len(self.values):
            self.values.append(value)
        self.places.append(place)

    def put(self, row: int, value: T, index: dict[T, int]) -> None:
        """Give a row another value; ``index`` is of `index`, and kept up to date."""
        self.append(value, index)
        self.places[row] = self.places.pop()

    def trim(self) -> None:
        """Give the spare room of a grown array back."""
        self.places = self.places[:]

    def taken(self, rows: Sequence[int]) -> "Steps[RepeatedColumn[T]]":
        """Return a column of only these rows, with only the values in them."""
        result: RepeatedColumn[T] = RepeatedColumn(self.kind)
        moved: dict[int, int] = {}
        places = array(self.kind)
        for start in range(0, len(rows), SLICE):
            places.extend(
                moved.setdefault(self.places[row], len(moved))
                for row in rows[start : start + SLICE]
            )
            yield
        result.places = places[:]  # without spare room
        result.values = [self.values[place] for place in moved]
        return result


def limited(value: T, index: Mapping[T, int], limit: int, other: T) -> T:
    """Return ``value`` if it is in a column already or there is room for it, else ``other``."""
    return value if value in index or len(index) < limit else other


@frozen
class Shape:
    """
    Which columns a table has besides those that all have.

    ``group_by`` has ``paths``, ``tags``, both or neither. ``identified`` rows can be compared with
    those of a copy. ``client_paths`` is ``None`` without the columns for ``--compat``, else whether
    these have the snapshots' paths.
    """

    group_by: tuple[str, ...] = ()
    identified: bool = False
    client_paths: bool | None = None

    @property
    def has_clients(self) -> bool:
        """Return whether there are the columns for ``--compat``."""
        return self.client_paths is not None


DEFAULT_SHAPE = Shape()


@frozen
class Columns:
    """
    The content of `restic_reporter.model.rows.Rows`, to be kept elsewhere.

    ``fixed`` are the columns of `fixed_columns`, as bytes. ``repeated`` are values, and their
    places for each row, as bytes.
    """

    shape: Shape
    fixed: tuple[bytes, ...]
    repeated: tuple[tuple[list[Any], bytes], ...]
