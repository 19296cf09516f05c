"""The alert rules, by Prometheus's own tool, and their runbooks."""

import configparser
import re
import subprocess
from pathlib import Path
from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.tools import tool
from tests.real.test_docs import named, section, slug

ROOT = Path(__file__).resolve().parents[2]
MONITORING = ROOT / "monitoring"
RULES = MONITORING / "restic-reporter.rules.yml"
TESTS = sorted((MONITORING / "tests").glob("*.test.yml"))
RUNBOOKS = ROOT / "docs" / "alerts.md"


def alert_rules() -> dict[str, dict[str, Any]]:
    """The alerts of the rules, by name."""
    document = yaml.safe_load(RULES.read_text())
    all_rules = [rule for group in document["groups"] for rule in group["rules"]]
    return {rule["alert"]: rule for rule in all_rules if "alert" in rule}


def project_url() -> str:
    """The address of the project with a slash, as in setup.cfg; empty while it has none."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    url = parser.get("metadata", "url", fallback="")
    return url and f"{url.rstrip('/')}/blob/main/"


class AlertTests(SynchronousTestCase):
    """The rules."""

    def promtool(self, *arguments: str) -> None:
        """Run it on them."""
        done = subprocess.run(
            [tool("promtool"), *arguments],
            cwd=MONITORING,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_check(self) -> None:
        """Prometheus takes the rules and the config."""
        self.promtool("check", "rules", RULES.name)
        self.promtool("check", "config", "prometheus.yml")

    def test_unit_tests(self) -> None:
        """The tests of the rules pass."""
        self.promtool("test", "rules", *map(str, TESTS))

    def test_each_is_tested(self) -> None:
        """Each alert has a test in which it fires, and one in which it does not."""
        cases = {
            (case["alertname"], bool(case["exp_alerts"]))
            for file in TESTS
            for test in yaml.safe_load(file.read_text())["tests"]
            for case in test.get("alert_rule_test", [])
        }
        self.assertEqual(
            cases, {(name, fires) for name in alert_rules() for fires in (True, False)}
        )

    def test_each_outlasts_a_restart(self) -> None:
        """Each alert on the daemon's own values keeps firing while a restart drops these."""
        rules = alert_rules().values()
        kept = {rule["alert"] for rule in rules if rule.get("keep_firing_for") in ("30m", "1d")}
        from_values = {rule["alert"] for rule in rules if "up{" not in rule["expr"]}
        self.assertEqual(kept, from_values)

    def test_each_says_what_to_do(self) -> None:
        """Each has a severity, and names the host, repository or daemon, and the first step."""
        for name, rule in alert_rules().items():
            notes = rule["annotations"]
            self.assertIn(rule["labels"]["severity"], ("warning", "critical"), name)
            self.assertIn("First: ", notes["description"], name)
            if "absent(" not in rule["expr"]:
                self.assertRegex(notes["summary"], r"\$labels\.(host|url|instance)", name)
            if "$labels.host" in notes["summary"]:
                text = notes["summary"] + notes["description"]
                self.assertIn("$labels.user", text, name)
                self.assertIn("$labels.url", text, name)

    def test_each_is_documented(self) -> None:
        """The table of alerts has them all, with their severity."""
        text = RUNBOOKS.read_text().partition("\n## ")[0]
        self.assertEqual(sorted(named(text)), sorted(alert_rules()))
        for name, rule in alert_rules().items():
            link = f"[`{name}`](#{slug(name)})"
            self.assertIn(f"| {link} | {rule['labels']['severity']} |", text)

    def test_each_has_a_runbook(self) -> None:
        """Each alert links to its runbook, which has steps, and says how to silence it."""
        for name, rule in alert_rules().items():
            expected = f"{project_url()}docs/alerts.md#{slug(name)}"
            self.assertEqual(rule["annotations"]["runbook_url"], expected)
            runbook = section(RUNBOOKS.read_text(), name)
            self.assertRegex(runbook, r"(?m)^1\. |^Do as for ", name)
            silence = re.search(r"(?m)^Silence: (.*)", runbook)
            self.assertIsNotNone(silence, name)
