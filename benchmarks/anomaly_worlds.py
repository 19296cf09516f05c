"""Makes up backups over a year, for the benchmark of anomalies: their times, and what changes."""

import random
from collections.abc import Callable, Iterator, Sequence
from functools import cache

from attrs import define, field, frozen

from benchmarks.rhythm_worlds import BEFORE, DAY, HOUR, YEAR, at, date, holidays, laptop, midnight
from restic_reporter.model.snapshots import Summary

Random = random.Random

MB, GB = 1e6, 1e9

# Days before the judged year, which a new set needs to be known.
WARM = 30
FIRST = BEFORE - WARM
LAST = BEFORE + YEAR


@frozen
class Moment:
    """A backup: its time, the days since the one before, and the part of them that was worked."""

    when: float
    passed: float
    worked: float
    new_year: bool


@frozen
class Backup:
    """A snapshot: its time, statistics, and which list of paths it has."""

    when: float
    summary: Summary
    paths: int = 0


def day_of(when: float) -> int:
    """The day of a time, give or take an hour in summer."""
    return int((when - midnight(0)) // DAY)


@cache
def _worked_before(day: int) -> int:
    return sum(one % 7 < 5 and one not in holidays() for one in range(FIRST - 7, day))


def _worked(when: float) -> float:
    """Working days up to a time; they are from 8 to 18."""
    day = day_of(when)
    part = min(max((when - midnight(day)) / HOUR - 8, 0) / 10, 1)
    before, after = _worked_before(day), _worked_before(day + 1)
    return before + part * (after - before)


def moments(times: Sequence[float]) -> list[Moment]:
    """What has passed between the backups."""
    found = []
    before = times[0] - DAY
    for when in times:
        new_year = date(day_of(before)).year < date(day_of(when)).year
        worked = _worked(when) - _worked(before)
        found.append(Moment(when, (when - before) / DAY, worked, new_year))
        before = when
    return found


def hourly(chance: Random) -> list[float]:
    """Each hour."""
    return [at(day, hour + chance.random() / 9) for day in range(FIRST, LAST) for hour in range(24)]


def six_hourly(chance: Random) -> list[float]:
    """Four times a day."""
    return [at(day, 6 * part + chance.random()) for day in range(FIRST, LAST) for part in range(4)]


def daily(chance: Random) -> list[float]:
    """Each night, or each evening."""
    hour = chance.choice([1.5, 3, 20, 22])
    return [at(day, hour + chance.random()) for day in range(FIRST, LAST)]


def weekly(chance: Random) -> list[float]:
    """Each week."""
    return [at(day, 3 + chance.random()) for day in range(FIRST + chance.randrange(7), LAST, 7)]


def now_and_then(chance: Random) -> list[float]:
    """When a computer is on."""
    return sorted(one for one in laptop(chance) if midnight(FIRST) < one < midnight(LAST))


class Changes(dict[str, float]):
    """
    What has changed since the backup before, see `Source.backup`; absent means 0.

    Adding takes both together.
    """

    def __iadd__(self, other: dict[str, float]) -> "Changes":
        for name, number in other.items():
            self[name] = self.get(name, 0) + number
        return self


@define
class Source:
    """What is backed up: its files and their bytes."""

    files: float
    size: float
    _first: bool = field(default=True, init=False)

    def backup(
        self,
        new: float = 0,
        changed: float = 0,
        removed: float = 0,
        grown: float = 0,
        rewritten: float = 0,
        shrunk: float = 0,
    ) -> Summary:
        """
        Return the statistics of a backup after such changes since the one before.

        The first three are files, the others bytes: of new files, within old ones, of removed ones.
        Renamed files are new and removed, without bytes.
        """
        removed = min(removed, self.files)
        changed = min(changed, self.files - removed)
        unmodified = self.files - removed - changed
        self.size = max(self.size - shrunk, 0) + grown
        added = grown + min(rewritten, self.size)
        if self._first:
            new, changed, unmodified, added = self.files + new, 0, 0, self.size
            self._first = False
        self.files = new + changed + unmodified
        touched = round(new) + round(changed)
        return Summary(
            duration=60.0,
            processed_bytes=int(self.size),
            # Without new or changed files only folders are stored again, if one has lost some.
            added_bytes=int(added) + 1000 * touched if touched else 3000 * (removed >= 1),
            new_files=round(new),
            changed_files=round(changed),
            unmodified_files=round(unmodified),
        )

    def lost(self, part: float) -> dict[str, float]:
        """A removal of a part."""
        return {"removed": self.files * part, "shrunk": self.size * part}

    def came(self, part: float) -> dict[str, float]:
        """New data, as a part of what is there."""
        return {"new": self.files * part, "grown": self.size * part}

    def renamed(self, part: float) -> dict[str, float]:
        """Files that got another path; their content is known."""
        return {"new": self.files * part, "removed": self.files * part}

    def replaced(self, part: float) -> dict[str, float]:
        """Files whose whole content is another one."""
        return {"changed": self.files * part, "rewritten": self.size * part}


Life = Callable[[Random, Sequence[Moment]], Iterator[Summary]]


def happens(chance: Random, moment: Moment, a_year: float) -> bool:
    """Whether something that happens so often a year has happened since the backup before."""
    return chance.random() < moment.passed * a_year / 365


def much(chance: Random, middle: float, spread: float = 1.0) -> float:
    """A number with a heavy tail; its logarithm is spread."""
    return middle * chance.lognormvariate(0, spread)


def whole(chance: Random, mean: float) -> int:
    """A number of files with a mean: less than one at a time is one now and then."""
    return int(mean) + (chance.random() < mean % 1)


def usual(
    chance: Random, days: float, new: float, changed: float, grown: float, rewritten: float
) -> Changes:
    """Changes of ordinary days, a part of which goes again."""
    gone = chance.uniform(0.3, 0.95)
    files = whole(chance, much(chance, new) * days)
    touched = whole(chance, much(chance, changed) * days)
    more = much(chance, grown) * days if files else 0
    inside = much(chance, rewritten) * days if touched else 0
    return Changes(
        new=files, changed=touched, grown=more, rewritten=inside,
        removed=files * gone, shrunk=more * gone,
    )  # fmt: skip
