"""What docs/scaling.md and kubernetes.md show works: options, units, manifests, Prometheus."""

import shlex
import subprocess
from pathlib import Path
from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.config.sharding import Shard
from restic_reporter.tap import Options
from tests.doubles.tools import tool
from tests.real.test_docs import DOCS, ROOT, code_blocks, section

COUNT = 4

SHARDS = [f"{index}/{COUNT}" for index in range(COUNT)]


def options(arguments: list[str]) -> Options:
    """What the daemon makes of what follows its name in ``arguments``."""
    parsed = Options()
    start = "run" if "run" in arguments else "restic-reporter"
    parsed.parseOptions(arguments[arguments.index(start) + 1 :])
    return parsed


class ScalingTests(SynchronousTestCase):
    """The blocks of the page."""

    def setUp(self) -> None:
        """Read it."""
        self.text = (DOCS / "scaling.md").read_text()
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def blocks(self, title: str) -> list[str]:
        """The code under a heading."""
        return code_blocks(section(self.text, title))

    def promtool(self, content: Any, *arguments: str) -> None:
        """Let Prometheus's own tool look at a file with this content."""
        (self.folder / "file.yml").write_text(yaml.safe_dump(content))
        done = subprocess.run(
            [tool("promtool"), *arguments, "file.yml"],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_systemd(self) -> None:
        """The template gives each instance a shard and a port of its own."""
        (block,) = self.blocks("systemd")
        command = block.replace("\\\n", " ").partition(" > ")[0]
        unit = subprocess.run(
            shlex.split(command), cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        (start,) = (line for line in unit.splitlines() if line.startswith("ExecStart="))
        start = start.removesuffix(" $RESTIC_REPORTER_OPTIONS")
        parsed = [options(shlex.split(start.replace("%i", str(index)))) for index in range(COUNT)]
        self.assertEqual([str(one["shard"]) for one in parsed], SHARDS)
        ports = [one["bind"].text for one in parsed]
        (config, _), targets = self.configs(), []
        for target in config["scrape_configs"][0]["static_configs"][0]["targets"]:
            targets.append(target.removeprefix("localhost"))
        self.assertEqual(ports, targets)
        for name in ("State", "Cache"):
            self.assertIn(f"\n{name}Directory=restic-reporter-%i\n", unit)

    def test_kubernetes(self) -> None:
        """There are as many pods as shards, and each gets the shard with its number."""
        spec = yaml.safe_load(code_blocks((DOCS / "kubernetes.md").read_text())[0])["spec"]
        (container,) = spec["template"]["spec"]["containers"]
        self.assertEqual(spec["replicas"], COUNT)
        self.assertEqual([one["name"] for one in container["env"]], ["SHARD"])
        for index in range(COUNT):
            words = [word.replace("$(SHARD)", str(index)) for word in container["args"]]
            parsed = options(["run", *words])
            self.assertEqual(parsed["shard"], Shard(index, COUNT))
        labels = spec["template"]["metadata"]["labels"]
        self.assertEqual(spec["selector"]["matchLabels"], labels)

    def configs(self) -> list[Any]:
        """The configs of Prometheus."""
        return [
            yaml.safe_load(block)
            for block in self.blocks("Prometheus")
            if block.startswith("scrape_configs:")
        ]

    def test_prometheus(self) -> None:
        """Prometheus takes both configs."""
        self.assertEqual(len(self.configs()), 2)
        for config in self.configs():
            self.promtool(config, "check", "config")

    def test_alerts(self) -> None:
        """Each of the alerts fires when it must, and does not when it must not."""
        (block,) = (one for one in self.blocks("Prometheus") if one.startswith("- alert:"))
        rules = yaml.safe_load(block)
        (self.folder / "rules.yml").write_text(
            yaml.safe_dump({"groups": [{"name": "shards", "rules": rules}]})
        )
        for shards, expected in (
            (SHARDS, []),
            (SHARDS[1:], ["ResticShardMissing"]),
            ([*SHARDS, "4/5"], ["ResticShardsDisagree"]),
        ):
            self.promtool(alert_test(rules, shards, expected), "test", "rules")


def alert_test(rules: list[Any], shards: list[str], expected: list[str]) -> Any:
    """A test for promtool: with these shards, these alerts fire and no others."""
    series = [
        {
            "series": f'restic_reporter_build_info{{shard="{shard}",instance="i{shard}"}}',
            "values": "1x30",
        }
        for shard in shards
    ]
    cases = []
    for rule in rules:
        text = rule["annotations"]["summary"].replace("{{ $value }}", str(len(shards)))
        alert = {"exp_labels": rule["labels"], "exp_annotations": {"summary": text}}
        fires = rule["alert"] in expected
        cases.append(
            {"eval_time": "20m", "alertname": rule["alert"], "exp_alerts": [alert] if fires else []}
        )
    return {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": series, "alert_rule_test": cases}],
    }
