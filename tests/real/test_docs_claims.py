"""Each claim of SECURITY.md and docs/faults.md names tests that hold it, and these tests exist."""

import importlib
import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.model.errors import Reason
from tests.doubles.programs import ROOT
from tests.real.test_docs import rows

FAULTS = ROOT / "docs" / "faults.md"
SECURITY = ROOT / "SECURITY.md"
_TEST = re.compile(r"\[(\w+)\.(test_\w+)\]\(([^)]+)\)")


def named_tests(text: str, page: Path) -> list[tuple[str, str, str]]:
    """Module, class and method of each test that a text of the page links to."""
    found = []
    for name, method, link in _TEST.findall(text):
        path = (page.parent / link).resolve().relative_to(ROOT)
        found.append((".".join(path.with_suffix("").parts), name, method))
    return found


def claims(text: str) -> list[str]:
    """The items of all lists below the headings about attackers, each with its tests."""
    first, last = text.index("## Who may see"), text.index("## Known limits")
    return re.findall(r"^- .*\n(?:  .*\n)*", text[first:last], re.MULTILINE)


class ClaimsTests(SynchronousTestCase):
    """The two pages."""

    def test_exist(self) -> None:
        """Every test that is named exists, under that name."""
        for page in (FAULTS, SECURITY):
            tests = named_tests(page.read_text(), page)
            self.assertGreater(len(tests), 40)
            for module, name, method in tests:
                case = getattr(importlib.import_module(module), name, None)
                self.assertTrue(hasattr(case, method), f"{page.name}: no {module}.{name}.{method}")

    def test_each_fault(self) -> None:
        """Every row of the table of faults has a test."""
        faults = [cells for _, cells in rows(FAULTS.read_text()) if cells[0] != "fault"]
        self.assertGreater(len(faults), 49)
        for fault, _, tests in faults:
            self.assertTrue(named_tests(tests, FAULTS), fault)

    def test_each_claim(self) -> None:
        """Every claim about an attacker has a test."""
        found = claims(SECURITY.read_text())
        self.assertGreater(len(found), 20)
        for claim in found:
            self.assertTrue(named_tests(claim, SECURITY), claim)

    def test_reasons(self) -> None:
        """The faults have every reason, and no other."""
        named: set[str] = set()
        for result in re.findall(r"fails \(([^)]+)\)", FAULTS.read_text()):
            named |= set(re.findall("`([^`]+)`", result))
        self.assertEqual(named, {reason.value for reason in Reason})
