"""
How often the alerts on anomalies are false, and which faults they find after how many backups.

    python -m benchmarks.anomalies --sets 1000

makes up sets of many kinds, lives through a year of each, and prints two Markdown tables. A false
alarm is an alert in a year without a fault.
"""

import argparse
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import quantiles

from attrs import Factory, define

from benchmarks.anomaly_faults import FAULTS, struck
from benchmarks.anomaly_kinds import KINDS, Kind, backups
from benchmarks.anomaly_rules import RULES, Seen, Series, begins
from benchmarks.anomaly_worlds import FIRST, LAST, WARM, Backup, Random
from benchmarks.rhythm_worlds import DAY, HOUR, Retention, midnight
from restic_reporter.model.anomalies import MOST_BEFORE, ratios
from restic_reporter.model.snapshots import Summary

Keep = Sequence[tuple[str, int]]

_KEPT: tuple[Keep | None, ...] = (
    None,
    (("daily", 7),),
    (("hourly", 24), ("daily", 7), ("weekly", 5), ("monthly", 12)),
    (("daily", 7), ("weekly", 4), ("monthly", 6)),
)

# Days and backups that are looked at after a fault.
_AFTER = 30
_FAULTS_OF_SET = 3

ANY = "any"


@define
class Result:
    """The sums of a kind; ``found`` has the backups until an alarm, by fault and rule."""

    sets: int = 0
    alarms: Counter[str] = Factory(Counter)
    worst: int = 0
    struck: Counter[str] = Factory(Counter)
    found: dict[tuple[str, str], list[int]] = Factory(dict)

    def add(self, other: "Result") -> None:
        """Add those of another kind."""
        self.sets += other.sets
        self.alarms += other.alarms
        self.worst = max(self.worst, other.worst)
        self.struck += other.struck
        for name, delays in other.found.items():
            self.found.setdefault(name, []).extend(delays)


class _Left:
    """What retention leaves of the snapshots of a list of paths."""

    def __init__(self, made: Sequence[Backup], places: Sequence[int], keep: Keep) -> None:
        self._place_of = {int(made[place].when): place for place in places}
        self._kept = Retention([made[place].when for place in places], keep)

    def at(self, now: float) -> list[int]:
        """Their places, at a time."""
        return [self._place_of[one] for one in self._kept.left(now)]


class Set:
    """A set of a kind: its backups, and which snapshots each of them is compared with."""

    def __init__(self, kind: Kind, chance: Random) -> None:
        self.made = backups(kind, chance)
        self._phase = chance.uniform(0, HOUR)
        keep = chance.choice(_KEPT)
        self._changing = kind.lists == 0
        lists: dict[int, list[int]] = {}
        for place, one in enumerate(self.made):
            lists.setdefault(one.paths, []).append(place)
        # Each list of paths is kept for itself, so of those that always change nothing goes.
        self._left = (
            {}
            if self._changing or keep is None
            else {paths: _Left(self.made, places, keep) for paths, places in lists.items()}
        )
        self._before = [self._compared(place) for place in range(len(self.made))]

    def _compared(self, place: int) -> Sequence[int]:
        """As `restic_reporter.model.table_sets` chooses the snapshots to compare with."""
        when, paths = self.made[place].when, self.made[place].paths
        if not self._left:
            recent = [
                one
                for one in range(max(place - 4 * MOST_BEFORE, 0), place)
                if self._changing or self.made[one].paths == paths
            ]
            return recent[-MOST_BEFORE:]
        left = self._left[paths]
        return [one for one in sorted(left.at(when)) if one < place][-MOST_BEFORE:]

    def count(self, place: int, until: float) -> int:
        """How many backups of the same paths were made from one on, up to a time."""
        paths = self.made[place].paths
        last = bisect_right(self.made, until, key=lambda one: one.when)
        return sum(one.paths == paths or self._changing for one in self.made[place:last])

    def seen(self, summaries: Sequence[Summary], first: int, last: int) -> list[Seen]:
        """What hourly collections see from one backup on, and before another."""
        found = []
        for place in range(first, last):
            when = self.made[place].when
            read = when + HOUR - (when - self._phase) % HOUR
            if place + 1 < last and self.made[place + 1].when <= read:
                continue
            before = [summaries[one] for one in self._before[place]]
            found.append(Seen(read, summaries[place], ratios(summaries[place], before)))
        return found


