"""The rules on anomalies fire for Prometheus as the benchmark and the status page think."""

import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from random import Random
from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from benchmarks.anomalies import Set
from benchmarks.anomaly_faults import FAULTS, struck
from benchmarks.anomaly_kinds import KINDS
from benchmarks.anomaly_rules import RULES, Seen, Series
from benchmarks.rhythm_worlds import DAY, HOUR
from restic_reporter.model.anomalies import ratios
from restic_reporter.model.snapshots import Summary
from tests.doubles.programs import Folder
from tests.doubles.tools import tool
from tests.real.test_alerts import RULES as RULES_FILE
from tests.real.test_alerts import alert_rules

QUARTER = HOUR / 4

# Days of a set's life, and the one of the fault.
DAYS, FAULT_DAY = 27, 18

# Each rule fires for some of these, and each is silent for some.
CASES = (
    ("server", ""),
    ("server", "frozen"),
    ("server", "encrypted"),
    ("server", "disk not mounted"),
    ("mail server", "another disk mounted"),
    ("office file server", "frozen"),
    ("photo archive", "encrypted and renamed"),
    ("log host", "four fifths gone"),
    ("settings", "half gone"),
    ("full and small dumps by turns", ""),
)


def values(seen: Seen) -> Iterator[tuple[str, float | None]]:
    """The series of a newest snapshot."""
    summary, ratio = seen.summary, seen.ratios
    yield "backup_newest_timestamp{LABELS}", seen.when
    yield "backup_newest_processed_bytes{LABELS}", summary.processed_bytes
    yield "backup_newest_added_bytes{LABELS}", summary.added_bytes
    yield 'backup_newest_files{LABELS, state="new"}', summary.new_files
    yield 'backup_newest_files{LABELS, state="changed"}', summary.changed_files
    yield 'backup_newest_files{LABELS, state="unmodified"}', summary.unmodified_files
    yield "backup_newest_processed_bytes_ratio{LABELS}", ratio.processed_bytes
    yield "backup_newest_added_bytes_ratio{LABELS}", ratio.added_bytes
    yield "backup_newest_files_ratio{LABELS}", ratio.files
    yield "backup_newest_changed_files_ratio{LABELS}", ratio.changed_files


def input_series(host: str, seen: Sequence[Seen], end: float) -> list[dict[str, str]]:
    """What promtool shall scrape each quarter of an hour, from the time 0 on."""
    found: dict[str, list[str]] = {}
    begin = round(seen[0].when / QUARTER)
    times = [*(one.when for one in seen), end]
    for one, (when, after) in zip(seen, pairwise(times), strict=True):
        samples = round((after - when) / QUARTER)
        for name, value in values(one):
            # "_xN" are N samples, "VxN" are N more.
            text = f"_x{samples}" if value is None else f"{Decimal(value):f}x{samples - 1}"
            found.setdefault(name, [f"_x{begin}"] if begin else []).append(text)
    labels = f'url="rest:https://b/all", host="{host}", user="root"'
    return [
        {"series": name.replace("LABELS", labels), "values": " ".join(texts)}
        for name, texts in found.items()
    ]


def life(kind_name: str, fault: str, chance: Random) -> Series:
    """The newest snapshots of a set, from the time 0 on; each is seen at a full hour."""
    [kind] = [one for one in KINDS if one.name == kind_name]
    one = Set(kind, chance)
    start = one.made[0].when // DAY * DAY
    end = sum(backup.when < start + DAYS * DAY for backup in one.made)
    at = sum(backup.when < start + FAULT_DAY * DAY for backup in one.made)
    summaries = [backup.summary for backup in one.made[:end]]
    if fault:
        summaries[at:] = struck(one.made[at:end], FAULTS[fault], kind.data, chance)
    hours: dict[float, Seen] = {}
    for seen in one.seen(summaries, 0, end):
        when = (seen.when - start) // HOUR * HOUR + HOUR
        if when < DAYS * DAY:
            hours[when] = Seen(when, seen.summary, seen.ratios)
    return Series([*hours.values()])


