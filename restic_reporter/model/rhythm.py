"""
Learns from the times of a set's backups when the next one is late. Pure.

A set is late when its newest snapshot is nearly twice as old as the longest pause of an ordinary
week; where pauses are a week or longer, one and a half times.

"""

from bisect import bisect_left
from collections.abc import Sequence
from statistics import median, median_low

DAY = 86400.0
WEEK = 7 * DAY

# Nothing is learned from less: two weeks show what weekends and nights are like.
_LEAST_SPAN = 13 * DAY
_LEAST_PAUSES = 6

# What is looked at: a quarter of a year, or for rare backups as many pauses.
_WINDOW = 13 * WEEK
_RARE_PAUSES = 10

# Nobody can tell a vacation from a stop, so irregular sets have time for one.
_VACATION = 4 * WEEK
_HALF_YEAR = 26 * WEEK

# Snapshots in a row of which at least one began a new run.
_GROUP = 6


def runs(times: Sequence[float]) -> Sequence[float]:
    """
    Return when each run began. Snapshots of several paths made within one run are one run.

    A snapshot belongs to the run before if the pause between them is less than a quarter of the
    longest around it.
    """
    return [start for start, _ in _runs(times)]


def _runs(times: Sequence[float]) -> list[tuple[float, float]]:
    """Return the beginning and the end of each run."""
    pauses = [after - before for before, after in zip(times, times[1:], strict=False)]
    # Groups count from the newest, so that a full one is there.
    first = len(pauses) % _GROUP
    bounds = [*([0] if first else []), *range(first, len(pauses), _GROUP)]
    longest = [max(pauses[at : at + _GROUP]) for at in bounds]
    if first and len(longest) > 1:
        longest[0] = max(pauses[:_GROUP])
    found: list[tuple[float, float]] = []
    if len(times) > 0:
        found.append((times[0], times[0]))
    for place, pause in enumerate(pauses):
        group = (place - first) // _GROUP + bool(first)
        around = min(longest[max(group - 1, 0) : group + 2])
        after = times[place + 1]
        if pause * 4 < around or not pause:
            found[-1] = (found[-1][0], after)
        else:
            found.append((after, after))
    return found


def learned_max_age(times: Sequence[float]) -> float | None:
    """
    Return how old the newest snapshot of a set may be, in seconds; ``None`` if too little is known.

    ``times`` are those of all its known snapshots in Unix seconds, ascending.
    """
    known = _runs(times)
    pauses = [after[0] - before[1] for before, after in zip(known, known[1:], strict=False)]
    starts = [start for start, _ in known[1:]]
    if len(pauses) < _LEAST_PAUSES or starts[-1] - known[0][0] < _LEAST_SPAN:
        return None
    first = _first_of_rhythm(pauses, starts)
    if len(pauses) - first >= _LEAST_PAUSES:
        age = _regular(pauses[first:], starts[first:])
        if age is not None:
            return age
    if starts[-1] - starts[0] < _HALF_YEAR:
        return None
    return max(_VACATION, 1.5 * max(pauses))


def _first_of_rhythm(pauses: Sequence[float], starts: Sequence[float]) -> int:
    """
    Return the place of the first pause of the rhythm that the newest ones have.

    Before it there was another habit, or retention has thinned what there was.
    """
    usual = median_low(pauses[-9:])
    since = starts[-1] - _WINDOW
    first = min(bisect_left(starts, since), max(len(pauses) - _RARE_PAUSES, 0))

    def alike(place: int) -> bool:
        return usual / 2 <= pauses[place] <= usual * 2

    for place in range(first, len(pauses) - 4):
        if alike(place) and sum(map(alike, range(place, place + 5))) >= 3:
            return place
    return len(pauses)


def _regular(pauses: Sequence[float], starts: Sequence[float]) -> float | None:
    """Return the age for a set each of whose weeks is like the one before, else ``None``."""
    newest, usual = starts[-1], median(pauses)
    if newest - starts[0] + pauses[0] < _LEAST_SPAN:
        return None
    longest: dict[int, float] = {}
    for start, pause in zip(starts, pauses, strict=True):
        week = int((newest - start) // WEEK)
        longest[week] = max(longest.get(week, 0.0), pause)
    ordinary = sorted(longest.values())[(len(longest) * 3 - 1) // 4]
    if not _repeats(pauses, starts, usual, ordinary):
        return None
    if _factor(usual) * usual >= 1.2 * ordinary:
        return _factor(usual) * usual
    return _factor(ordinary) * ordinary


def _factor(pause: float) -> float:
    return 1.9 if pause < 5 * DAY else 1.5


def _repeats(
    pauses: Sequence[float], starts: Sequence[float], usual: float, ordinary: float
) -> bool:
    if usual > 4 * DAY:
        odd = sum(not usual * 2 / 3 <= pause <= usual * 4 / 3 for pause in pauses)
        return odd * 4 <= len(pauses)
    odd = seen = 0
    for start in starts:
        later = start + WEEK
        if later > starts[-1]:
            break
        place = bisect_left(starts, later - usual / 2)
        if place == len(starts):
            break
        if starts[place] > later + usual / 2 and pauses[place] > 2 * ordinary:
            continue
        seen += 1
        odd += starts[place] > later + usual / 2
    return seen > 0 and odd * 10 <= seen
