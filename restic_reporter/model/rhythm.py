"""
Learns from the times of a set's backups how old the newest one may be. Pure.

A set is late when its newest snapshot is nearly twice as old as the longest pause of an ordinary
week (one and a half times, if that is a week or more), and if its weeks are not alike, after four
weeks.

docs/rhythm.md tells what this means for each kind of job, and `python -m benchmarks.rhythm`
measures it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from operator import sub
from statistics import median, median_low

HOUR = 3600.0
DAY = 24 * HOUR
WEEK = 7 * DAY

# Two weeks, the latter up to its last day, show what weekends and nights are like.
_LEAST_SPAN = 13 * DAY
_LEAST_PAUSES = 6
# Fewer pauses of about a day may be alike by chance.
_SURE_PAUSES = 20

# A quarter of a year is looked at, so that old habits are forgotten; if that has few snapshots,
# as many as five runs of twelve paths. No more than a learning of some milliseconds can look at.
_WINDOW = 13 * WEEK
_FEWEST, _MOST = 60, 4000

# Nobody can tell a vacation from a stop. So sets whose weeks are not alike have time for one, and
# half a year to show their longest pauses.
_VACATION = 4 * WEEK
_HALF_YEAR = 26 * WEEK

# Few sets have more paths. So of as many pauses in a row, at least one lies between two runs.
_GROUP = 12
# Longer ones always do.
_LONGEST_WITHIN = 6 * HOUR


def runs(times: Sequence[float]) -> Sequence[float]:
    """
    Return when each run began. Snapshots of several paths made within one run are one run.

    A snapshot belongs to the run of the one before if the pause between them is less than a
    quarter of the longest pauses around, and than six hours.
    """
    return [times[place] for place in _begins(times)]


def learned_max_age(times: Sequence[float]) -> float | None:
    """
    Return how old a set's newest snapshot may be, in seconds; ``None`` if too little is known.

    ``times`` are those of all its known snapshots in Unix seconds, ascending.
    """
    if len(times) <= _LEAST_PAUSES or times[-1] - times[0] < _LEAST_SPAN:
        return None
    newest = times[-1]
    oldest = min(bisect_left(times, newest - _WINDOW), max(len(times) - _FEWEST, 0))
    recent = times[max(oldest, len(times) - _MOST) :]
    begins = _begins(recent)[1:]
    # A pause lasts from the last snapshot of a run to the first of the next.
    pauses = [recent[place] - recent[place - 1] for place in begins]
    ends = [recent[place] for place in begins]
    first = _first_of_rhythm(pauses)
    if len(pauses) - first >= _LEAST_PAUSES:
        age = _age(pauses, ends, first)
        if age is not None:
            # A set that was late twice in three weeks may have a new habit.
            lately = sorted(pauses[max(bisect_left(ends, newest - 3 * WEEK), first) :])
            return age if len(lately) < 2 or lately[-2] < age else 1.5 * lately[-2]
    if newest - times[0] < _HALF_YEAR:
        return None
    longest: float = max(map(sub, times[1:], times))
    return max(_VACATION, 1.5 * longest)


def _begins(times: Sequence[float]) -> list[int]:
    """Return the places of the snapshots that begin a run."""
    pauses: list[float] = list(map(sub, times[1:], times))
    # Groups are counted from the newest, as the oldest may not be whole.
    groups = range(len(pauses), 0, -_GROUP)
    longest = [max(pauses[max(end - _GROUP, 0) : end]) for end in groups]
    if len(longest) > 1 and len(pauses) % _GROUP:
        longest[-1] = longest[-2]
    begins = [0] if len(times) else []
    for number in range(len(longest) - 1, -1, -1):
        # The least of three, as an outage is no reason to take runs together.
        least = min(min(longest[max(number - 1, 0) : number + 2]) / 4, _LONGEST_WITHIN)
        begins += [
            place + 1
            for place in range(max(groups[number] - _GROUP, 0), groups[number])
            if pauses[place] >= least and pauses[place]
        ]
    return begins


def _first_of_rhythm(pauses: Sequence[float]) -> int:
    """
    Return the place of the oldest pause of the rhythm that the newest ones have.

    Before it was another habit, or retention has thinned what was there.
    """
    usual = median_low(pauses[-9:]) if pauses else 0.0
    in_a_row = 0
    for place, pause in enumerate(pauses):
        in_a_row = in_a_row + 1 if usual / 2 <= pause <= usual * 1.75 else 0
        if in_a_row == 3:
            return place - 2
    return len(pauses)


def _age(pauses: Sequence[float], ends: Sequence[float], first: int) -> float | None:
    """Return the age by the pauses from the first on, ``None`` if their weeks are not alike."""
    own, own_ends, newest = pauses[first:], ends[first:], ends[-1]
    usual = median(own)
    times = 2 if DAY / 2 < usual < 4 * DAY and len(own) < _SURE_PAUSES else 1
    if newest - own_ends[0] + own[0] < _LEAST_SPAN:
        # Retention has thinned all else. From so little, only what never rests can be known.
        longest = max(own)
        if longest > 2.5 * usual or not _never_rests(pauses, ends, first, usual):
            return None
        return times * max(_stretched(usual), min(1.5 * longest, 2 * usual), 1.1 * longest)
    weeks: dict[int, float] = {}
    for end, pause in zip(own_ends, own, strict=True):
        week = int((newest - end) // WEEK)
        weeks[week] = max(weeks.get(week, 0.0), pause)
    # One week in three may have had an outage or holidays, but for the first ones.
    ordinary = sorted(weeks.values(), reverse=True)[max(len(weeks) - 2, 0) // 3]
    if not _alike(own, own_ends, usual, ordinary):
        return None
    longest = max(pause for pause in own if pause <= 1.5 * ordinary)
    steady = max(_stretched(usual), 1.1 * longest)
    return times * (steady if steady < 2 * usual else _stretched(ordinary))


def _stretched(pause: float) -> float:
    """Return how long a pause may become."""
    if pause >= 5 * DAY:
        return 1.5 * pause
    # Of hourly backups hundreds are known, so that their longest pause is too.
    return 1.9 * pause if pause > 3 * HOUR else 1.4 * pause


def _never_rests(pauses: Sequence[float], ends: Sequence[float], first: int, usual: float) -> bool:
    """Whether what retention has left was made on each day, at the same time of day."""
    near = min(1.5 * usual, DAY / 3)
    # The newest of the thinned pauses ends within what is complete, so it has any length.
    old = pauses[bisect_left(ends, ends[-1] - 5 * WEEK) : max(first - 1, 0)]
    odd = sum(abs(pause - round(pause / DAY) * DAY) > near for pause in old)
    lately = pauses[bisect_left(ends, ends[-1] - 5 * DAY - usual / 2) :]
    return max(lately) <= DAY + near and odd * 2 <= len(old)


def _alike(pauses: Sequence[float], ends: Sequence[float], usual: float, ordinary: float) -> bool:
    """Whether nearly all runs have another one a week later, at about the same time."""
    if usual > 4 * DAY:
        odd = sum(not usual * 2 / 3 <= pause <= usual * 4 / 3 for pause in pauses)
        return odd * 4 <= len(pauses)
    odd = seen = place = 0
    for end in ends[: bisect_right(ends, ends[-1] - WEEK)]:
        later = end + WEEK
        while ends[place] < later - usual / 2:
            place += 1
        missing = ends[place] > later + usual / 2
        # An outage says nothing about the rhythm.
        if not missing or pauses[place] <= 3 * ordinary:
            seen += 1
            odd += missing
    return seen > 0 and odd * 10 <= seen
