"""The snapshots of one repository, packed: a fleet has a million."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from copy import copy
from heapq import merge
from math import inf
from typing import Any

from attrs import define, field

from .backup_sets import MAX_SETS, Name, SetCounter, Tally, backup_days, history_of, limit_groups
from .columns import (
    SLICE,
    SUMMARY_SIZE,
    Columns,
    RepeatedColumn,
    Steps,
    pack_summary,
    unpack_summary,
)
from .labels import sanitise
from .snapshots import BackupSet, Content, Group, Latest, Snapshot

ID_SIZE = 32
_UNUSABLE = float("nan")

# The most sets with names, as in `SetCounter`; and the number of named sets below which
# others get names again.
_NAMED_LIMIT = 4 * MAX_SETS
_ROOM_AT = _NAMED_LIMIT // 2

# Pairs of tags and version: above the first number only those of each set's newest snapshot
# stay, the second is the most.
_INFOS_CLEANUP, _INFOS_LIMIT = 4000, 16_000

# The most groups to count, and to show.
_GROUPS_LIMIT, MAX_GROUPS = 4000, 1000

# Host and user; or their hash, for a set beyond the limit; or None for no set.
_Set = tuple[str, str] | int | None

# Tags and version of the program; None beyond the limit.
_Info = tuple[str, str] | None

# Paths and tags, each empty if not grouped by it; None beyond the limit.
_Group = tuple[str, str] | None


@define
class SnapshotTable:
    """
    The id, time, set, group and statistics of each snapshot, in about 90 bytes.

    ``group_by`` has ``paths``, ``tags``, both or neither. Methods that take long with many
    rows are generators with short steps.
    """

    group_by: tuple[str, ...] = ()
    _ids: bytes = b""
    _times: array[float] = field(factory=lambda: array("d"))
    _summaries: bytes = b""
    _sets: RepeatedColumn[_Set] = field(factory=lambda: RepeatedColumn("I"))
    _infos: RepeatedColumn[_Info] = field(factory=lambda: RepeatedColumn("H"))
    _groups: RepeatedColumn[_Group] = field(factory=lambda: RepeatedColumn("H"))

    @classmethod
    def of(cls, columns: Columns) -> SnapshotTable:
        """Return the table with this content."""
        table = cls(columns.group_by, columns.ids, columns.times, columns.summaries)
        for column, (values, places) in zip(table._repeated(), columns.repeated, strict=True):
            column.values = values
            column.places.frombytes(places)
        return table

    def columns(self) -> Columns | None:
        """
        Return the content, which later changes leave alone.

        It is ``None`` if some sets have only hashes for names: these are of this process.
        """
        if any(isinstance(one, int) for one in self._sets.values):
            return None
        repeated = tuple((list(one.values), one.places.tobytes()) for one in self._repeated())
        return Columns(self.group_by, self._ids, self._times, self._summaries, repeated)

    def _repeated(self) -> tuple[RepeatedColumn[Any], ...]:
        return self._sets, self._infos, self._groups

    def __len__(self) -> int:
        return len(self._times)

    def ids(self, start: int = 0, stop: int | None = None) -> list[str]:
        """Return the ids (64 hex digits) in the rows from ``start`` to ``stop``."""
        stop = len(self) if stop is None else stop
        text = self._ids[start * ID_SIZE : stop * ID_SIZE].hex()
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
        for start in range(0, len(self), SLICE):
            for row, one in enumerate(self.ids(start, start + SLICE), start):
                if one in listed:
                    rows.append(row)
                    known.add(one)
                else:
                    others.append(one)
            yield
        return others, known

    def add(self, snapshots: Iterable[Snapshot], shown: Container[Name]) -> None:
        """
        Add snapshots, none of which is in the table yet.

        ``shown`` has the label values of sets whose names are always kept.
        """
        if len(self._infos.values) >= _INFOS_CLEANUP:
            self._forget_infos()
        sets, infos, groups = self._sets.index(), self._infos.index(), self._groups.index()
        ids, times, summaries = [self._ids], self._times[:], [self._summaries]
        for one in snapshots:
            ids.append(bytes.fromhex(one.id or ""))
            times.append(_UNUSABLE if one.time is None else one.time)
            summaries.append(pack_summary(one.summary))
            self._sets.append(self._set_of(one, sets, shown), sets)
            info = (one.tags, one.program_version)
            self._infos.append(info if info in infos or len(infos) < _INFOS_LIMIT else None, infos)
            if self.group_by:
                self._groups.append(self._group_of(one, groups), groups)
        self._ids, self._times, self._summaries = b"".join(ids), times[:], b"".join(summaries)
        for column in self._repeated():
            column.trim()

    def newest(self, start: int, count: int) -> Steps[list[Snapshot]]:
        """
        Return ``count`` snapshots after the ``start`` newest ones, newest first.

        Those without a valid time are last. Another step of work may change the table meanwhile.
        """
        # The columns as they are now: rows are only added to them, or they are replaced.
        table = copy(self)

        def age(row: int) -> float:
            time = table._times[row]
            return inf if time != time else -time

        runs = []
        for begin in range(0, len(table), SLICE):
            runs.append(sorted(range(begin, min(begin + SLICE, len(table))), key=age))
            yield
        rows = []
        for place, row in enumerate(merge(*runs, key=age)):
            if place >= start + count:
                break
            if place >= start:
                rows.append(row)
            if not place % SLICE:
                yield
        return [table._snapshot(row) for row in rows]

    def _snapshot(self, row: int) -> Snapshot:
        latest, name = self._latest(row), self._sets.values[self._sets.places[row]]
        host, user = name if isinstance(name, tuple) else (None, "")
        group = self._groups.values[self._groups.places[row]] if self.group_by else None
        time = self._times[row]
        return Snapshot(
            latest.id,
            None if time != time else time,
            None if host is None else sanitise(host),
            sanitise(user),
            group[0] if group is not None else "",
            latest.tags,
            latest.program_version,
            latest.summary,
        )

    def content(self, now: float, shown: Container[Name]) -> Steps[Content]:
        """Count all snapshots, as of ``now`` (Unix seconds)."""
        counter = SetCounter(now, shown)
        rows: list[list[int]] = [[] for _ in self._sets.values]
        for start in range(0, len(self), SLICE):
            for row, place in enumerate(self._sets.places[start : start + SLICE], start):
                rows[place].append(row)
            yield
        for name, some in zip(self._sets.values, rows, strict=True):
            counter.add_set(name, some, [self._times[row] for row in some])
            yield
        content = yield from counter.content(
            lambda labels, tally: self._backup_set(labels, tally, now)
        )
        return limit_groups(content, MAX_GROUPS)

    def _backup_set(self, labels: Name, tally: Tally, now: float) -> BackupSet:
        newest = tally.newest
        latest = None
        if newest is not None:
            same = (
                row for row, time in zip(tally.usable, tally.times, strict=True) if time == newest
            )
            latest = self._latest(max(same, key=self._id))
        return BackupSet(
            *labels,
            tally.count,
            newest,
            min(tally.times, default=None),
            latest,
            backup_days(tally.times, now),
            history_of(tally.times, now),
            self._groups_of(tally),
        )

    def _id(self, row: int) -> bytes:
        return self._ids[row * ID_SIZE : (row + 1) * ID_SIZE]

    def _latest(self, row: int) -> Latest:
        tags, version = self._infos.values[self._infos.places[row]] or ("", "")
        summary = self._summaries[row * SUMMARY_SIZE : (row + 1) * SUMMARY_SIZE]
        return Latest(self._id(row).hex(), tags, version, unpack_summary(summary))

    def _groups_of(self, tally: Tally) -> tuple[Group, ...]:
        if not self.group_by:
            return ()
        counts = Counter(self._groups.places[row] for row in tally.rows)
        newest: dict[int, float] = {}
        for row, time in zip(tally.usable, tally.times, strict=True):
            place = self._groups.places[row]
            newest[place] = max(time, newest.get(place, time))
        named = ((self._groups.values[place], place) for place in counts)
        return tuple(
            Group(*name, counts[place], newest.get(place))
            for name, place in sorted((name, place) for name, place in named if name is not None)
        )

    def _group_of(self, one: Snapshot, groups: dict[_Group, int]) -> _Group:
        group = (
            one.paths if "paths" in self.group_by else "",
            one.tags if "tags" in self.group_by else "",
        )
        return group if group in groups or len(groups) < _GROUPS_LIMIT else None

    def _forget_infos(self) -> None:
        """Keep only the tags and version of the newest snapshot in each set."""
        newest: dict[int, int] = {}
        for row, place in enumerate(self._sets.places):
            if place not in newest or self._times[row] > self._times[newest[place]]:
                newest[place] = row
        kept, index = set(newest.values()), dict[_Info, int]()
        infos: RepeatedColumn[_Info] = RepeatedColumn("H")
        for row, place in enumerate(self._infos.places):
            infos.append(self._infos.values[place] if row in kept else None, index)
        infos.trim()
        self._infos = infos

    def _set_of(self, snapshot: Snapshot, sets: dict[_Set, int], shown: Container[Name]) -> _Set:
        if snapshot.host is None:
            return None
        name = (snapshot.host, snapshot.user)
        if name in sets or len(sets) < _NAMED_LIMIT:
            return name
        if (sanitise(name[0]), sanitise(name[1])) in shown:
            return name
        return hash(name)

    def _make_room_for_names(self) -> Steps[bool]:
        """
        Remove the rows of sets without names, to be read again, if there is room for names.

        Returns whether any was removed.
        """
        nameless = {place for place, one in enumerate(self._sets.values) if isinstance(one, int)}
        if not nameless or len(self._sets.values) - len(nameless) >= _ROOM_AT:
            return False
        yield from self._take(
            [row for row, place in enumerate(self._sets.places) if place not in nameless]
        )
        return True

    def _take(self, rows: Sequence[int]) -> Steps[None]:
        """Keep only these rows, and only the values in them."""
        ids: list[bytes] = []
        summaries: list[bytes] = []
        times = array("d")
        for start in range(0, len(rows), SLICE):
            for row in rows[start : start + SLICE]:
                ids.append(self._id(row))
                summaries.append(self._summaries[row * SUMMARY_SIZE : (row + 1) * SUMMARY_SIZE])
                times.append(self._times[row])
            yield
        sets = yield from self._sets.taken(rows)
        infos = yield from self._infos.taken(rows)
        groups = yield from self._groups.taken(rows if self.group_by else ())
        # If this is stopped between two steps, the table stays unchanged.
        self._ids, self._times, self._summaries = b"".join(ids), times[:], b"".join(summaries)
        self._sets, self._infos, self._groups = sets, infos, groups
