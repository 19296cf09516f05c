"""
Draws what the alerts on anomalies look at, and what `forget` leaves, with made-up sources.

    python -m benchmarks.anomaly_pictures docs

writes anomalies.svg, times.svg and retention.svg into that folder. The moments of the alerts are
those of the rules.
"""

import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from attrs import frozen

from benchmarks.anomalies import Set
from benchmarks.anomaly_faults import FAULTS, struck
from benchmarks.anomaly_kinds import KINDS
from benchmarks.anomaly_rules import RULES, Seen, Series, begins
from benchmarks.rhythm_worlds import DAY
from benchmarks.svg import LEFT, RIGHT, begin, line, text
from restic_reporter.model.anomalies import ADDED_ABOVE, VANISHED_BELOW

TOP, PLOT, PANEL = 92, 96, 176

# Days that are shown, and the one of the fault.
_DAYS, _FAULT = 36, 27


@frozen
class Panel:
    """The newest snapshots of a set: what is drawn of each, and its limit, if it has one."""

    name: str
    series: Series
    value: Callable[[Seen], float]
    limit: Callable[[Seen], float | None]
    words: Callable[[float], str]
    told: float
    rule: str


def _life(kind_name: str, fault: str, rule: str, seed: int) -> tuple[Series, float]:
    [kind] = [one for one in KINDS if one.name == kind_name]
    one = Set(kind, random.Random(seed))
    start = one.made[0].when
    place = sum(backup.when < start + _FAULT * DAY for backup in one.made)
    end = sum(backup.when < start + _DAYS * DAY for backup in one.made)
    summaries = [backup.summary for backup in one.made[:end]]
    summaries[place:] = struck(one.made[place:end], FAULTS[fault], kind.data, random.Random(seed))
    series = Series(one.seen(summaries, 0, end))
    told = next(begins(RULES[rule], series, one.made[place].when))
    return series, told


def panels() -> list[Panel]:
    """A disk that is not mounted, an encryption, and a frozen source."""
    gone, files, frozen_source = (
        _life("office file server", "disk not mounted", "ResticSourceVanished", 3),
        _life("office file server", "encrypted", "ResticNearlyEverythingChanged", 3),
        _life("mail server", "frozen", "ResticNothingChanged", 2),
    )

    def third(one: Seen) -> float | None:
        ratio = one.ratios.processed_bytes
        return one.size / ratio * VANISHED_BELOW if ratio else None

    return [
        Panel(
            "A disk is not mounted: bytes in the newest snapshot",
            gone[0], lambda one: one.size, third,
            lambda value: f"{value / 1e12:.1f} TB", gone[1], "ResticSourceVanished",
        ),
        Panel(
            "All files are encrypted: part of the bytes that is new",
            files[0], lambda one: min(one.added / max(one.size, 1), 1), lambda _: ADDED_ABOVE,
            lambda value: f"{100 * value:.0f} %", files[1], "ResticNearlyEverythingChanged",
        ),
        Panel(
            "A frozen source: new and changed files",
            frozen_source[0], lambda one: one.touched, lambda _: None,
            lambda value: f"{value:,.0f}", frozen_source[1], "ResticNothingChanged",
        ),
    ]  # fmt: skip


def anomalies() -> Iterator[str]:
    """The picture of the three rules."""
    drawn = panels()
    yield from begin(TOP + PANEL * len(drawn) - 24, "When a newest snapshot is odd", "three rules")
    yield '<rect class="age" x="16" y="43" width="14" height="12"/>'
    yield text(38, 54, "the newest snapshot")
    yield '<line class="limit" x1="196" y1="49" x2="216" y2="49"/>'
    yield text(224, 54, "its limit")
    yield '<line class="mark" x1="306" y1="43" x2="306" y2="55"/>'
    yield text(316, 54, "the alert begins")
    for number, panel in enumerate(drawn):
        yield from _panel(panel, TOP + PANEL * number)


def _panel(panel: Panel, top: float) -> Iterator[str]:
    shown = [one for one in panel.series.seen if one.ratios.files is not None]
    first, end = shown[0].when, shown[-1].when + DAY
    # The first snapshot of all is not shown: everything in it is new.
    most = 1.12 * max(max(panel.value(one), panel.limit(one) or 0) for one in shown)
    bottom = top + 20 + PLOT

    def x(when: float) -> float:
        return LEFT + (RIGHT - LEFT) * (min(when, end) - first) / (end - first)

    def y(value: float) -> float:
        return bottom - PLOT * value / most

    yield text(16, top + 8, panel.name, "name")
    yield text(RIGHT, top + 8, panel.rule, "told end")
    for part in (0, 0.5, 1):
        value = part * most / 1.12
        yield line("grid", LEFT, y(value), RIGHT, y(value))
        yield text(LEFT - 8, y(value) + 4, panel.words(value), "small end")
    steps, limits = [f"M{LEFT} {bottom}"], list[str]()
    ends = [*(one.when for one in shown[1:]), end]
    for one, after in zip(shown, ends, strict=True):
        steps.append(f"V{y(panel.value(one)):.1f}H{x(after):.1f}")
        limit = panel.limit(one)
        if limit is not None:
            begins_at = "" if limits else f"M{x(one.when):.1f} {y(limit):.1f}"
            limits.append(f"{begins_at}V{y(limit):.1f}H{x(after):.1f}")
    yield f'<path class="age" d="{"".join(steps)}V{bottom}Z"/>'
    yield f'<path class="limit" d="{"".join(limits)}"/>'
    yield line("mark", x(panel.told), top + 20, x(panel.told), bottom)
    for day in range(0, int((end - first) / DAY), 7):
        yield text(x(first + day * DAY), bottom + 18, f"day {day}", "small middle")


