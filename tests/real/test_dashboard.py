"""The dashboard for Grafana is what its code makes, and is complete."""

import json
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from monitoring import dashboard
from tests.real.test_alerts import RUNBOOKS, alert_rules
from tests.real.test_docs import slug


class DashboardTests(SynchronousTestCase):
    """The JSON that is checked in."""

    def setUp(self) -> None:
        """Read it."""
        document: dict[str, Any] = json.loads(dashboard.FILE.read_text())
        self.document = document
        self.panels = [one for one in document["panels"] if one["type"] != "row"]

    def test_made(self) -> None:
        """It is up to date."""
        self.assertEqual(
            dashboard.FILE.read_text(), dashboard.build(), "run: python -m monitoring.dashboard"
        )

    def test_places(self) -> None:
        """Panels have ids of their own, do not overlap, and leave no gap at the right."""
        ids = [one["id"] for one in self.document["panels"]]
        self.assertEqual(len(set(ids)), len(ids))
        taken: set[tuple[int, int]] = set()
        for panel in self.document["panels"]:
            at = panel["gridPos"]
            cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
            self.assertEqual(cells & taken, set(), panel["title"])
            taken |= cells
        bottom = max(y for _, y in taken) + 1
        self.assertEqual(taken, {(x, y) for x in range(24) for y in range(bottom)})

    def test_explained(self) -> None:
        """Every panel has a title of its own, a description, and the chosen data source."""
        titles = [one["title"] for one in self.panels]
        self.assertEqual(len(set(titles)), len(titles))
        for panel in self.panels:
            self.assertRegex(panel["description"], r"\.$", panel["title"])
            self.assertEqual(panel["datasource"]["uid"], "${datasource}", panel["title"])
            self.assertIn("unit", panel["fieldConfig"]["defaults"], panel["title"])

    def test_runbooks(self) -> None:
        """Links lead to a runbook that there is, through the variable with their address."""
        links = [link["url"] for one in self.panels for link in one.get("links", [])]
        self.assertGreater(len(links), 10)
        known = {f"${{runbooks}}#{slug(name)}" for name in alert_rules()}
        self.assertEqual(set(links) - known, set())
        variables = {one["name"]: one for one in self.document["templating"]["list"]}
        default = Path(variables["runbooks"]["query"])
        self.assertEqual(default, RUNBOOKS.relative_to(RUNBOOKS.parents[1]))
