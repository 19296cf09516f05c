"""Counts snapshots by backup set, with the newest and oldest of each. Pure."""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Container, Iterable, Sequence
from datetime import date, timedelta

from attrs import Factory, define, evolve

from ..schedule.local_days import midnights
from .columns import Steps
from .labels import sanitise, with_hash
from .rhythm import learned_max_age
from .snapshots import BackupDays, BackupSet, Content

# Seconds that clients' clocks may differ. A snapshot dated further ahead is a mistake, and
# does not count as the newest before its time.
FUTURE_TOLERANCE = 3600.0

MAX_SETS = 1000

# Candidate sets for each set shown. Beyond that, new names are only counted, so that a client
# that invents 100,000 of them costs little.
_CANDIDATES = 4

# Seconds that backups are remembered, and the most of one set: hourly ones of that time.
HISTORY = 400 * 86400.0
_LONGEST_HISTORY = 10_000

# Times in a history are whole seconds of this size.
_HISTORY_KIND, _LAST = "I", 2**32

# For `BackupSet.days`: the longest window and a day for each end.
_YEAR = 367

Name = tuple[str, str]  # host, user


@define(slots=True)
class Tally:
    """
    The count of one backup set.

    ``rows`` are those of all its snapshots; ``usable`` those that are valid and not in the
    future, in the order of ``times`` (Unix seconds).
    """

    rows: Sequence[int]
    usable: Sequence[int]
    times: Sequence[float]

    @property
    def count(self) -> int:
        """Return the number of all snapshots."""
        return len(self.rows)

    @property
    def newest(self) -> float | None:
        """Return the time of the newest valid snapshot."""
        return max(self.times, default=None)


@define
class SetCounter:
    """
    Counts the snapshots of set after set.

    ``now`` is the wall clock in Unix seconds; ``shown`` has the label values (host, user)
    of the sets to keep first; ``limit`` is the most sets to show.
    """

    now: float
    shown: Container[Name] = ()
    limit: int = MAX_SETS
    _count: int = 0
    _future: int = 0
    _invalid: int = 0
    _matures_at: float | None = None
    _tallies: dict[Name, Tally] = Factory(dict)
    _overflow: set[int] = Factory(set)

    def add_set(self, name: Name | int | None, rows: Sequence[int], times: Sequence[float]) -> None:
        """
        Count all snapshots of one set by their times; NaN is the time of an invalid one.

        ``name`` is the set's host and user, their hash if only that was kept, or ``None``
        for snapshots without a set. ``rows`` identify the snapshots. Add each set only once.
        """
        usable, count = rows, len(rows)
        self._count += count
        if any(time != time for time in times):
            usable, times = _filtered(usable, times, lambda time: time == time)
            self._invalid += count - len(times)
        latest = self.now + FUTURE_TOLERANCE
        if max(times, default=0.0) > latest:
            future = [time for time in times if time > latest]
            usable, times = _filtered(usable, times, lambda time: time <= latest)
            self._future += len(future)
            matures_at = min(future) - FUTURE_TOLERANCE
            self._matures_at = min(matures_at, self._matures_at or matures_at)
        if isinstance(name, int):
            self._overflow.add(name)
        elif name is not None:
            if (
                len(self._tallies) >= _CANDIDATES * self.limit
                and (sanitise(name[0]), sanitise(name[1])) not in self.shown
            ):
                self._overflow.add(hash(name))
            else:
                self._tallies[name] = Tally(rows, usable, times)

    def content(self, build: Callable[[Name, Tally], Steps[BackupSet]]) -> Steps[Content]:
        """
        Return the counts; ``build`` makes a `BackupSet` from label values and a tally.

        If there are too many sets, keep those to be shown first, then those with more
        snapshots: invented names have one each.
        """
        labels = distinct_labels(list(self._tallies))

        def rank(item: tuple[Name, Tally]) -> tuple[bool, int, Name]:
            name, tally = item
            return (labels[name] not in self.shown, -tally.count, labels[name])

        kept = sorted(self._tallies.items(), key=rank)[: self.limit]
        sets = []
        for name, tally in kept:
            sets.append((yield from build(labels[name], tally)))
            yield
        return Content(
            snapshot_count=self._count,
            future_count=self._future,
            invalid_count=self._invalid,
            sets=tuple(sorted(sets, key=lambda one: (one.host, one.user))),
            dropped_sets=len(self._tallies) - len(kept) + len(self._overflow),
            matures_at=self._matures_at,
        )


