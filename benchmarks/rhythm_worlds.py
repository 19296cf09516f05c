"""Makes up the backups of sets over two years, for the benchmark of the rhythm."""

import random
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from attrs import frozen

HOUR = 3600.0
DAY = 24 * HOUR
WEEK = 7 * DAY
MONTH = 30.44 * DAY

_ZONE = ZoneInfo("Europe/Berlin")
_FIRST = datetime(2023, 1, 2)

# Days of a world: those that are known at its beginning, and the year that is judged.
BEFORE, YEAR = 400, 365
DAYS = BEFORE + YEAR

# Public holidays with fixed dates, and the distance of the others from Easter Sunday.
_FIXED = ((1, 1), (5, 1), (10, 3), (11, 1), (12, 25), (12, 26))
_EASTER = {2023: (4, 9), 2024: (3, 31), 2025: (4, 20)}
_FROM_EASTER = (-2, 1, 39, 50, 60)


@cache
def midnight(day: int) -> float:
    """When a local day begins, in Unix seconds."""
    return (_FIRST + timedelta(days=day)).replace(tzinfo=_ZONE).timestamp()


def at(day: int, hour: float) -> float:
    """A local time; days are 23 or 25 hours long twice a year."""
    return midnight(day) + hour * HOUR if hour < 2 else midnight(day + 1) - (24 - hour) * HOUR


@cache
def holidays() -> frozenset[int]:
    """The public holidays, as numbers of days."""
    dates = [datetime(year, *one) for year in _EASTER for one in _FIXED]
    for year, easter in _EASTER.items():
        dates += [datetime(year, *easter) + timedelta(days=days) for days in _FROM_EASTER]
    return frozenset((one - _FIRST).days for one in dates)


def date(day: int) -> datetime:
    """The date of a day."""
    return _FIRST + timedelta(days=day)


@frozen
class World:
    """A set: its snapshots, its usual pause in seconds, and when it was out of order."""

    times: Sequence[float]
    pause: float
    outages: Sequence[tuple[float, float]] = ()
    paths: Sequence[Sequence[float]] = ()

    def broken(self, since: float, until: float) -> bool:
        """Whether the job was out of order at some time between."""
        return any(begin < until and end > since for begin, end in self.outages)


@frozen
class Kind:
    """A kind of job: how its runs are made, its usual pause, and what its sets have besides."""

    name: str
    make: Callable[[random.Random], list[float]]
    pause: float
    spread: float = 2 * HOUR
    outages: bool = True
    goal: float | None = 0.05
    delay: float | None = None
    share: float = 1.0


def jitter(chance: random.Random, hours: float) -> Callable[[], float]:
    """Delays of a job in hours: uniform or exponential ones, or nearly none."""
    return chance.choice(
        [
            lambda: chance.uniform(-hours, hours),
            lambda: chance.expovariate(1.5 / hours),
            lambda: chance.uniform(0, hours / 20),
        ]
    )


def hourly(chance: random.Random) -> list[float]:
    """Each hour, up to a quarter of an hour early or late, or late by minutes on average."""
    width, mean, first = chance.uniform(0.15, 0.25), chance.uniform(1, 5) / 60, chance.random()
    late = chance.choice(
        [
            lambda: chance.uniform(-width, width),
            lambda: chance.expovariate(1 / mean),
            lambda: chance.uniform(0, 0.02),
        ]
    )
    begin = midnight(0)
    return [begin + (hour + first + late()) * HOUR for hour in range(DAYS * 24)]


def six_hourly(chance: random.Random) -> list[float]:
    """Four times a day, in local time."""
    late, first = jitter(chance, 0.5), 1 + chance.random()
    return [at(day, first + 6 * part + late()) for day in range(DAYS) for part in range(4)]


def office(chance: random.Random) -> list[float]:
    """Each hour of working days."""
    late, begin, end = jitter(chance, 0.2), chance.randint(6, 9), chance.randint(16, 20)
    days = working_days()
    return [at(day, hour + late()) for day in days for hour in range(begin, end + 1)]


def daily(chance: random.Random) -> list[float]:
    """Each day."""
    late, hour = jitter(chance, 3), chance.uniform(0, 24)
    return [at(day, hour) + late() * HOUR for day in range(DAYS)]


def working_days(away: bool = False) -> list[int]:
    """Mondays to Fridays without public holidays, and perhaps without those after Christmas."""
    return [
        day
        for day in range(DAYS)
        if day % 7 < 5
        and day not in holidays()
        and not (away and (date(day).month, date(day).day) >= (12, 24))
    ]


def workdays(chance: random.Random, away: bool = False) -> list[float]:
    """Each working day."""
    late, hour = jitter(chance, 2), chance.uniform(3, 21)
    return [at(day, hour) + late() * HOUR for day in working_days(away)]


def closed(chance: random.Random) -> list[float]:
    """Each working day, but for a week at the end of the year."""
    return workdays(chance, away=True)


def weekly(chance: random.Random) -> list[float]:
    """Each week, or each second one."""
    late, hour = jitter(chance, 6), chance.uniform(6, 18)
    return [at(day, hour) + late() * HOUR for day in range(chance.randrange(7), DAYS, 7)]


def monthly(chance: random.Random) -> list[float]:
    """On one day of each month, or on its first Sunday."""
    late, hour = jitter(chance, 6), chance.uniform(6, 18)
    day, sunday = chance.randint(1, 28), chance.random() < 0.3
    return [
        at(one, hour) + late() * HOUR
        for one in range(DAYS)
        if (date(one).day <= 7 and one % 7 == 6 if sunday else date(one).day == day)
    ]


