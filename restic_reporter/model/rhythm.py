"""
Learns from the times of a set's backups when the next one is late. Pure.

A set is late when its newest snapshot is nearly twice as old as the longest pause of an ordinary
week; one and a half times where backups are hourly, weekly or rarer; and four weeks old where no
week is like the next.

docs/rhythm.md says what this means for each kind of job.
"""

from bisect import bisect_left
from collections.abc import Sequence
from operator import sub
from statistics import median, median_low

HOUR = 3600.0
DAY = 24 * HOUR
WEEK = 7 * DAY

# Two weeks show what weekends and nights are like, and less does not.
_LEAST_SPAN = 13 * DAY
_LEAST_PAUSES = 6
_MANY = 20

# Only a quarter of a year is looked at, so that old habits are forgotten; of rare backups more.
_WINDOW = 13 * WEEK
_RARE = 60

# Nobody can tell a vacation from a stop: sets without a rhythm have time for one, once half a
# year has shown their longest pauses.
_VACATION = 4 * WEEK
_HALF_YEAR = 26 * WEEK

# A pause may be longer by this part than one seen before.
_MARGIN = 1.1

# Among so many snapshots in a row, one begins a run: few hosts have more paths.
_GROUP = 6


def runs(times: Sequence[float]) -> Sequence[float]:
    """
    Return when each run began. Snapshots of several paths made within one run are one run.

    A snapshot belongs to the run of the one before if the pause between them is less than a
    quarter of the longest pauses around.
    """
    return [times[place] for place in _begins(times)]


def _begins(times: Sequence[float]) -> list[int]:
    """Return the places of the snapshots that begin a run."""
    pauses: list[float] = list(map(sub, times[1:], times))
    # Groups are counted from the newest, as the oldest may be without a whole one.
    groups = range(len(pauses), 0, -_GROUP)
    longest = [max(pauses[max(end - _GROUP, 0) : end]) for end in groups]
    if len(longest) > 1 and len(pauses) % _GROUP:
        longest[-1] = longest[-2]
    begins = [0] if len(times) else []
    for number in range(len(longest) - 1, -1, -1):
        # The least of three, as an outage is no reason to take runs together.
        least = min(longest[max(number - 1, 0) : number + 2]) / 4
        end = groups[number]
        begins += [
            place + 1
            for place in range(max(end - _GROUP, 0), end)
            if pauses[place] >= least and pauses[place]
        ]
    return begins


def learned_max_age(times: Sequence[float]) -> float | None:
    """
    Return how old a set's newest snapshot may be, in seconds; ``None`` if too little is known.

    ``times`` are those of all its known snapshots in Unix seconds, ascending.
    """
    if len(times) <= _LEAST_PAUSES or times[-1] - times[0] < _LEAST_SPAN:
        return None
    newest = times[-1]
    recent = times[min(bisect_left(times, newest - _WINDOW), max(len(times) - _RARE, 0)) :]
    begins = _begins(recent)
    # A pause lasts from the last snapshot of a run to the first of the next.
    pauses = [recent[place] - recent[place - 1] for place in begins[1:]]
    ends = [recent[place] for place in begins[1:]]
    first = _first_of_rhythm(pauses)
    if len(pauses) - first >= _LEAST_PAUSES:
        age = _rhythmic(pauses, ends, first)
        if age is not None:
            # A set that was late twice in three weeks may have a new habit.
            lately = sorted(pauses[max(bisect_left(ends, newest - 3 * WEEK), first) :])
            return age if len(lately) < 2 or lately[-2] < age else 1.5 * lately[-2]
    if newest - times[0] < _HALF_YEAR:
        return None
    longest: float = max(map(sub, times[1:], times))
    return max(_VACATION, 1.5 * longest)


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


def _rhythmic(pauses: Sequence[float], ends: Sequence[float], first: int) -> float | None:
    """Return the age for a set whose weeks are alike since a pause, else ``None``."""
    newest, usual = ends[-1], median(pauses[first:])
    # Twice the time where so few pauses may be alike by chance.
    sure = 1 if usual > 4 * DAY or len(pauses) - first >= _MANY else 2
    if newest - ends[first] + pauses[first] < _LEAST_SPAN:
        # Thinned by retention. Only what never rests can be known from so little.
        longest = max(pauses[first:])
        if longest > 2.5 * usual or not _each_day(pauses, ends, first, usual):
            return None
        return sure * max(_factor(usual) * usual, 1.5 * longest)
    weeks: dict[int, float] = {}
    for end, pause in zip(ends[first:], pauses[first:], strict=True):
        week = int((newest - end) // WEEK)
        weeks[week] = max(weeks.get(week, 0.0), pause)
    # A third of the weeks may have had outages or holidays, but for the first ones.
    longest = sorted(weeks.values(), reverse=True)[max(len(weeks) - 2, 0) // 3]
    if not _repeats(pauses[first:], ends[first:], usual, longest):
        return None
    most = max(pause for pause in pauses[first:] if pause <= 1.5 * longest)
    age = max(_factor(usual) * usual, _MARGIN * most)
    return sure * (age if age < 2 * usual else _factor(longest) * longest)


def _factor(pause: float) -> float:
    return 1.9 if 3 * HOUR < pause < 5 * DAY else 1.5


def _each_day(pauses: Sequence[float], ends: Sequence[float], first: int, usual: float) -> bool:
    """Whether what retention has left shows backups at the same time of each day or week."""
    near = min(1.5 * usual, DAY / 3)
    # The newest of the thinned pauses ends within what is complete, so it has any length.
    old = pauses[bisect_left(ends, ends[-1] - 5 * WEEK) : first - 1]
    odd = sum(abs(pause - round(pause / DAY) * DAY) > near for pause in old)
    week = pauses[bisect_left(ends, ends[-1] - 5 * DAY - usual / 2) :]
    return max(week) <= DAY + near and odd * 4 <= len(old)


def _repeats(pauses: Sequence[float], ends: Sequence[float], usual: float, longest: float) -> bool:
    """Whether nearly each run has another one a week later at about the same time."""
    if usual > 4 * DAY:
        odd = sum(not usual * 2 / 3 <= pause <= usual * 4 / 3 for pause in pauses)
        return odd * 4 <= len(pauses)
    odd = seen = place = 0
    for end in ends[: bisect_left(ends, ends[-1] - WEEK + 1)]:
        later = end + WEEK
        while ends[place] < later - usual / 2:
            place += 1
        missing = ends[place] > later + usual / 2
        # An outage says nothing about the rhythm.
        if not missing or pauses[place] <= 3 * longest:
            seen += 1
            odd += missing
    return seen > 0 and odd * 10 <= seen