def _filtered(
    rows: Sequence[int], times: Sequence[float], wanted: Callable[[float], bool]
) -> tuple[Sequence[int], Sequence[float]]:
    kept = [(row, time) for row, time in zip(rows, times, strict=True) if wanted(time)]
    return [row for row, _ in kept], [time for _, time in kept]


def history_of(times: Iterable[float], now: float) -> "array[int]":
    """Return those of ``times`` for `BackupSet.history`, as of ``now`` (Unix seconds)."""
    since = max(0.0, now - HISTORY)
    known = sorted({int(time) for time in times if since < time < _LAST})
    return array(_HISTORY_KIND, known[-_LONGEST_HISTORY:])


def with_history(content: Content, before: Content | None, now: float) -> Steps[Content]:
    """
    Return ``content`` with the histories of its sets, as far as known ``before`` too.

    So a backup counts as made even if its snapshot has been removed since, and a set has a past
    even if all its snapshots have. ``now`` is in Unix seconds.
    """
    known = dict(before.past) if before is not None else {}
    learned = {}
    for one in before.sets if before is not None else ():
        known[one.host, one.user] = one.history
        learned[one.host, one.user] = one
    sets = []
    for one in content.sets:
        name = one.host, one.user
        history = known.pop(name, None)
        if history and not set(history) <= set(one.history):
            one = evolve(one, history=history_of({*history, *one.history}, now))
        same = learned.get(name)
        if same is not None and same.history == one.history:
            age = same.learned_max_age
        else:
            age = learned_max_age(one.history)
        sets.append(one if age is None else evolve(one, learned_max_age=age))
        yield
    past = {name: kept for name, some in known.items() if (kept := history_of(some, now))}
    newest = sorted(past, key=lambda name: past[name][-1], reverse=True)[:MAX_SETS]
    return evolve(content, sets=tuple(sets), past={name: past[name] for name in newest})


def backup_days(times: Iterable[float], now: float) -> BackupDays:
    """Return the local days of those of ``times`` within a year before ``now`` (Unix seconds)."""
    # Clocks differ, so a day more.
    last = date.fromtimestamp(now) + timedelta(days=1)
    begins = midnights(last, _YEAR)
    bits = 0
    for place in {bisect_right(begins, time) for time in times if time >= begins[0]}:
        bits |= 1 << (_YEAR - place)
    if not bits:
        return BackupDays()
    empty = (bits & -bits).bit_length() - 1
    return BackupDays(last.toordinal() - empty, bits >> empty)


def distinct_labels(names: Sequence[Name]) -> dict[Name, Name]:
    """
    For every name its label values, no two alike.

    Names that can be shown as they are keep themselves; one that had to be altered and
    would look like another gets a hash at the end of its host.
    """
    plain = {name: (sanitise(name[0]), sanitise(name[1])) for name in names}
    taken = {name for name in names if plain[name] == name}
    result = {name: name for name in taken}
    for name in sorted(set(names) - taken):
        label = plain[name]
        attempt = 0
        while label in taken:
            label = (with_hash(plain[name][0], f"{name!r}{attempt or ''}"), plain[name][1])
            attempt += 1
        taken.add(label)
        result[name] = label
    return result


def limit_groups(content: Content, limit: int) -> Content:
    """Keep only the ``limit`` largest groups of a repository."""
    ranked = sorted(
        (-group.snapshot_count, number, place)
        for number, one in enumerate(content.sets)
        for place, group in enumerate(one.groups)
    )
    if len(ranked) <= limit:
        return content
    kept = {(number, place) for _, number, place in ranked[:limit]}
    sets = tuple(
        evolve(
            one,
            groups=tuple(
                group for place, group in enumerate(one.groups) if (number, place) in kept
            ),
        )
        for number, one in enumerate(content.sets)
    )
    return evolve(content, sets=sets, dropped_groups=len(ranked) - limit)
