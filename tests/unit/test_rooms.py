"""Tests of the house as a whole: which room imports from which."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "restic_reporter"


def rooms() -> list[str]:
    """The rooms in the order of docs/why.md, from the top floor down."""
    text = (ROOT / "docs" / "why.md").read_text()
    table = text[text.index("| room |") : text.index("To follow a snapshot")]
    cells = [row.split("|")[1] for row in table.splitlines()[2:] if row.startswith("|")]
    return [
        name.removesuffix("/").removesuffix(".py")
        for cell in cells
        for name in re.findall("`([^`]+)`", cell)
    ]


def imports(path: Path) -> Iterator[tuple[str, ...]]:
    """What a module of the package imports of it, each as the parts of its full name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = parts[: len(parts) - node.level]
            for name in node.names:
                yield (*base, *(node.module or "").split("."), name.name)


class RoomsTests(SynchronousTestCase):
    """The floors of docs/why.md."""

    def test_downwards(self) -> None:
        """A module imports only from its own room, and from rooms below it."""
        floors = {name: floor for floor, name in enumerate(rooms())}
        upwards = []
        seen = 0
        for path in PACKAGE.rglob("*.py"):
            relative = path.relative_to(PACKAGE)
            room = relative.parts[0].removesuffix(".py")
            for _, *rest in imports(path):
                target = next(part for part in rest if part)
                if target == "__version__" or room == target or room == "__init__":
                    continue
                seen += 1
                if floors[room] > floors[target]:
                    upwards.append(f"{relative}: {target}")
        self.assertEqual(upwards, [])
        self.assertGreater(seen, 100)

    def test_top(self) -> None:
        """Nothing else stands at the top, but for what a build writes."""
        top = {path.name for path in PACKAGE.glob("*.py")} - {"_version.py"}
        self.assertEqual(top, {"__init__.py", "__main__.py", "interfaces.py", "tap.py"})
