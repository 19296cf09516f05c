"""What the benchmark prints."""

import os
import platform
from pathlib import Path

from attrs import define, field

from .fleet_chart import figure
from .fleet_measure import Cost


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
    lines: list[str] = field(factory=list)
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
        self.lines.append(f"| {what} | {measured} | {yardstick} | {ratio} | {goal} | {word} |")
        print(self.lines[-1], flush=True)

    def at_most(self, what: str, measured: float, yardstick: float, unit: str, goal: float) -> None:
        """A row whose goal is to cost at most ``goal`` times the yardstick."""
        ratio = measured / yardstick
        self.row(
            what, f"{figure(measured)} {unit}", f"{figure(yardstick)} {unit}", f"{ratio:.2f} x",
            f"≤ {goal:g} x", ratio <= goal,
        )  # fmt: skip

    def below(self, what: str, measured: float, unit: str, goal: float) -> None:
        """A row whose goal is a plain number."""
        self.row(what, f"{figure(measured)} {unit}", "", "", f"≤ {goal:g} {unit}", measured <= goal)

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
