"""Makes backup sets from the rows of a table of snapshots. Pure."""

from collections import Counter
from collections.abc import Sequence
from heapq import nlargest

from attrs import frozen

from .anomalies import MOST_BEFORE, ratios
from .backup_sets import Name, Tally, backup_days, history_of
from .columns import SUMMARY_SIZE, unpack_summary
from .rows import DATED, DERIVED, ELSEWHEN, Rows
from .snapshots import NO_RATIOS, NO_SUMMARY, BackupSet, Group, Ratios, Summary

# Seconds that a snapshot may be stored before its time, as clocks differ; and after the end of its
# backup, as mirrors of a repository are made at night.
_BEFORE, _AFTER = 3600.0, 2 * 86400.0


def backdated_count(rows: Rows) -> int:
    """Return the number of rows whose time was given by hand or forged."""
    marks = rows.marks
    places = {place for place, (_, flags) in enumerate(marks.values) if flags & (DATED | ELSEWHEN)}
    return sum(place in places for place in marks.places) if places else 0


def stored_elsewhen(rows: Rows, row: int, stored: float) -> bool:
    """Return whether a row was ``stored`` (Unix seconds) long before or after its time."""
    time = rows.times[row]
    _, flags = rows.marks.values[rows.marks.places[row]]
    if flags & DERIVED or time != time:
        return False
    duration = _summary(rows, row).duration or 0.0
    return not time - _BEFORE <= stored <= time + duration + _AFTER


def _summary(rows: Rows, row: int) -> Summary:
    return unpack_summary(rows.summaries[row * SUMMARY_SIZE : (row + 1) * SUMMARY_SIZE])


@frozen
class SetMaker:
    """Makes sets of ``rows``, as of ``now`` in Unix seconds."""

    rows: Rows
    now: float

    def backup_set(self, labels: Name, tally: Tally) -> BackupSet:
        """Return the set with these labels and snapshots."""
        rows, newest, latest, row = self.rows, tally.newest, None, None
        if newest is not None:
            same = (
                row for row, time in zip(tally.usable, tally.times, strict=True) if time == newest
            )
            row = max(same, key=rows.id)
            latest = rows.latest(row)
        return BackupSet(
            *labels,
            tally.count,
            newest,
            min(tally.times, default=None),
            latest,
            backup_days(tally.times, self.now),
            history_of(tally.times, self.now),
            self._groups_of(tally),
            path_lists=len({self._paths(row) for row in tally.rows}),
            ratios=NO_RATIOS if row is None else self._ratios(row, tally),
        )

    def _paths(self, row: int) -> int:
        marks = self.rows.marks
        return marks.values[marks.places[row]][0]

    def _ratios(self, row: int, tally: Tally) -> Ratios:
        newest = _summary(self.rows, row)
        if newest == NO_SUMMARY:
            return NO_RATIOS
        return ratios(newest, [_summary(self.rows, one) for one in self._before(row, tally)])

    def _before(self, row: int, tally: Tally) -> Sequence[int]:
        """
        Return the rows of the snapshots to compare the newest with, the newest of them first.

        Hosts may back up /home and /etc one by one, so only snapshots of the same paths are alike,
        unless most have paths of their own.
        """
        own, lists = self._paths(row), [self._paths(one) for one in tally.usable]
        every = len(lists) > MOST_BEFORE and 2 * len(set(lists)) > len(lists)
        others = [
            (time, one)
            for time, one, paths in zip(tally.times, tally.usable, lists, strict=True)
            if one != row and (every or paths == own)
        ]
        # Of two with one time, ids decide, whatever the order in which they were read.
        least = nlargest(MOST_BEFORE, (time for time, _ in others))[-1:]
        near = [(time, self.rows.id(one), one) for time, one in others if [time] >= least]
        return [one for *_, one in sorted(near, reverse=True)[:MOST_BEFORE]]

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
