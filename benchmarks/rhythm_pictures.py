"""
Draws the age of a set's newest snapshot, and what was learned of it, with the real function.

    python -m benchmarks.rhythm_pictures docs/rhythm.svg
"""

import random
import sys
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from attrs import frozen

from benchmarks.rhythm_worlds import DAY, HOUR, at, midnight, working_days
from restic_reporter.model.rhythm import learned_max_age

WIDTH, LEFT, RIGHT = 800, 64, 776
TOP, PLOT, PANEL = 92, 118, 214

_STYLE = """\
<style>
  text { font: 13px sans-serif; fill: #1f2328; }
  .name { font-weight: bold; font-size: 15px; }
  .title { font-weight: bold; font-size: 17px; }
  .small { fill: #59636e; }
  .end { text-anchor: end; }
  .middle { text-anchor: middle; }
  .told { fill: #cf222e; font-weight: bold; }
  .ground { fill: #ffffff; }
  .age { fill: #0969da; fill-opacity: 0.18; stroke: #0969da; stroke-width: 1.4; }
  .limit { fill: none; stroke: #bc4c00; stroke-width: 2.4; }
  .late { fill: #cf222e; fill-opacity: 0.22; stroke: none; }
  .mark { stroke: #cf222e; stroke-width: 2; }
  .run { stroke: #0969da; stroke-width: 1.6; }
  .grid { stroke: #d1d9e0; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .small { fill: #9198a1; }
    .told { fill: #ff7b72; }
    .ground { fill: #0d1117; }
    .age { fill: #58a6ff; stroke: #58a6ff; }
    .limit { stroke: #f0883e; }
    .late { fill: #ff7b72; }
    .mark { stroke: #ff7b72; }
    .run { stroke: #58a6ff; }
    .grid { stroke: #3d444d; }
  }
</style>"""


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
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
        f' width="{WIDTH}" height="{height}" role="img" aria-labelledby="title">'
    )
    yield f'<title id="title">{title}: age of the newest snapshot and learned maximum age</title>'
    yield _STYLE
    yield f'<rect class="ground" width="{WIDTH}" height="{height}" rx="8"/>'
    yield _text(16, 28, title, "title")
    yield '<rect class="age" x="16" y="43" width="14" height="12"/>'
    yield _text(38, 54, "age of the newest snapshot, in days")
    yield '<line class="limit" x1="296" y1="49" x2="316" y2="49"/>'
    yield _text(324, 54, "learned maximum age")
    yield '<rect class="late" x="490" y="43" width="14" height="12"/>'
    yield _text(512, 54, "late")
    yield '<line class="run" x1="566" y1="43" x2="566" y2="55"/>'
    yield _text(576, 54, "a backup")
    for number, panel in enumerate(drawn):
        yield from _panel(panel, TOP + PANEL * number)


def _panel(panel: Panel, top: float) -> Iterator[str]:
    times = panel.times
    stop = times[-1]
    limit = learned_max_age(times) or 0.0
    end = stop + limit * 1.12
    begin = end - panel.days * DAY
    shown = [one for one in times if one > begin]
    ages = [learned_max_age(times[: times.index(one) + 1]) for one in shown]
    most = 1.12 * limit
    bottom = top + 20 + PLOT

    def x(when: float) -> float:
        return LEFT + (RIGHT - LEFT) * (max(when, begin) - begin) / (end - begin)

    def y(age: float) -> float:
        return bottom - PLOT * min(age, most) / most

    yield _text(16, top + 8, panel.name, "name")
    unit = next(one for one in (1, 2, 7) if most / DAY / one < 6)
    for days in range(0, int(most / DAY) + 1, unit):
        yield _line("grid", LEFT, y(days * DAY), RIGHT, y(days * DAY))
        yield _text(LEFT - 8, y(days * DAY) + 4, f"{days} d", "small end")
    saw = [f"M{LEFT} {bottom}"]
    line: list[str] = []
    late = []
    for one, age, after in zip(shown, ages, [*shown[1:], end], strict=True):
        saw.append(f"H{x(one):.1f}L{x(min(after, one + most)):.1f} {y(after - one):.1f}")
        saw.append(f"H{x(after):.1f}V{bottom}")
        if age is not None:
            line.append(f"{'H' if line else 'M'}{x(one):.1f}{'V' if line else ' '}{y(age):.1f}")
            if after - one > age:
                late.append((x(one + age), x(after)))
    yield f'<path class="age" d="{"".join(saw)}Z"/>'
    for told, over in late:
        yield (
            f'<rect class="late" x="{told:.1f}" y="{top + 20:.1f}"'
            f' width="{over - told:.1f}" height="{PLOT}"/>'
        )
        yield _line("mark", told, top + 20, told, bottom)
    yield f'<path class="limit" d="{"".join(line)}H{RIGHT}"/>'
    for one in shown:
        yield _line("run", x(one), bottom + 3, x(one), bottom + 13)
    words = f"late {limit / DAY:.1f} days after the last backup"
    yield _text(RIGHT, top + 8, words, "told end")
    for day in range(0, panel.days, panel.step):
        yield _text(x(begin + day * DAY), bottom + 30, f"day {day}", "small middle")


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    known = f' class="{kind}"' if kind else ""
    return f'<text{known} x="{x:g}" y="{y:g}">{escape(text)}</text>'


def main() -> None:
    """Draw the picture into the file that is named."""
    Path(sys.argv[1]).write_text(draw())


if __name__ == "__main__":
    main()
