"""What the benchmark prints and draws."""

import math
import os
import platform
from collections.abc import Sequence
from html import escape
from pathlib import Path

from attrs import define, field

from .fleet_measure import Cost

BAR, GAP, LEFT, WIDTH = 22, 10, 330, 420


def machine() -> str:
    """Where the figures come from."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"


@define
class Report:
    """Rows of a Markdown table: what was measured, the yardstick, and whether the goal is met."""

    unmet: int = 0
    bars: list[tuple[str, float]] = field(factory=list)
    sizes: list[str] = field(factory=list)

    def start(self) -> None:
        """Print the head of the table."""
        print(f"\n{machine()}\n")
        print("| | measured | yardstick | | goal | |")
        print("| --- | ---: | ---: | ---: | --- | --- |", flush=True)

    def row(
        self, what: str, measured: str, yardstick: str, ratio: str, goal: str, met: bool | None
    ) -> None:
        """Print one line; ``met`` is ``None`` where there is no goal."""
        word = "" if met is None else "met" if met else "**not met**"
        self.unmet += met is False
        print(f"| {what} | {measured} | {yardstick} | {ratio} | {goal} | {word} |", flush=True)

    def at_most(self, what: str, measured: float, yardstick: float, unit: str, goal: float) -> None:
        """A row whose goal is to cost at most ``goal`` times the yardstick."""
        ratio = measured / yardstick
        self.row(
            what, f"{measured:.3g} {unit}", f"{yardstick:.3g} {unit}", f"{ratio:.2f} x",
            f"≤ {goal:g} x", ratio <= goal,
        )  # fmt: skip

    def below(self, what: str, measured: float, unit: str, goal: float) -> None:
        """A row whose goal is a plain number."""
        self.row(what, f"{measured:.3g} {unit}", "", "", f"≤ {goal:g} {unit}", measured <= goal)

    def grown(self, size: int, unchanged: Cost, added: Cost, megabytes: float) -> None:
        """Keep what a repository costs in a fleet of this size, for `growth`."""
        times = " | ".join(
            f"{seconds * 1000:.2f}"
            for seconds in (unchanged.wall, unchanged.cpu, added.wall, added.cpu)
        )
        self.sizes.append(f"| {size:,} | {times} | {megabytes:.0f} |")

    def growth(self) -> None:
        """Print what a repository costs, in milliseconds, by the size of the fleet."""
        print("\n| repositories | unchanged: wall | CPU | one new: wall | CPU | memory, MB |")
        print("| ---: " * 6 + "|")
        print("\n".join(self.sizes), flush=True)


def draw(title: str, bars: Sequence[tuple[str, float]], path: Path) -> None:
    """
    Draw milliseconds as horizontal bars on a logarithmic scale, as SVG that can be read on
    light and on dark ground.
    """
    low = 10 ** math.floor(math.log10(min(value for _, value in bars)))
    high = 10 ** math.ceil(math.log10(max(value for _, value in bars)))
    decades = round(math.log10(high / low))
    height = 60 + len(bars) * (BAR + GAP) + 46

    def x(value: float) -> float:
        return LEFT + WIDTH * math.log10(value / low) / decades

    bottom = height - 46
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 90} {height}"'
        ' font-family="sans-serif" font-size="13" role="img">',
        f"<title>{escape(title)}</title>",
        "<style>text{fill:#24292f}line{stroke:#8c959f;stroke-opacity:.5}rect{fill:#2f6feb}"
        "@media (prefers-color-scheme: dark) {text{fill:#e6edf3}rect{fill:#58a6ff}}</style>",
        f'<text x="10" y="24" font-weight="bold">{escape(title)}</text>',
    ]
    for power in range(decades + 1):
        value = low * 10**power
        lines.append(f'<line x1="{x(value):.1f}" y1="44" x2="{x(value):.1f}" y2="{bottom}"/>')
        lines.append(
            f'<text x="{x(value):.1f}" y="{bottom + 17}" text-anchor="middle">{value:g} ms</text>'
        )
    for number, (name, value) in enumerate(bars):
        top = 50 + number * (BAR + GAP)
        lines.append(f'<text x="{LEFT - 8}" y="{top + 16}" text-anchor="end">{escape(name)}</text>')
        lines.append(
            f'<rect x="{LEFT}" y="{top}" width="{x(value) - LEFT:.1f}" height="{BAR}" rx="2"/>'
        )
        lines.append(f'<text x="{x(value) + 6:.1f}" y="{top + 16}">{value:.3g} ms</text>')
    lines.append(f'<text x="10" y="{height - 8}" font-size="11">{escape(machine())}</text>')
    path.write_text("\n".join([*lines, "</svg>", ""]))
