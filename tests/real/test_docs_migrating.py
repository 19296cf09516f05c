"""Tests of docs/migrating.md: it has all that there is, and nothing else."""

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.config import environment
from restic_reporter.metrics.compat_samples import COMPAT_CONTENT_FAMILIES, COMPAT_READ_FAMILIES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "migrating.md"


class MigratingTests(SynchronousTestCase):
    """The tables."""

    def setUp(self) -> None:
        self.text = PAGE.read_text()

    def section(self, heading: str) -> str:
        """The rows of the table below a heading."""
        _, _, rest = self.text.partition(f"\n### {heading}\n")
        self.assertNotEqual(rest, "", heading)
        table = rest.partition("\n### ")[0]
        return "\n".join(line for line in table.splitlines() if line.startswith("| `"))

    def test_variables(self) -> None:
        """Every variable that is read is in the table, and no other."""
        known = {
            *environment._KEYS.values(),
            *environment._REST_KEYS.values(),
            *("B2_ACCOUNT_ID", "B2_ACCOUNT_KEY"),
            *environment._IGNORED,
            *environment._OLD_NAMES.values(),
            *re.findall("[A-Z_]{3,}", " ".join(environment.OPTIONS.values())),
            *("RESTIC_REPOSITORY", "RESTIC_REPOSITORY_FILE", "INCLUDE_PATHS", "TZ"),
            *(prefix for prefixes in environment._PREFIXES.values() for prefix in prefixes),
        }
        firsts = "\n".join(line.split("|")[1] for line in self.section("Variables").splitlines())
        named = re.findall("`([A-Z][A-Z0-9_]+)…?`", firsts)
        self.assertEqual(sorted(named), sorted(known))

    def test_metrics(self) -> None:
        """Every metric of --compat is in the table, and no other."""
        first_cells = [line.split("|")[1] for line in self.section("Metrics").splitlines()]
        named = set()
        for cell in first_cells:
            last = ""
            for name in re.findall("`([^`]+)`", cell):
                # The row continues the name before it: `…_changed` after `…_new`.
                last = last.rpartition("_")[0] + name[1:] if name.startswith("…") else name
                named.add(last)
        families = (*COMPAT_CONTENT_FAMILIES, *COMPAT_READ_FAMILIES)
        self.assertEqual(named, {family.name for family in families})
