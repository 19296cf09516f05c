"""
Draws the age of a set's newest snapshot, and what was learned of it, with the real function.

    python -m benchmarks.rhythm_pictures docs/rhythm.svg
"""

import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from attrs import frozen

from benchmarks.rhythm_worlds import DAY, HOUR, at, midnight, working_days
from benchmarks.svg import LEFT, RIGHT, begin, line, text
from restic_reporter.model.rhythm import learned_max_age

TOP, PLOT, PANEL = 92, 118, 214


@frozen
class Panel:
    """One set: its backups up to a stop, and the days that are shown."""

    name: str
    times: Sequence[float]
    days: int
    step: int


def panels() -> list[Panel]:
    """A daily job, one of working days, and a laptop."""
    chance = random.Random(7)
    daily = [at(day, 2) + chance.uniform(0, 3) * HOUR for day in range(200)]
    daily = [one for one in daily if not midnight(180) < one < midnight(183)]
    working = [at(day, 20) + chance.uniform(0, 1) * HOUR for day in working_days() if day < 130]
    laptop = [
        at(day, chance.triangular(8, 22))
        for day in range(340)
        if chance.random() < 0.6 and not 230 < day < 247
    ]
    return [
        Panel("Daily, with an outage of three days", daily, 30, 5),
        Panel("Working days, with Easter and public holidays", working, 44, 7),
        Panel("Laptop, with a vacation; silent for half a year", laptop, 215, 28),
    ]


def draw() -> str:
    """The picture, an SVG that can be read on light and on dark ground."""
    return "\n".join([*_lines(), "</svg>", ""])


def _lines() -> Iterator[str]:
    drawn = panels()
    height = TOP + PANEL * len(drawn) - 24
    title = "When a set is late"
    yield from begin(height, title, "age of the newest snapshot and learned maximum age")
    yield '<rect class="age" x="16" y="43" width="14" height="12"/>'
    yield text(38, 54, "age of the newest snapshot, in days")
    yield '<line class="limit" x1="296" y1="49" x2="316" y2="49"/>'
    yield text(324, 54, "learned maximum age")
    yield '<rect class="late" x="490" y="43" width="14" height="12"/>'
    yield text(512, 54, "late")
    yield '<line class="run" x1="566" y1="43" x2="566" y2="55"/>'
    yield text(576, 54, "a backup")
    for number, panel in enumerate(drawn):
        yield from _panel(panel, TOP + PANEL * number)


def _panel(panel: Panel, top: float) -> Iterator[str]:
    times = panel.times
    stop = times[-1]
    limit = learned_max_age(times) or 0.0
    end = stop + limit * 1.12
    first = end - panel.days * DAY
    shown = [one for one in times if one > first]
    ages = [learned_max_age(times[: times.index(one) + 1]) for one in shown]
    most = 1.12 * limit
    bottom = top + 20 + PLOT

    def x(when: float) -> float:
        return LEFT + (RIGHT - LEFT) * (max(when, first) - first) / (end - first)

    def y(age: float) -> float:
        return bottom - PLOT * min(age, most) / most

    yield text(16, top + 8, panel.name, "name")
    unit = next(one for one in (1, 2, 7) if most / DAY / one < 6)
    for days in range(0, int(most / DAY) + 1, unit):
        yield line("grid", LEFT, y(days * DAY), RIGHT, y(days * DAY))
        yield text(LEFT - 8, y(days * DAY) + 4, f"{days} d", "small end")
    saw = [f"M{LEFT} {bottom}"]
    allowed: list[str] = []
    late = []
    for one, age, after in zip(shown, ages, [*shown[1:], end], strict=True):
        saw.append(f"H{x(one):.1f}L{x(min(after, one + most)):.1f} {y(after - one):.1f}")
        saw.append(f"H{x(after):.1f}V{bottom}")
        if age is not None:
            allowed.append(
                f"{'H' if allowed else 'M'}{x(one):.1f}{'V' if allowed else ' '}{y(age):.1f}"
            )
            if after - one > age:
                late.append((x(one + age), x(after)))
    yield f'<path class="age" d="{"".join(saw)}Z"/>'
    for told, over in late:
        yield (
            f'<rect class="late" x="{told:.1f}" y="{top + 20:.1f}"'
            f' width="{over - told:.1f}" height="{PLOT}"/>'
        )
        yield line("mark", told, top + 20, told, bottom)
    yield f'<path class="limit" d="{"".join(allowed)}H{RIGHT}"/>'
    for one in shown:
        yield line("run", x(one), bottom + 3, x(one), bottom + 13)
    words = f"late {limit / DAY:.1f} days after the last backup"
    yield text(RIGHT, top + 8, words, "told end")
    for day in range(0, panel.days, panel.step):
        yield text(x(first + day * DAY), bottom + 30, f"day {day}", "small middle")


def main() -> None:
    """Draw the picture into the file that is named."""
    Path(sys.argv[1]).write_text(draw())


if __name__ == "__main__":
    main()
