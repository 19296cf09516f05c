"""
How often a learned maximum age gives a false alarm, and how soon it tells of a stop.

    python -m benchmarks.rhythm --sets 2400

makes up sets of many kinds over a year, and prints a table.
"""

import argparse
import random
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from statistics import quantiles

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

RETENTIONS = (
    (("hourly", 24), ("daily", 7), ("weekly", 5), ("monthly", 12)),
    (("daily", 7), ("weekly", 4), ("monthly", 6)),
)
# What is known: from when on all snapshots are.
MODES = {"state": BEFORE, "state from July on": BEFORE + 180, "no state": DAYS + 1}


class Known:
    """The times that are known of a set, at any time."""

    def __init__(self, one: World, mode: str, keep: Sequence[tuple[str, int]]) -> None:
        self._retentions = [Retention(path, keep) for path in one.paths]
        self._since = midnight(MODES[mode])
        before = self._left(self._since)
        self._times = array("I", before)
        self._times.extend(int(when) for when in one.times if when > self._since)

    def _left(self, now: float) -> list[int]:
        return sorted(map(int, set().union(*(one.left(now) for one in self._retentions))))

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
    untold: int = 0
    delays: list[float] = Factory(list)


def judge(one: World, known: Known, phase: float, chance: random.Random, result: Result) -> None:
    """Live through the year of a set, with a collection each hour, and with one each midnight."""
    times = one.times[bisect_right(one.times, midnight(BEFORE)) :]
    half = range(len(times) // 2, len(times))
    stops = set(chance.sample(half, min(len(half), 4)))
    asked, limit, alarms = -1000, None, 0
    for place, newest in enumerate(times):
        after = times[place + 1] if place + 1 < len(times) else newest
        # Most pauses are far too short for an alarm.
        long = after - newest > (0.75 * limit if limit is not None else 1.3 * one.pause)
        if place in stops or long or place > asked + 40:
            limit, asked = learned_max_age(known.at(newest)), place
        if place in stops:
            if limit is None:
                result.untold += 1
            else:
                told = newest + limit
                result.delays.append((told + (phase - told) % HOUR - newest) / one.pause)
        if limit is None or one.broken(newest, after):
            continue
        alarms += after - (after - phase) % HOUR > newest + limit
        result.nightly += after - (after - midnight(0)) % DAY > newest + limit
    result.sets += 1
    result.alarms += alarms
    result.worst = max(result.worst, alarms)


def simulate(sets: int, seed: int, only: str | None) -> Iterator[tuple[Kind, str, Result]]:
    """All kinds in all modes."""
    share = sum(kind.share for kind in KINDS)
    for kind in KINDS:
        if only and only not in kind.name:
            continue
        results: dict[str, Result] = {mode: Result() for mode in MODES}
        for number in range(round(sets * kind.share / share)):
            chance = random.Random(f"{seed} {kind.name} {number}")
            one = world(kind, chance)
            keep, phase = (
                chance.choice(RETENTIONS[: 1 if kind.pause < DAY else 2]),
                chance.uniform(0, HOUR),
            )
            for mode, result in results.items():
                judge(one, Known(one, mode, keep), phase, random.Random(number), result)
        for mode, result in results.items():
            yield kind, mode, result


def main() -> None:
    """Simulate, and show the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rhythm")
    parser.add_argument("--sets", type=int, default=2400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only")
    options = parser.parse_args()
    print(
        "| kind | mode | sets | false alarms | worst | read at midnight | delay median | delay 95 % | untold | met |"
    )
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |")
    for kind, mode, result in simulate(options.sets, options.seed, options.only):
        alarms = result.alarms / max(result.sets, 1)
        delays = result.delays
        middle, high = quantiles(delays, n=20)[9::9] if len(delays) > 1 else (0.0, 0.0)
        met = alarms <= kind.goal and (kind.delay is None or middle <= kind.delay)
        told = result.untold / max(result.untold + len(delays), 1)
        print(
            f"| {kind.name} | {mode} | {result.sets} | {alarms:.3f} | {result.worst} | {result.nightly / max(result.sets, 1):.3f} | {middle:.2f} |"
            f" {high:.2f} | {told:.0%} | {'met' if met else '**no**'} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
