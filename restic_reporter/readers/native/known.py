"""The snapshots of one repository that were read before, packed: a fleet has a million."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Sequence

from attrs import define, field

from ...backup_sets import MAX_SETS, SetCounter
from ...labels import MAX_LENGTH, sanitise
from ...model import Content, Snapshot

_ID_SIZE = 32
_UNUSABLE = float("nan")

# How many sets have their names kept, and how many of them must go before others can have
# theirs: the same choice as `SetCounter` makes.
_NAMED_LIMIT = 4 * MAX_SETS
_ROOM_AT = _NAMED_LIMIT // 2

# Host and user; or, of a set beyond the limit, the hash of these; or None for no set.
_Set = tuple[str, str] | int | None


@define
class KnownSnapshots:
    """
    Some 50 bytes for each snapshot: the id, the time, and which of the sets it belongs to.

    Names beyond the length of a label are kept as their label, which ends in a hash.
    """

    _ids: bytes = b""
    _times: array[float] = field(factory=lambda: array("d"))
    _places: array[int] = field(factory=lambda: array("I"))
    _sets: list[_Set] = field(factory=list)

    def __len__(self) -> int:
        return len(self._times)

    def ids(self) -> list[str]:
        """Their names, of 64 hex digits."""
        text = self._ids.hex()
        return [text[start : start + 64] for start in range(0, len(text), 64)]

    def keep(self, listed: frozenset[str]) -> tuple[list[str], list[str]]:
        """
        Forget those that are not ``listed`` any more.

        Returns the ids of those that have gone and of those that are still to be read.
        """
        ids = self.ids()
        gone = set(ids) - listed
        if gone:
            self._take([row for row, one in enumerate(ids) if one not in gone])
            self._take(self._rows_with_names())
            ids = self.ids()
        return list(gone), list(listed.difference(ids))

    def add(self, snapshots: Sequence[Snapshot], shown: Collection[tuple[str, str]]) -> None:
        """
        Take up some more, all with ids.

        ``shown`` are the label values of sets whose names are kept, however many there are.
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
        # Copies have the size that they need; what has grown has room for more.
        self._ids, self._times, self._places = b"".join(ids), times[:], where[:]

    def content(self, now: float, shown: Collection[tuple[str, str]]) -> Content:
        """What they amount to, as of ``now`` (Unix seconds)."""
        counter = SetCounter(now, shown)
        times: list[list[float]] = [[] for _ in self._sets]
        for place, time in zip(self._places, self._times, strict=True):
            times[place].append(time)
        for one, some in zip(self._sets, times, strict=True):
            counter.add_set(one, some)
        return counter.content()

    def _set_of(
        self, snapshot: Snapshot, places: dict[_Set, int], shown: Collection[tuple[str, str]]
    ) -> _Set:
        if snapshot.host is None:
            return None
        name = (_shortened(snapshot.host), _shortened(snapshot.user))
        if name in places or len(self._sets) < _NAMED_LIMIT:
            return name
        if (sanitise(name[0]), sanitise(name[1])) in shown:
            return name
        return hash(name)

    def _rows_with_names(self) -> Sequence[int]:
        """The rows to keep so that sets without names are read again, if these have room now."""
        nameless = {place for place, one in enumerate(self._sets) if isinstance(one, int)}
        if len(self._sets) - len(nameless) >= _ROOM_AT:
            nameless.clear()
        return [row for row, place in enumerate(self._places) if place not in nameless]

    def _take(self, rows: Sequence[int]) -> None:
        """Keep these rows alone, and the sets that they belong to."""
        if len(rows) == len(self):
            return
        start = _ID_SIZE
        self._ids = b"".join([self._ids[row * start : (row + 1) * start] for row in rows])
        self._times = array("d", [self._times[row] for row in rows])
        places = [self._places[row] for row in rows]
        moved = {old: new for new, old in enumerate(sorted(set(places)))}
        self._sets = [self._sets[old] for old in moved]
        self._places = array("I", [moved[old] for old in places])


def _shortened(name: str) -> str:
    return name if len(name) <= MAX_LENGTH else sanitise(name)