def _away(chance: random.Random) -> list[tuple[float, float]]:
    """One to three vacations in each year."""
    found = []
    for year in range(-(-DAYS // 365)):
        for _ in range(chance.randint(1, 3)):
            begin = 365 * year + chance.randrange(365)
            found.append((midnight(begin), midnight(begin) + chance.uniform(7, 21) * DAY))
    return found


def laptop(chance: random.Random) -> list[float]:
    """A computer that comes and goes, with vacations."""
    habit = chance.choice([_some_days, _some_workdays, _gaps, _sessions])
    away = _away(chance)
    return [one for one in habit(chance) if not any(begin < one < end for begin, end in away)]


def _some_days(chance: random.Random) -> Iterator[float]:
    share = chance.uniform(0.4, 0.9)
    for day in range(DAYS):
        if chance.random() < share:
            yield at(day, chance.triangular(7, 23))


def _some_workdays(chance: random.Random) -> Iterator[float]:
    share, hour = chance.uniform(0.5, 0.85), chance.uniform(7, 10)
    for day in working_days():
        if chance.random() < share:
            yield at(day, hour + chance.expovariate(1))


def _gaps(chance: random.Random) -> Iterator[float]:
    now, mean = midnight(0), chance.uniform(0.5, 3) * DAY
    while now < midnight(DAYS):
        now += 0.1 * DAY + chance.expovariate(1 / mean)
        yield now


def _sessions(chance: random.Random) -> Iterator[float]:
    """Hourly backups while it is on."""
    now, on = midnight(0), chance.uniform(3, 9)
    while now < midnight(DAYS):
        until = now + chance.expovariate(1 / on) * HOUR
        while now < until:
            now += HOUR * chance.uniform(0.98, 1.05)
            yield now
        now += chance.expovariate(1 / 20) * HOUR


def changing(before: str, after: str) -> Callable[[random.Random], list[float]]:
    """Another habit from some day of the judged year on."""
    makers = {"hourly": hourly, "daily": daily, "weekly": weekly, "workdays": workdays}

    def make(chance: random.Random) -> list[float]:
        when = midnight(BEFORE + chance.randint(20, 250))
        old = [one for one in makers[before](chance) if one < when]
        return old + [one for one in makers[after](chance) if one >= when]

    return make


KINDS = (
    Kind("hourly", hourly, HOUR, spread=0.1 * HOUR, delay=2.0, share=0.15),
    Kind("every 6 hours", six_hourly, 6 * HOUR, spread=HOUR, delay=2.0, share=0.5),
    Kind("daily", daily, DAY, delay=2.0, share=2),
    Kind("weekly", weekly, WEEK, delay=1.6),
    Kind("monthly", monthly, MONTH, delay=1.6),
    Kind("working days", workdays, DAY),
    Kind("working days, closed after Christmas", closed, DAY, goal=None, share=0.3),
    Kind("hourly in office hours", office, HOUR, spread=0.1 * HOUR, share=0.2),
    Kind("laptop", laptop, DAY, outages=False, goal=0.5, share=2),
    Kind("daily, then weekly", changing("daily", "weekly"), WEEK, goal=None, share=0.3),
    Kind("weekly, then daily", changing("weekly", "daily"), DAY, goal=None, share=0.3),
    Kind("daily, then hourly", changing("daily", "hourly"), HOUR, 0.1 * HOUR, goal=None, share=0.1),
    Kind("hourly, then daily", changing("hourly", "daily"), DAY, 0.1 * HOUR, goal=None, share=0.1),
)


def world(kind: Kind, chance: random.Random) -> World:
    """One set of a kind; some have several paths, and outages, and some are new."""
    starts = sorted(kind.make(chance))
    outages = []
    for _ in range(chance.choice([0, 0, 1, 1, 2, 3]) if kind.outages else 0):
        begin = midnight(0) + chance.uniform(0, DAYS) * DAY
        outages.append((begin, begin + chance.uniform(2, 21) * DAY))
    starts = [one for one in starts if not any(begin < one < end for begin, end in outages)]
    if chance.random() < 0.2:  # a new set
        starts = [one for one in starts if one > midnight(BEFORE)]
    count = chance.choice([1, 1, 1, 2, 3, 5])
    shifts = [0.0, *sorted(chance.uniform(60, kind.spread) for _ in range(count - 1))]
    paths = [[one + shift * chance.uniform(0.9, 1.1) for one in starts] for shift in shifts]
    return World(sorted(one for path in paths for one in path), kind.pause, outages, paths)


_MIDNIGHTS = [midnight(day) for day in range(DAYS + 60)]
_LEVELS = {"hourly": 0, "daily": 1, "weekly": 2, "monthly": 3}


@cache
def _buckets(hour: int) -> tuple[int, int, int, int]:
    """The hour, day, week and month that an hour since 1970 belongs to."""
    day = bisect_right(_MIDNIGHTS, hour * HOUR) - 1
    return hour, day, day // 7, date(day).year * 12 + date(day).month


class Retention:
    """What is left of a path's snapshots at any time, as ``restic forget --keep-…`` leaves it."""

    def __init__(self, times: Sequence[float], keep: Sequence[tuple[str, int]]) -> None:
        self._times = [int(one) for one in times]
        self._lasts = []
        for name, count in keep:
            level = _LEVELS[name]
            last = {_buckets(one // 3600)[level]: one for one in self._times}
            self._lasts.append((list(last.values()), count))

    def left(self, now: float) -> set[int]:
        """What is left at a time."""
        place = bisect_right(self._times, now)
        found = set(self._times[place - 1 : place])
        for lasts, count in self._lasts:
            place = bisect_right(lasts, now)
            # The newest is the last of its hour, day, week and month so far.
            room = count if found.issuperset(lasts[place - 1 : place]) else count - 1
            found.update(lasts[max(place - room, 0) : place])
        return found