def any_summary(chance: Random) -> Summary:
    """Any statistics."""
    new, changed, old = (int(100 * chance.random() ** 3) for _ in range(3))
    size = chance.randint(0, 1000)
    return Summary(1.0, size, int(size * chance.random() ** 2), new, changed, old)


def any_life(chance: Random) -> Series:
    """Newest snapshots with any statistics."""
    summaries = [any_summary(chance) for _ in range(DAYS + 10)]
    return Series(
        [
            Seen(day * DAY, summaries[day + 10], ratios(summaries[day + 10], summaries[day:][:10]))
            for day in range(DAYS)
        ]
    )


class AnomalyRulesTests(SynchronousTestCase):
    """What Prometheus answers, and what Python does."""

    def assert_firing(
        self, series: Iterable[dict[str, str]], expected: Mapping[tuple[str, float], set[str]]
    ) -> None:
        """Let promtool compare the hosts for which each rule is true at each time."""
        expressions = {name: alert_rules()[name]["expr"] for name in RULES}
        folder = Folder()
        self.addCleanup(folder.close)
        groups = yaml.safe_load(RULES_FILE.read_text())["groups"]
        [group] = [one for one in groups if one["name"] == "restic-backup-history"]
        group["rules"] = [one for one in group["rules"] if "record" in one]
        records = folder.write("records.yml", yaml.safe_dump({"groups": [group]}))
        document: dict[str, Any] = {
            "rule_files": [str(records)],
            "evaluation_interval": "15m",
            "tests": [
                {
                    "interval": "15m",
                    "input_series": list(series),
                    "promql_expr_test": [
                        {
                            "expr": f"group by (host) ({expressions[name]})",
                            "eval_time": f"{now / 60:.0f}m",
                            "exp_samples": [
                                {"labels": f'{{host="{host}"}}', "value": 1}
                                for host in sorted(hosts)
                            ],
                        }
                        for (name, now), hosts in expected.items()
                    ],
                }
            ],
        }
        file = folder.write("anomalies.test.yml", yaml.safe_dump(document))
        done = subprocess.run(
            [tool("promtool"), "test", "rules", str(file)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )
        self.assertEqual(done.returncode, 0, (done.stdout + done.stderr)[-5000:])

    def test_lives(self) -> None:
        """Over weeks with faults, each rule is true for both at the same times."""
        lives = {
            f"{number}-{kind}-{fault}".replace(" ", "-"): life(kind, fault, Random(number))
            for number, (kind, fault) in enumerate(CASES)
        }
        lives |= {f"any-{number}": any_life(Random(number)) for number in range(30)}
        # Nothing changes at these times, so windows begin and end within what is constant.
        times = [day * DAY + hour * HOUR + QUARTER for day in range(14, DAYS) for hour in (4, 14)]
        expected = {
            (name, now): {host for host, series in lives.items() if rule(series, now)}
            for name, rule in RULES.items()
            for now in times
        }
        for name in RULES:
            firing = [hosts for (rule, _), hosts in expected.items() if rule == name]
            self.assertTrue(any(firing), name)
            self.assertNotIn(set(lives), firing)
        series = [
            one for host, life in lives.items() for one in input_series(host, life.seen, DAYS * DAY)
        ]
        self.assert_firing(series, expected)

    def test_any_values(self) -> None:
        """For a snapshot with any values, each rule is true for both."""
        chance = Random(1)
        lives = {}
        for number in range(600):
            newest, *before = (any_summary(chance) for _ in range(chance.choice([5, 6, 11])))
            if chance.random() < 0.5:
                before = [before[0]] * 10
            lives[f"h{number}"] = Series([Seen(0.0, newest, ratios(newest, before))])
        expected = {
            (name, 0.0): {host for host, series in lives.items() if rule(series, 0.0)}
            for name, rule in RULES.items()
        }
        self.assertGreater(len(expected["ResticSourceVanished", 0.0]), 20)
        self.assertGreater(len(expected["ResticNearlyEverythingChanged", 0.0]), 20)
        series = [
            one for host, life in lives.items() for one in input_series(host, life.seen, QUARTER)
        ]
        self.assert_firing(series, expected)
