"""
Draws what one repository costs, from the table that the benchmark prints.

    python -m benchmarks.fleet_chart docs/performance.md docs/performance.svg

draws the chart anew from a page with the table, so that the two say the same.
"""

import math
import re
import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path

from attrs import frozen

# The chart shows the fleet whose size is nearest to this one.
SIZE = 1000

# Classes of the bars, in the order in which they stand, and their names in the legend.
KINDS = {
    "restic": "restic snapshots",
    "bare": "bare HTTP requests (treq)",
    "ours": "restic-reporter",
}

WIDTH, LEFT, RIGHT = 800, 260, 710
TOP, BAR, STEP, GROUP = 84, 20, 24, 94

_ROW = re.compile(r"^\| ([^|]+) \| ([\d.,]+) (s|ms) \| ([\d.,]+) (s|ms) \|", re.MULTILINE)

_STYLE = """\
<style>
  text { font: 14px sans-serif; fill: #1f2328; }
  .name { font-weight: bold; }
  .title { font-weight: bold; font-size: 17px; }
  .small { font-size: 13px; fill: #59636e; }
  .end { text-anchor: end; }
  .middle { text-anchor: middle; }
  .value { paint-order: stroke; stroke: #ffffff; stroke-width: 5px; }
  .ground { fill: #ffffff; }
  .restic { fill: #d4731c; }
  .bare { fill: #8c959f; }
  .ours { fill: #0969da; }
  line { stroke: #d1d9e0; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .small { fill: #9198a1; }
    .value { stroke: #0d1117; }
    .ground { fill: #0d1117; }
    .restic { fill: #f0883e; }
    .bare { fill: #7d8590; }
    .ours { fill: #58a6ff; }
    line { stroke: #3d444d; }
  }
</style>"""


@frozen
class Group:
    """Bars that stand together: of what, with how many bare requests, and milliseconds by kind."""

    what: str
    requests: int
    times: dict[str, float]


def groups(table: str) -> list[Group]:
    """
    What the rows of ``table`` say of one repository.

    :raises KeyError: a row is missing.
    """
    rows = {
        name: (_milliseconds(measured, unit), _milliseconds(yardstick, other))
        for name, measured, unit, yardstick, other in _ROW.findall(table)
    }
    sizes = [number(name) for name in rows if "unchanged, wall;" in name]
    if not sizes:
        raise KeyError("repositories, unchanged, wall")
    size = min(sizes, key=lambda one: abs(one - SIZE))

    def row(start: str, rest: str) -> tuple[int, float, float]:
        for name, (measured, yardstick) in rows.items():
            if name.startswith(start) and rest in name:
                return number(name.partition(";")[2]), measured, yardstick
        raise KeyError(f"{start}{rest}")

    fleet = f"{size:,} repositories, "
    # restic reads everything each time, so this is its time with a new snapshot too.
    _, _, restic = row(fleet, "unchanged; restic")
    found = []
    for what, rest in (
        ("Unchanged repository", "unchanged, wall;"),
        ("One new snapshot", "one new snapshot in each, wall;"),
    ):
        gets, ours, bare = (value / size for value in row(fleet, rest))
        found.append(Group(what, round(gets), {"restic": restic, "bare": bare, "ours": ours}))
    cold = "cold repository of "
    _, ours, restic = row(cold, "; restic")
    gets, _, bare = row(cold, "bare treq GETs")
    snapshots = next(number(name) for name in rows if name.startswith(cold))
    times = {"restic": restic, "bare": bare, "ours": ours}
    return [*found, Group(f"First read of {snapshots:,} snapshots", gets, times)]


def number(text: str) -> int:
    """The first whole number in ``text``, 0 without one."""
    found = re.search(r"\d[\d,]*", text)
    return int(found[0].replace(",", "")) if found else 0


def figure(value: float) -> str:
    """A measured number as the table and the bars show it."""
    return f"{value:.3g}" if value < 999.5 else f"{value:,.0f}"


def _milliseconds(shown: str, unit: str) -> float:
    return float(shown.replace(",", "")) * (1000 if unit == "s" else 1)


def draw(all_groups: list[Group]) -> str:
    """The chart, an SVG that can be read on light and on dark ground."""
    return "\n".join([*_lines(all_groups), "</svg>", ""])


def _lines(all_groups: list[Group]) -> Iterator[str]:
    values = [value for group in all_groups for value in group.times.values()]
    # Half of the least, so that its bar has a length.
    low = math.floor(math.log10(min(values) / 2))
    high = math.ceil(math.log10(max(values)))
    bottom = TOP + GROUP * len(all_groups) - 10
    height = bottom + 54

    def x(value: float) -> float:
        return LEFT + (RIGHT - LEFT) * (math.log10(value) - low) / (high - low)

    title = "Milliseconds that one repository costs"
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
        f' width="{WIDTH}" height="{height}" role="img" aria-labelledby="title">'
    )
    yield f'<title id="title">{title}, with {", ".join(KINDS.values())}</title>'
    yield _STYLE
    yield f'<rect class="ground" width="{WIDTH}" height="{height}" rx="8"/>'
    yield _text(16, 30, title, "title")
    for place, (kind, name) in zip((16, 182, 414), KINDS.items(), strict=True):
        yield f'<rect class="{kind}" x="{place}" y="46" width="14" height="14" rx="2"/>'
        yield _text(place + 22, 58, name)
    for power in range(low, high + 1):
        at = x(10**power)
        yield f'<line x1="{at:.1f}" y1="{TOP - 6}" x2="{at:.1f}" y2="{bottom}"/>'
        yield _text(at, bottom + 18, f"{10**power:,g} ms", "small middle")
    scale = "Logarithmic scale: each line is ten times the line before it."
    yield _text((LEFT + RIGHT) / 2, bottom + 40, scale, "small middle")
    for index, group in enumerate(all_groups):
        top = TOP + GROUP * index
        yield _text(LEFT - 14, top + 30, group.what, "name end")
        yield _text(LEFT - 14, top + 50, f"{group.requests:,} bare requests", "small end")
        for line, kind in enumerate(KINDS):
            value, y = group.times[kind], top + STEP * line
            yield (
                f'<rect class="{kind}" x="{LEFT}" y="{y}"'
                f' width="{x(value) - LEFT:.1f}" height="{BAR}" rx="2"/>'
            )
            strong = "value name" if kind == "ours" else "value"
            yield _text(x(value) + 8, y + 15, f"{figure(value)} ms", strong)


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    known = f' class="{kind}"' if kind else ""
    return f'<text{known} x="{x:g}" y="{y:g}">{escape(text)}</text>'


def main() -> None:
    """Draw the chart of the page that is named first into the file that is named second."""
    page, picture = map(Path, sys.argv[1:])
    picture.write_text(draw(groups(page.read_text())))


if __name__ == "__main__":
    main()
