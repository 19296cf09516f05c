"""
How often the learned maximum age gives a false alarm, and how soon it reports a stop.

    python -m benchmarks.rhythm --sets 2100

makes up sets of many kinds, lives through a year of each, and prints a Markdown table. A false
alarm is a set that becomes late while its job runs as it should. A delay is the time from the last
backup to the collection that finds the set late.
"""

import argparse
import random
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from statistics import quantiles
from time import perf_counter

from attrs import Factory, define

from benchmarks.rhythm_worlds import (
    BEFORE,
    DAY,
    DAYS,
    HOUR,
    KINDS,
    Kind,
    Retention,
    World,
    midnight,
    world,
)
from restic_reporter.model.rhythm import learned_max_age

_MANY = (("hourly", 24), ("daily", 7), ("weekly", 5), ("monthly", 12))
_FEW = (("daily", 7), ("weekly", 4), ("monthly", 6))

# What is known: from which day on all snapshots are, and what retention leaves of older ones.
MODES = {
    "state": (BEFORE, _MANY),
    "state from July on": (BEFORE + 180, _MANY),
    "no state": (DAYS + 1, _MANY),
    "no state, no hourly snapshots": (DAYS + 1, _FEW),
}


class Known:
    """The times that are known of a set, at any time."""

    def __init__(self, one: World, since: float, retentions: Sequence[Retention]) -> None:
        self._since, self._retentions = since, retentions
        self._times = array("I", self._left(since))
        self._times.extend(int(when) for when in one.times if when > since)

    def _left(self, now: float) -> list[int]:
        return sorted(set().union(*(one.left(now) for one in self._retentions)))

    def at(self, now: float) -> "array[int]":
        """Those that are known at a time."""
        if now < self._since:
            found = self._left(now)
            return array("I", found[bisect_right(found, now - 400 * DAY) :])
        last = bisect_right(self._times, now)
        return self._times[max(bisect_right(self._times, now - 400 * DAY), last - 10000) : last]


@define
class Result:
    """The sums of a kind and mode."""

    sets: int = 0
    alarms: int = 0
    nightly: int = 0
    worst: int = 0
    stops: int = 0
    delays: list[float] = Factory(list)


def judge(one: World, known: Known, phase: float, chance: random.Random, result: Result) -> None:
    """Live through the year of a set, with a collection each hour, and with one each midnight."""
    times = one.times[bisect_right(one.times, midnight(BEFORE)) :]
    half = range(len(times) // 2, len(times))
    stops = set(chance.sample(half, min(len(half), 4)))
    asked, limit, alarms = 0.0, None, 0
    for place, newest in enumerate(times):
        after = times[place + 1] if place + 1 < len(times) else newest
        # Nearly all pauses are far too short for an alarm, so what was learned may be older.
        long = after - newest > (0.9 * limit if limit is not None else 1.3 * one.pause)
        if place in stops or long or newest > asked + 3 * DAY:
            limit, asked = learned_max_age(known.at(newest)), newest
        if place in stops:
            result.stops += 1
            if limit is not None:
                told = newest + limit
                result.delays.append((told + (phase - told) % HOUR - newest) / one.pause)
        if limit is None or one.broken(newest, after):
            continue
        alarms += after - (after - phase) % HOUR > newest + limit
        result.nightly += after - (after - midnight(0)) % DAY > newest + limit
    result.sets += 1
    result.alarms += alarms
    result.worst = max(result.worst, alarms)


def simulate(sets: int, seed: int, only: str) -> Iterator[tuple[Kind, str, Result]]:
    """All kinds in all modes."""
    share = sum(kind.share for kind in KINDS)
    for kind in KINDS:
        if only not in kind.name:
            continue
        modes = list(MODES)[: 3 if kind.pause < DAY else 4]
        results = {mode: Result() for mode in modes}
        for number in range(round(sets * kind.share / share)):
            chance = random.Random(f"{seed} {kind.name} {number}")
            one, phase = world(kind, chance), chance.uniform(0, HOUR)
            kept = {
                keep: [Retention(path, keep) for path in one.paths]
                for keep in {MODES[mode][1] for mode in modes}
            }
            for mode, result in results.items():
                day, keep = MODES[mode]
                known = Known(one, midnight(day), kept[keep])
                judge(one, known, phase, random.Random(number), result)
        for mode, result in results.items():
            yield kind, mode, result


def row(kind: Kind, mode: str, result: Result) -> str:
    """A line of the table."""
    alarms = result.alarms / max(result.sets, 1)
    nightly = result.nightly / max(result.sets, 1)
    silent = 1 - len(result.delays) / max(result.stops, 1)
    middle, high = quantiles(result.delays, n=20)[9::9] if len(result.delays) > 1 else (0.0, 0.0)
    goals, met = [], True
    if kind.goal is not None:
        goals.append(f"alarms ≤ {kind.goal}")
        met = max(alarms, nightly) <= kind.goal
    # Six or seven daily snapshots are too few to be sure, which docs/rhythm.md says.
    if kind.delay is not None and "hourly" not in mode:
        goals.append(f"delay ≤ {kind.delay}")
        met = met and middle <= kind.delay
    cells = (
        kind.name, mode, result.sets, f"{alarms:.3f}", f"{nightly:.3f}", result.worst,
        f"{middle:.2f}", f"{high:.2f}", f"{silent:.0%}", ", ".join(goals),
        ("met" if met else "**not met**") if goals else "",
    )  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"


def speed() -> str:
    """How long learning takes."""
    found = []
    for count in (400, 10000):
        pause = 400 * DAY / count
        times = array("I", (int(1.7e9 + pause * place) for place in range(count)))
        begin = perf_counter()
        for _ in range(20):
            learned_max_age(times)
        found.append(f"{count:,} times {(perf_counter() - begin) * 50:.2f} ms")
    return "Learning from " + ", from ".join(found) + "."


def main() -> None:
    """Simulate, and show the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rhythm")
    parser.add_argument("--sets", type=int, default=2100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="only kinds with this in their name")
    options = parser.parse_args()
    print(
        "| kind | known | sets | false alarms a set and year | read at midnight | worst set"
        " | delay, median | delay, 95 % | silent | goals | |"
    )
    print("| --- | --- |" + " ---: |" * 7 + " --- | --- |")
    total = 0
    for kind, mode, result in simulate(options.sets, options.seed, options.only):
        total += result.sets if mode == "state" else 0
        print(row(kind, mode, result), flush=True)
    print(f"\n{total:,} sets, seed {options.seed}. {speed()}")


if __name__ == "__main__":
    main()
