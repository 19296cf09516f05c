"""Counts snapshots by backup set, with the newest and oldest of each. Pure."""

from collections.abc import Collection, Sequence

from attrs import Factory, define

from .labels import sanitise, with_hash
from .snapshots import BackupSet, Content

# Seconds that clients' clocks may differ. A snapshot dated further ahead is a mistake, and
# does not count as the newest before its time.
FUTURE_TOLERANCE = 3600.0

MAX_SETS = 1000

# Candidate sets for each set shown. Beyond that, new names are only counted, so that a client
# that invents 100,000 of them costs little.
_CANDIDATES = 4

Name = tuple[str, str]  # host, user


@define
class SetCounter:
    """
    Counts snapshots one by one, without holding them.

    ``now`` is the wall clock in Unix seconds; ``known`` are the label values (host, user)
    of the sets shown so far; ``limit`` is the most sets to show.
    """

    now: float
    known: Collection[Name] = ()
    limit: int = MAX_SETS
    _count: int = 0
    _future: int = 0
    _invalid: int = 0
    _matures_at: float | None = None
    # The number of snapshots, and the newest and the oldest time, of each set.
    _tallies: dict[Name, tuple[int, float | None, float | None]] = Factory(dict)
    _overflow: set[int] = Factory(set)

    def add_set(self, name: Name | int | None, times: Sequence[float]) -> None:
        """
        Count all snapshots of one set by their times; NaN is the time of an invalid one.

        ``name`` is the set's host and user, their hash if only that was kept, or ``None``
        for snapshots without a set. Add each set only once.
        """
        self._count += len(times)
        usable = [time for time in times if time == time]
        self._invalid += len(times) - len(usable)
        newest = max(usable, default=None)
        if newest is not None and newest - FUTURE_TOLERANCE > self.now:
            future = [time for time in usable if time - FUTURE_TOLERANCE > self.now]
            usable = [time for time in usable if time - FUTURE_TOLERANCE <= self.now]
            self._future += len(future)
            matures_at = min(future) - FUTURE_TOLERANCE
            self._matures_at = min(matures_at, self._matures_at or matures_at)
        if isinstance(name, int):
            self._overflow.add(name)
        elif name is not None and self._has_room(name):
            self._tallies[name] = (len(times), max(usable, default=None), min(usable, default=None))
        elif name is not None:
            self._overflow.add(hash(name))

    def _has_room(self, name: Name) -> bool:
        if len(self._tallies) < _CANDIDATES * self.limit:
            return True
        return (sanitise(name[0]), sanitise(name[1])) in self.known

    def content(self) -> Content:
        """
        Return the counts.

        If there are too many sets, keep the known ones first, then those with more
        snapshots: invented names have one each.
        """
        labels = distinct_labels(list(self._tallies))

        def rank(name: Name) -> tuple[bool, int, Name]:
            return (labels[name] not in self.known, -self._tallies[name][0], labels[name])

        kept = sorted(self._tallies, key=rank)[: self.limit]
        sets = []
        for name in kept:
            count, newest, oldest = self._tallies[name]
            sets.append(BackupSet(*labels[name], count, newest, oldest))
        return Content(
            snapshot_count=self._count,
            future_count=self._future,
            invalid_count=self._invalid,
            sets=tuple(sorted(sets, key=lambda one: (one.host, one.user))),
            dropped_sets=len(self._tallies) - len(kept) + len(self._overflow),
            matures_at=self._matures_at,
        )


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
