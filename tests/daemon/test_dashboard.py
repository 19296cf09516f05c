"""A real Prometheus answers every query of the dashboard, with data of the daemon."""

import json
import re
import shutil
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.clock_daemon import ClockDaemon
from tests.doubles.programs import PATIENCE, ROOT, Folder, wait_until
from tests.doubles.prometheus import Prometheus
from tests.doubles.quick_rules import quick_rules
from tests.doubles.servers import EXAMPLE_PASSWORD, RestServer, copy_example, restic

DASHBOARD = ROOT / "monitoring" / "grafana-dashboard.json"

# Without Vault there is no token.
EMPTY = {'max by (instance) (backup_vault_token_expiry_timestamp_seconds{instance=~".*"} - time())'}


def filled_in(expression: str) -> str:
    """The expression as Grafana sends it, with everything chosen."""
    return re.sub(r"\$(\w+)", lambda name: {"__rate_interval": "1m"}.get(name[1], ".*"), expression)


def queries() -> Iterator[tuple[list[str], set[str]]]:
    """The expressions of each panel and variable, with the labels that it shows."""
    document = json.loads(DASHBOARD.read_text())
    for panel in document["panels"]:
        columns: set[str] = set()
        for change in panel.get("transformations", []):
            columns |= set(change["options"].get("indexByName", {}))
        labels = {name for name in columns if not name.startswith("Value")}
        targets = panel.get("targets", [])
        for target in targets:
            labels |= set(re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", "")))
        yield [filled_in(one["expr"]) for one in targets], labels
    for variable in document["templating"]["list"]:
        if variable["type"] == "query":
            found = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"])
            assert found is not None
            yield [filled_in(found[1])], {found[2]}


class DashboardTests(SynchronousTestCase):
    """The queries."""

    def test_queries(self) -> None:
        """Every query is valid, has data, and the labels that its panel shows."""
        folder = Folder()
        self.addCleanup(folder.close)
        server = RestServer(folder, folder.path / "served")
        good, lost = (copy_example(server.path / name) for name in ("good", "lost"))
        data = folder.write("data", "x")
        for number in range(7):
            data.write_text(f"{number}" * 1000)
            restic(good, "backup", "--quiet", "--host", "web-9", str(data))
        entry = {"password": EXAMPLE_PASSWORD, "reader": "native"}
        config: list[dict[str, Any]] = [
            {
                "repo": server.url("good"),
                "schedule": "0 3 * * *",
                "expect": [{"host": "web-9", "max_age": "1d"}, {"host": "web-10"}],
                "copies": [server.url("lost")],
                "size_cron": "0 4 * * *",
                **entry,
            },
            {"repo": server.url("lost"), **entry},
        ]
        state = folder.path / "state"
        state.mkdir(0o700)
        options = (f"--state-dir={state}", "--enable-lifecycle")
        daemon = ClockDaemon(folder, config, *options)
        daemon.serving()
        prometheus = Prometheus(folder, daemon.address, [quick_rules(folder)])
        daemon.pass_time(86400)
        arguments = {"url": server.url("good"), "kind": "check", "exit": "0"}
        results = f"http://{daemon.address}/-/results?{urlencode(arguments)}"
        urlopen(Request(results, method="POST"), timeout=PATIENCE).close()
        shutil.rmtree(lost)
        restic(good, "forget", "latest")
        daemon.collect()
        late = (
            "rate(process_cpu_seconds_total[1m])",
            "increase(backup_read_failures_total[1h])",
            "backup_last_removal_timestamp_seconds",
            "backup_repository_pack_count",
            "backup_result_success",
            "host:backup_repositories_fresh:count",
            "set:backup_runs_met:ratio_30d",
            "restic_reporter_state_last_write_timestamp_seconds",
            'ALERTS{alertname="ResticBackupMissing", alertstate="firing"}',
        )
        wait_until(lambda: all(prometheus.query(one) != {} for one in late))

        asked = [one for one in queries() if one[0]]
        self.assertGreater(len(asked), 50)
        empty = set()
        for expressions, labels in asked:
            known: set[str] = set()
            for expression in expressions:
                found = prometheus.ask("query", query=expression)["result"]
                known |= {label for one in found for label in one["metric"]}
                if not found:
                    empty.add(expression)
            self.assertEqual(labels - known, set(), expressions)
        self.assertEqual(empty, EMPTY)
        document = json.loads(DASHBOARD.read_text())
        (restarts,) = document["annotations"]["list"]
        prometheus.ask("query", query=filled_in(restarts["expr"]))
