"""The shipped rules of monitoring/, made quick for tests."""

from pathlib import Path

import yaml

from tests.doubles.programs import ROOT, Folder

RULES = ROOT / "monitoring" / "restic-reporter.rules.yml"


def quick_rules(folder: Folder, keep_firing_for: str = "1s") -> Path:
    """A copy of the rules that wait for nothing, except for ``keep_firing_for``."""
    document = yaml.safe_load(RULES.read_text())
    for group in document["groups"]:
        group["interval"] = "1s"
        for rule in group["rules"]:
            rule.pop("for", None)
            if "keep_firing_for" in rule:
                rule["keep_firing_for"] = keep_firing_for
    return folder.write(RULES.name, yaml.safe_dump(document))
