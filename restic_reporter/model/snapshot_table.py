"""The snapshots of one repository, packed: a fleet has a million."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Container, Iterable, Iterator, Mapping
from copy import copy
from heapq import merge
from math import inf

from attrs import define, evolve, field

from .backup_sets import MAX_SETS, Name, SetCounter, distinct_labels, limit_groups
from .clients import client_groups
from .columns import DEFAULT_SHAPE, SLICE, Columns, RepeatedColumn, Shape, Steps, limited
from .labels import sanitise
from .rows import ELSEWHEN, Identity, InfoColumn, MarkColumn, Rows, SetColumn, group_of, mark_of
from .snapshots import Content, Snapshot
from .table_sets import SetMaker, backdated_count, stored_elsewhen

# The most sets with names, as in `SetCounter`; and the number of named sets below which
# others get names again.
_NAMED_LIMIT = 4 * MAX_SETS
_ROOM_AT = _NAMED_LIMIT // 2

# Pairs of tags and version: above the first number only those of each set's newest snapshot
# stay, the second is the most.
_INFOS_CLEANUP, _INFOS_LIMIT = 4000, 16_000

# The most lists of paths that are told apart.
_MARKS_LIMIT = 4000

# The most groups to count, and to show.
_GROUPS_LIMIT, MAX_GROUPS = 4000, 1000

# The most kinds of labels for --compat.
_CLIENTS_LIMIT = 16_000


@define
class SnapshotTable:
    """
    The id, time, set, group and statistics of each snapshot, in about 100 bytes.

    It knows the ones of the last successful read from those read since. Methods that take long with
    many rows are generators with short steps.
    """

    shape: Shape = DEFAULT_SHAPE
    _rows: Rows = field(init=False)
    # The first rows, which were in the last successful read; and those of them gone since.
    _confirmed: int = 0
    _lost: frozenset[str] = frozenset()

    def __attrs_post_init__(self) -> None:
        self._rows = Rows(self.shape)

    @classmethod
    def of(cls, columns: Columns) -> SnapshotTable:
        """Return the table of a successful read with this content."""
        table = cls(columns.shape)
        table._rows = Rows.of(columns)
        table._confirmed = len(table)
        return table

    def columns(self) -> Columns | None:
        """
        Return the content, which later changes leave alone.

        It is ``None`` if some sets have only hashes for names: these are of this process.
        """
        if any(isinstance(one, int) for one in self._rows.sets.values):
            return None
        return self._rows.columns()

    def __len__(self) -> int:
        return len(self._rows)

    def ids(self, start: int = 0, stop: int | None = None) -> list[str]:
        """Return the ids (64 hex digits) in the rows from ``start`` to ``stop``."""
        stop = len(self) if stop is None else stop
        return self._rows.names(start, stop)

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
            kept = bisect_left(rows, self._confirmed)
            # All rows are in order, so the gone ones too.
            lost = gone[: self._confirmed - kept]
            yield from self._take(rows)
            self._lost |= frozenset(lost)
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
        rows, snapshots = self._rows, list(snapshots)
        if len(rows.infos.values) >= _INFOS_CLEANUP:
            self._forget_infos()
        sets, infos, groups = rows.sets.index(), rows.infos.index(), rows.groups.index()
        marks, clients = rows.marks.index(), rows.clients.index()
        for one in snapshots:
            rows.sets.append(self._set_of(one, sets, shown), sets)
            rows.marks.append(_limited(mark_of(one), marks), marks)
            info = (one.tags, one.program_version)
            rows.infos.append(limited(info, infos, _INFOS_LIMIT, None), infos)
            if self.shape.group_by:
                group = group_of(one, self.shape.group_by)
                rows.groups.append(limited(group, groups, _GROUPS_LIMIT, None), groups)
            if self.shape.has_clients:
                labels = one.client.labels if one.client is not None else None
                rows.clients.append(limited(labels, clients, _CLIENTS_LIMIT, None), clients)
        rows.add_fixed(snapshots)
        for column in rows.repeated():
            column.trim()

    def unconfirmed(self) -> list[str]:
        """Return the ids of the snapshots that were not in the last successful read."""
        return self.ids(self._confirmed)

    def note_stored(self, times: Mapping[str, float]) -> None:
        """Note when `unconfirmed` snapshots were stored, in Unix seconds, as far as known."""
        rows, marks = self._rows, self._rows.marks.index()
        for row in stored_elsewhen(rows, self._confirmed, self.unconfirmed(), times):
            paths, flags = rows.marks.values[rows.marks.places[row]]
            rows.marks.put(row, _limited((paths, flags | ELSEWHEN), marks), marks)

    def confirm(self, listed: frozenset[str]) -> int:
        """Note a successful read of these; return how many of the one before are not ``listed``."""
        removed = len(self._lost - listed)
        self._lost = frozenset()
        self._confirmed = len(self)
        return removed

    def newest(self, start: int, count: int) -> Steps[list[Snapshot]]:
        """
        Return ``count`` snapshots after the ``start`` newest ones, newest first.

        Those without a valid time are last. Another step of work may change the table meanwhile.
        """
        # The columns as they are now: rows are only added to them, or they are replaced.
        table = copy(self._rows)

        def age(row: int) -> float:
            time = table.times[row]
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
        return [self._snapshot(table, row) for row in rows]

    def _snapshot(self, table: Rows, row: int) -> Snapshot:
        latest, name = table.latest(row), table.sets.values[table.sets.places[row]]
        host, user = name if isinstance(name, tuple) else (None, "")
        group = table.groups.values[table.groups.places[row]] if table.shape.group_by else None
        time = table.times[row]
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

    @property
    def confirmed(self) -> int:
        """Return how many snapshots of the last successful read are here."""
        return self._confirmed

    def identities(self) -> Iterator[list[Identity]]:
        """
        Yield what identifies the snapshots of the last successful read, in slices.

        The table must be ``identified``.
        """
        rows, count = copy(self._rows), self._confirmed
        labels = distinct_labels([one for one in rows.sets.values if isinstance(one, tuple)])
        names = [labels[one] if isinstance(one, tuple) else None for one in rows.sets.values]
        # A row takes eight times as long as elsewhere, with what is done to it.
        for start in range(0, count, SLICE // 8):
            yield [
                (names[rows.sets.places[row]], rows.times[row], *rows.identity(row))
                for row in range(start, min(start + SLICE // 8, count))
            ]

    def content(self, now: float, shown: Container[Name]) -> Steps[Content]:
        """Count all snapshots, as of ``now`` (Unix seconds)."""
        table = self._rows
        counter = SetCounter(now, shown)
        rows: list[list[int]] = [[] for _ in table.sets.values]
        for start in range(0, len(table), SLICE):
            for row, place in enumerate(table.sets.places[start : start + SLICE], start):
                rows[place].append(row)
            yield
        for name, some in zip(table.sets.values, rows, strict=True):
            counter.add_set(name, some, [table.times[row] for row in some])
            yield
        content = yield from counter.content(SetMaker(table, now).backup_set)
        content = evolve(content, backdated_count=backdated_count(table))
        if self.shape.has_clients:
            content = evolve(content, clients=(yield from client_groups(table, now)))
        return limit_groups(content, MAX_GROUPS)

    def _forget_infos(self) -> None:
        """Keep only the tags and version of the newest snapshot in each set."""
        rows, newest = self._rows, dict[int, int]()
        for row, place in enumerate(rows.sets.places):
            if place not in newest or rows.times[row] > rows.times[newest[place]]:
                newest[place] = row
        kept, index = set(newest.values()), dict[InfoColumn, int]()
        infos: RepeatedColumn[InfoColumn] = RepeatedColumn("H")
        for row, place in enumerate(rows.infos.places):
            infos.append(rows.infos.values[place] if row in kept else None, index)
        infos.trim()
        rows.infos = infos

    def _set_of(
        self, snapshot: Snapshot, sets: dict[SetColumn, int], shown: Container[Name]
    ) -> SetColumn:
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
        sets = self._rows.sets
        nameless = {place for place, one in enumerate(sets.values) if isinstance(one, int)}
        if not nameless or len(sets.values) - len(nameless) >= _ROOM_AT:
            return False
        yield from self._take(
            [row for row, place in enumerate(sets.places) if place not in nameless]
        )
        return True

    def _take(self, rows: list[int]) -> Steps[None]:
        """Keep only these rows, which are in order."""
        # If this is stopped between two steps, the table stays unchanged.
        self._rows = yield from self._rows.taken(rows)
        self._confirmed = bisect_left(rows, self._confirmed)


def _limited(mark: MarkColumn, marks: dict[MarkColumn, int]) -> MarkColumn:
    return limited(mark, marks, _MARKS_LIMIT, (0, mark[1]))
