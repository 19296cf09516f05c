"""The snapshots of one repository, packed: a fleet has a million."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Generator, Iterable, Sequence
from typing import TypeVar

from attrs import define, field

from .backup_sets import MAX_SETS, SetCounter
from .labels import sanitise
from .snapshots import Content, Snapshot

T = TypeVar("T")

# Work in short steps, for `restic_reporter.concurrency.cooperative`, and its result.
Steps = Generator[None, None, T]

# Rows processed in one step.
_SLICE = 2048

_ID_SIZE = 32
_UNUSABLE = float("nan")

# The most sets with names, as in `SetCounter`; and the number of named sets below which
# others get names again.
_NAMED_LIMIT = 4 * MAX_SETS
_ROOM_AT = _NAMED_LIMIT // 2

# Host and user; or their hash, for a set beyond the limit; or None for no set.
_Set = tuple[str, str] | int | None


@define
class SnapshotTable:
    """
    The id, the time and the set of each snapshot, in about 50 bytes.

    Methods that take long with many rows are generators with short steps.
    """

    _ids: bytes = b""
    _times: array[float] = field(factory=lambda: array("d"))
    _places: array[int] = field(factory=lambda: array("I"))
    _sets: list[_Set] = field(factory=list)

    def __len__(self) -> int:
        return len(self._times)

    def ids(self, start: int = 0, stop: int | None = None) -> list[str]:
        """Return the ids (64 hex digits) in the rows from ``start`` to ``stop``."""
        stop = len(self) if stop is None else stop
        text = self._ids[start * _ID_SIZE : stop * _ID_SIZE].hex()
        return [text[at : at + 64] for at in range(0, len(text), 64)]

    def compare(self, listed: frozenset[str]) -> Steps[tuple[list[str], list[str]]]:
        """Return the ids that are not ``listed``, and the listed ones that are missing here."""
        others, known = yield from self._compare(listed, [])
        return others, list(listed - known)

    def keep(self, listed: frozenset[str]) -> Steps[tuple[list[str], list[str]]]:
        """
        Remove the snapshots that are not ``listed`` any more.

        Returns the ids of the removed ones, and the listed ids that are still to be read.
        """
        rows: list[int] = []
        gone, known = yield from self._compare(listed, rows)
        if gone:
            yield from self._take(rows)
            if (yield from self._make_room_for_names()):
                _, known = yield from self._compare(listed, [])
        return gone, list(listed - known)

    def _compare(
        self, listed: frozenset[str], rows: list[int]
    ) -> Steps[tuple[list[str], set[str]]]:
        """Return the unlisted ids and the listed ones; append the listed ones' rows to ``rows``."""
        others: list[str] = []
        known: set[str] = set()
        for start in range(0, len(self), _SLICE):
            for row, one in enumerate(self.ids(start, start + _SLICE), start):
                if one in listed:
                    rows.append(row)
                    known.add(one)
                else:
                    others.append(one)
            yield
        return others, known

    def add(self, snapshots: Iterable[Snapshot], shown: Collection[tuple[str, str]]) -> None:
        """
        Add snapshots, none of which is in the table yet.

        ``shown`` are the label values of sets whose names are always kept.
        """
        places = {one: place for place, one in enumerate(self._sets)}
        ids, times, where = [self._ids], self._times[:], self._places[:]
        for snapshot in snapshots:
            one = self._set_of(snapshot, places, shown)
            place = places.setdefault(one, len(self._sets))
            if place == len(self._sets):
                self._sets.append(one)
            ids.append(bytes.fromhex(snapshot.id or ""))
            times.append(_UNUSABLE if snapshot.time is None else snapshot.time)
            where.append(place)
        # Copy to the exact size: a grown array has spare room.
        self._ids, self._times, self._places = b"".join(ids), times[:], where[:]

    def content(self, now: float, shown: Collection[tuple[str, str]]) -> Steps[Content]:
        """Count all snapshots, as of ``now`` (Unix seconds)."""
        counter = SetCounter(now, shown)
        times: list[list[float]] = [[] for _ in self._sets]
        for start in range(0, len(self), _SLICE):
            stop = start + _SLICE
            for place, time in zip(self._places[start:stop], self._times[start:stop], strict=True):
                times[place].append(time)
            yield
        for one, some in zip(self._sets, times, strict=True):
            counter.add_set(one, some)
            yield
        return counter.content()

    def _set_of(
        self, snapshot: Snapshot, places: dict[_Set, int], shown: Collection[tuple[str, str]]
    ) -> _Set:
        if snapshot.host is None:
            return None
        name = (snapshot.host, snapshot.user)
        if name in places or len(self._sets) < _NAMED_LIMIT:
            return name
        if (sanitise(name[0]), sanitise(name[1])) in shown:
            return name
        return hash(name)

    def _make_room_for_names(self) -> Steps[bool]:
        """
        Remove the rows of sets without names, to be read again, if there is room for names.

        Returns whether any was removed.
        """
        nameless = {place for place, one in enumerate(self._sets) if isinstance(one, int)}
        if not nameless or len(self._sets) - len(nameless) >= _ROOM_AT:
            return False
        yield from self._take(
            [row for row, place in enumerate(self._places) if place not in nameless]
        )
        return True

    def _take(self, rows: Sequence[int]) -> Steps[None]:
        """Keep only these rows and their sets."""
        ids: list[bytes] = []
        times, places = array("d"), array("I")
        moved: dict[int, int] = {}
        for start in range(0, len(rows), _SLICE):
            for row in rows[start : start + _SLICE]:
                ids.append(self._ids[row * _ID_SIZE : (row + 1) * _ID_SIZE])
                times.append(self._times[row])
                places.append(moved.setdefault(self._places[row], len(moved)))
            yield
        # If this is stopped between two steps, the table stays unchanged.
        self._ids, self._times, self._places = b"".join(ids), times[:], places[:]
        self._sets = [self._sets[place] for place in moved]
