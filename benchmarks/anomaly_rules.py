"""
When the alerts on anomalies fire, as monitoring/restic-reporter.rules.yml has them.

A test compares them with Prometheus's own answers.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence

from attrs import define, field, frozen

from benchmarks.rhythm_worlds import DAY, HOUR
from restic_reporter.model.anomalies import (
    VANISHED_BELOW,
    files,
    nearly_all_changed,
)
from restic_reporter.model.snapshots import Ratios, Summary

# What is compared with lies so many days back.
_SINCE, _UNTIL = 14 * DAY, 6 * DAY
_AGAIN = 0.5
_TWICE = 2.0

# A frozen source: for days nothing changes, although backups are made; before it, something changed
# within each part of a day.
_QUIET, _BACKUPS = 3 * DAY, 2
_PART, _STEP = 16 * HOUR, 4 * HOUR

_KEEP_FIRING = DAY


@frozen
class Seen:
    """A newest snapshot as Prometheus sees it: from when on, and its values."""

    when: float
    summary: Summary
    ratios: Ratios

    @property
    def files(self) -> int:
        """All files."""
        return files(self.summary) or 0

    @property
    def touched(self) -> int:
        """New and changed files."""
        return (self.summary.new_files or 0) + (self.summary.changed_files or 0)

    @property
    def size(self) -> int:
        """All bytes."""
        return self.summary.processed_bytes or 0

    @property
    def added(self) -> int:
        """New bytes."""
        return self.summary.added_bytes or 0


@define
class Series:
    """The newest snapshots of a set, in order."""

    seen: Sequence[Seen]
    _times: list[float] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._times = [one.when for one in self.seen]

    def at(self, now: float) -> Seen:
        """The newest snapshot at a time."""
        return self.seen[bisect_right(self._times, now) - 1]

    def within(self, since: float, until: float) -> Sequence[Seen]:
        """Those that were the newest at some time between."""
        first = max(bisect_right(self._times, since) - 1, 0)
        return self.seen[first : bisect_right(self._times, until)]

    def made(self, since: float, until: float) -> int:
        """How often another became the newest after the first time, up to the second."""
        return bisect_right(self._times, until) - max(bisect_right(self._times, since), 1)

    def then(self, now: float) -> Sequence[Seen]:
        """What a rule compares with."""
        return self.within(now - _SINCE, now - _UNTIL)

    def from_on(self, since: float) -> Iterator[tuple[Seen, float]]:
        """The snapshots from a time on, each with the time of the next one."""
        for place in range(bisect_left(self._times, since), len(self.seen)):
            after = self._times[min(place + 1, len(self.seen) - 1)]
            yield self.seen[place], after


def source_vanished(series: Series, now: float) -> bool:
    """The rule ResticSourceVanished."""
    one = series.at(now)
    return any(
        ratio is not None
        and ratio < VANISHED_BELOW
        and not any(value(one) >= _AGAIN * value(then) for then in series.then(now))
        for ratio, value in (
            (one.ratios.files, lambda seen: seen.files),
            (one.ratios.processed_bytes, lambda seen: seen.size),
        )
    )


def nearly_everything_changed(series: Series, now: float) -> bool:
    """The rule ResticNearlyEverythingChanged."""
    one = series.at(now)
    return nearly_all_changed(one.summary, one.ratios) and not any(
        one.added <= _TWICE * then.added for then in series.then(now)
    )


def nothing_changed(series: Series, now: float) -> bool:
    """The rule ResticNothingChanged."""
    if (
        series.at(now).touched
        or any(one.touched for one in series.within(now - _QUIET, now))
        or series.made(now - _QUIET, now) < _BACKUPS
        or not series.within(now - _SINCE - _PART, now - _SINCE)
    ):
        return False
    last = (now - _UNTIL) // _STEP * _STEP
    ends = (last - number * _STEP for number in range(int((_SINCE - _UNTIL) / _STEP)))
    return all(any(one.touched for one in series.within(end - _PART, end)) for end in ends)


Rule = Callable[[Series, float], bool]
RULES: dict[str, Rule] = {
    "ResticSourceVanished": source_vanished,
    "ResticNearlyEverythingChanged": nearly_everything_changed,
    "ResticNothingChanged": nothing_changed,
}


def begins(rule: Rule, series: Series, since: float) -> Iterator[float]:
    """Yield when an alert begins to fire, asked at each new snapshot and each few hours."""
    until = 0.0
    for one, after in series.from_on(since):
        now = one.when
        while now <= one.when or now < after:
            if rule(series, now):
                if now > until:
                    yield now
                until = now + _STEP + _KEEP_FIRING
            now += _STEP
