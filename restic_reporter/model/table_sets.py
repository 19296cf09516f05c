"""Makes backup sets from the rows of a table of snapshots. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from heapq import nlargest

from attrs import define, field

from .anomalies import LEAST_BEFORE, MOST_BEFORE, ratios
from .backup_sets import Name, Tally, backup_days, history_of
from .columns import SUMMARY_SIZE, Steps, unpack_summary
from .rows import DATED, DERIVED, ELSEWHEN, Rows
from .snapshots import NO_RATIOS, NO_SUMMARY, BackupSet, Group, Ratios, Summary

# Seconds that a snapshot may be stored before its time, as clocks differ; and after the end of its
# backup, as mirrors of a repository are made at night.
_BEFORE, _AFTER = 3600.0, 2 * 86400.0

# The least snapshots by which a copy of a whole repository is known, and the seconds it may take.
_MOVED, _MOVE = 10, 86400.0

Times = Mapping[str, float]


def backdated_count(rows: Rows) -> int:
    """Return the number of rows whose time was given by hand or forged."""
    marks = rows.marks
    places = {place for place, (_, flags) in enumerate(marks.values) if flags & (DATED | ELSEWHEN)}
    return sum(place in places for place in marks.places) if places else 0


def stored_elsewhen(rows: Rows, begin: int, names: Sequence[str], times: Times) -> list[int]:
    """
    Return which rows from ``begin`` on were stored long before or after their time.

    ``names`` are the ids in these rows; ``times`` are when they were stored, in Unix seconds. If
    these are all rows, and many were stored late when the storage was new, the repository was
    copied there as a whole.
    """
    stored = [(row, times[name]) for row, name in enumerate(names, begin) if name in times]
    odd = [(row, time) for row, time in stored if _is_odd(rows, row, time)]
    moved_until = min(times.values(), default=0.0) + _MOVE
    moved = {row for row, time in odd if rows.times[row] < time <= moved_until}
    if begin or len(moved) < _MOVED:
        moved = set()
    return [row for row, _ in odd if row not in moved]


def _is_odd(rows: Rows, row: int, stored: float) -> bool:
    time = rows.times[row]
    _, flags = rows.marks.values[rows.marks.places[row]]
    if flags & DERIVED or time != time:
        return False
    duration = _summary(rows, row).duration or 0.0
    return not time - _BEFORE <= stored <= time + duration + _AFTER


def _summary(rows: Rows, row: int) -> Summary:
    return unpack_summary(rows.summaries[row * SUMMARY_SIZE : (row + 1) * SUMMARY_SIZE])


@define
class SetMaker:
    """Makes sets of ``rows``, as of ``now`` in Unix seconds."""

    rows: Rows
    now: float
    # The list of paths at each place of the marks.
    _lists: Sequence[int] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._lists = [paths for paths, _ in self.rows.marks.values]

    def backup_set(self, labels: Name, tally: Tally) -> Steps[BackupSet]:
        """Return the set with these labels and snapshots; a set may have all of a repository."""
        rows, newest = self.rows, tally.newest
        places = rows.marks.places
        marks = {places[row] for row in tally.rows}
        lists = {self._lists[place] for place in marks}
        latest, ratios = None, NO_RATIOS
        if newest is not None:
            same = (
                row for row, time in zip(tally.usable, tally.times, strict=True) if time == newest
            )
            row = max(same, key=rows.id)
            latest = rows.latest(row)
            yield
            ratios = self._ratios(row, latest.summary, tally, len(lists) == 1)
        yield
        days = backup_days(tally.times, self.now)
        yield
        history = history_of(tally.times, self.now)
        yield
        return BackupSet(
            *labels,
            tally.count,
            newest,
            min(tally.times, default=None),
            latest,
            days,
            history,
            self._groups_of(tally),
            path_lists=len(lists),
            ratios=ratios,
        )

    def _ratios(self, row: int, newest: Summary, tally: Tally, alike: bool) -> Ratios:
        """
        Compare the newest snapshot with those of the same paths before it.

        Hosts may back up /home and /etc one by one, so no others are ``alike``, unless most have
        paths of their own.
        """
        if newest is NO_SUMMARY or len(tally.usable) <= LEAST_BEFORE:
            return NO_RATIOS
        usable, times = tally.usable, tally.times
        if not alike:
            lists = [self._lists[self.rows.marks.places[one]] for one in usable]
            if len(lists) <= MOST_BEFORE or 2 * len(set(lists)) <= len(lists):
                own = lists[usable.index(row)]
                kept = [place for place, paths in enumerate(lists) if paths == own]
                usable, times = [usable[at] for at in kept], [times[at] for at in kept]
        # Of two with one time, ids decide, whatever the order in which they were read.
        least = nlargest(MOST_BEFORE + 1, times)[-1]
        near = [one for one, time in zip(usable, times, strict=True) if time >= least]
        near.sort(key=lambda one: (self.rows.times[one], self.rows.id(one)), reverse=True)
        return ratios(newest, [_summary(self.rows, one) for one in near[1 : MOST_BEFORE + 1]])

    def _groups_of(self, tally: Tally) -> tuple[Group, ...]:
        rows = self.rows
        if not rows.shape.group_by:
            return ()
        counts = Counter(rows.groups.places[row] for row in tally.rows)
        newest: dict[int, float] = {}
        for row, time in zip(tally.usable, tally.times, strict=True):
            place = rows.groups.places[row]
            newest[place] = max(time, newest.get(place, time))
        named = ((rows.groups.values[place], place) for place in counts)
        return tuple(
            Group(*name, counts[place], newest.get(place))
            for name, place in sorted((name, place) for name, place in named if name is not None)
        )