def times() -> Iterator[str]:
    """Which times of a snapshot are taken for real."""
    yield from begin(232, "When a time is given or forged", "the bounds of both checks")

    def x(hours: float) -> float:
        return LEFT + 60 + (RIGHT - LEFT - 90) * (hours + 6) / 66

    rows = (
        ("time of the snapshot", "backup_start in its summary", 0, -1, 1),
        ("stored in the repository", "time of the file, by the storage", 1, -1, 51),
    )
    for name, what, place, low, high in rows:
        top = 62 + 68 * place
        yield text(16, top + 2, name, "name")
        yield text(RIGHT, top + 2, f"against: {what}", "small end")
        yield line("grid", x(-6), top + 24, x(60), top + 24)
        yield (
            f'<rect class="age" x="{x(low):.1f}" y="{top + 14}"'
            f' width="{x(high) - x(low):.1f}" height="20"/>'
        )
        for far in (x(-6), x(high)):
            width = x(low) - x(-6) if far == x(-6) else x(60) - x(high)
            yield (
                f'<rect class="late" x="{far:.1f}" y="{top + 14}" width="{width:.1f}" height="20"/>'
            )
    top = 62
    for middle in (top + 24, top + 92):
        yield line("run", x(0), middle - 16, x(0), middle + 16)
    yield text(x(0), top + 128, "begin", "small middle")
    yield line("run", x(3), top + 76, x(3), top + 112)
    yield text(x(3) + 26, top + 128, "end of backup", "small")
    for hours in (-6, 24, 48):
        words = f"{abs(hours)} h {'before' if hours < 0 else 'later'}"
        yield text(x(hours), top + 128, words, "small middle")
    yield f'<rect class="age" x="16" y="{top + 142}" width="14" height="12"/>'
    yield text(38, top + 153, "as it should be")
    yield f'<rect class="late" x="166" y="{top + 142}" width="14" height="12"/>'
    yield text(188, top + 153, "counts as backdated")


def retention() -> Iterator[str]:
    """Snapshots of a repository whose forget stops."""
    yield from begin(
        TOP + PLOT + 60, "When forget stops", "number of snapshots, and what each day has removed"
    )
    kept, stop, days = 14, 16, 28
    counts, removed = [], []
    number = kept
    for day in range(days):
        number += 1
        gone = 1 if day < stop else 0
        number -= gone
        counts.append(number)
        removed.append(gone)
    told = stop - 1 + 7
    bottom = TOP + PLOT

    def x(day: float) -> float:
        return LEFT + (RIGHT - LEFT) * day / days

    def y(value: float) -> float:
        return bottom - PLOT * value / 30

    yield '<rect class="age" x="16" y="43" width="14" height="12"/>'
    yield text(38, 54, "snapshots")
    yield '<line class="run" x1="136" y1="43" x2="136" y2="55"/>'
    yield text(146, 54, "some were removed")
    yield '<line class="mark" x1="306" y1="43" x2="306" y2="55"/>'
    yield text(316, 54, "the alert begins")
    for value in (0, 10, 20):
        yield line("grid", LEFT, y(value), RIGHT, y(value))
        yield text(LEFT - 8, y(value) + 4, f"{value}", "small end")
    steps = [f"V{y(value):.1f}H{x(day + 1):.1f}" for day, value in enumerate(counts)]
    yield f'<path class="age" d="M{LEFT} {bottom}{"".join(steps)}V{bottom}Z"/>'
    for day, gone in enumerate(removed):
        if gone:
            yield line("run", x(day + 0.5), bottom + 3, x(day + 0.5), bottom + 13)
    yield line("mark", x(told + 0.5), TOP - 10, x(told + 0.5), bottom)
    yield text(x(told + 0.5) - 8, TOP, "ResticNothingRemoved, after a week", "told end")
    for day in range(0, days, 7):
        yield text(x(day), bottom + 30, f"day {day}", "small middle")


PICTURES: dict[str, Callable[[], Iterator[str]]] = {
    "anomalies": anomalies,
    "times": times,
    "retention": retention,
}


def draw(lines: Iterator[str]) -> str:
    """A picture."""
    return "\n".join([*lines, "</svg>", ""])


def main() -> None:
    """Draw the pictures into the folder that is named."""
    for name, lines in PICTURES.items():
        (Path(sys.argv[1]) / f"{name}.svg").write_text(draw(lines()))


if __name__ == "__main__":
    main()