def judge(kind: Kind, chance: Random, result: Result) -> None:
    """Live through a year of a set without faults, then with some."""
    one = Set(kind, chance)
    plain = [backup.summary for backup in one.made]
    ordinary = one.seen(plain, 0, len(plain))
    series = Series(ordinary)
    alarms = Counter({name: len([*begins(rule, series, 0.0)]) for name, rule in RULES.items()})
    result.sets += 1
    result.alarms += alarms
    result.worst = max(result.worst, alarms.total())
    whens = [backup.when for backup in one.made]
    first = bisect_right(whens, midnight(FIRST + WARM))
    last = bisect_right(whens, midnight(LAST - _AFTER - 10))
    for name, fault in FAULTS.items():
        for _ in range(_FAULTS_OF_SET):
            place = chance.randrange(first, last)
            begin = whens[place]
            end = bisect_right(whens, begin + _AFTER * DAY)
            rest = struck(one.made[place:end], fault, kind.data, chance)
            since = bisect_left(ordinary, begin - 20 * DAY, key=lambda seen: seen.when)
            until = bisect_left(ordinary, begin, key=lambda seen: seen.when)
            faulty = [*plain[:place], *rest]
            series = Series([*ordinary[since:until], *one.seen(faulty, place, end)])
            result.struck[name] += 1
            delays = []
            for rule_name, rule in RULES.items():
                told = next(begins(rule, series, begin), None)
                if told is not None:
                    delays.append(one.count(place, told))
                    result.found.setdefault((name, rule_name), []).append(delays[-1])
            if delays:
                result.found.setdefault((name, ANY), []).append(min(delays))


def simulate(sets: int, seed: int, only: str) -> Iterator[tuple[Kind, Result]]:
    """All kinds."""
    share = sum(kind.share for kind in KINDS)
    for kind in KINDS:
        if only not in kind.name:
            continue
        result = Result()
        for number in range(max(round(sets * kind.share / share), 1)):
            judge(kind, Random(f"{seed} {kind.name} {number}"), result)
        yield kind, result


def alarms_row(name: str, result: Result) -> str:
    """A line of the table of false alarms."""
    years = result.sets * (LAST - FIRST) / 365
    alarms = [result.alarms[rule] for rule in RULES]
    cells = [f"{one / years:.3f}" for one in (*alarms, sum(alarms))]
    return f"| {name} | {result.sets} | {' | '.join(cells)} | {result.worst} |"


def faults_row(name: str, result: Result) -> str:
    """A line of the table of faults."""
    cells = []
    for rule in (*RULES, ANY):
        found = len(result.found.get((name, rule), ()))
        cells.append(f"{found / result.struck[name]:.0%}")
    delays = result.found.get((name, ANY), [])
    middle, high = quantiles(delays, n=20)[9::9] if len(delays) > 1 else (0.0, 0.0)
    return f"| {name} | {' | '.join(cells)} | {middle:.0f} | {high:.0f} |"


def kinds_row(kind: Kind, result: Result) -> str:
    """A line of the table of what is found of each kind."""
    cells = [
        f"{len(result.found.get((fault, ANY), ())) / result.struck[fault]:.0%}" for fault in FAULTS
    ]
    return f"| {kind.name} | {' | '.join(cells)} |"


def main() -> None:
    """Simulate, and show the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.anomalies")
    parser.add_argument("--sets", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="only kinds with this in their name")
    options = parser.parse_args()
    total, every, found = Result(), Result(), []
    print(f"| kind | sets | {' | '.join(map('`{}`'.format, RULES))} | all | worst set |")
    print("| --- |" + " ---: |" * (len(RULES) + 3))
    for kind, result in simulate(options.sets, options.seed, options.only):
        print(alarms_row(kind.name if kind.goal else f"{kind.name} (no goal)", result), flush=True)
        found.append(kinds_row(kind, result))
        every.add(result)
        if kind.goal:
            total.add(result)
    print(alarms_row("**all with a goal**", total))
    print(alarms_row("all", every))
    print(f"\n| fault | {' | '.join(map('`{}`'.format, RULES))} | any | backups, median | 95 % |")
    print("| --- |" + " ---: |" * (len(RULES) + 3))
    for name in FAULTS:
        print(faults_row(name, total))
    print(f"\n| kind | {' | '.join(FAULTS)} |")
    print("| --- |" + " ---: |" * len(FAULTS))
    print(*found, sep="\n")
    print(f"\n{total.sets:,} sets with a goal, seed {options.seed}.")


if __name__ == "__main__":
    main()
