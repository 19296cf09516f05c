"""A real Prometheus."""

import json
import signal
import socket
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.doubles.daemons import Labels
from tests.doubles.programs import PATIENCE, Folder
from tests.doubles.tools import tool


class Prometheus:
    """
    A real Prometheus that scrapes ``address`` every second, with rule files of ``rules``, and
    with ``more`` lines in the config of its job.
    """

    def __init__(
        self, folder: Folder, address: str, rules: Sequence[Path] = (), more: str = ""
    ) -> None:
        folder.write(
            "prometheus.yml",
            "global: {evaluation_interval: 1s}\n"
            f"rule_files: {json.dumps([str(path) for path in rules])}\n"
            "scrape_configs:\n"
            "- job_name: restic-reporter\n"
            "  scrape_interval: 1s\n"
            f"{more}"
            f"  static_configs: [{{targets: ['{address}']}}]\n",
        )
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self.program = folder.run(
            [
                tool("prometheus"),
                "--config.file=prometheus.yml",
                f"--storage.tsdb.path={folder.path / 'tsdb'}",
                f"--web.listen-address={self.address}",
            ]
        )
        self.program.wait_for("Server is ready to receive web requests")

    def reload(self) -> None:
        """Have it read its config and rules again; alerts keep their state."""
        self.program.signal(signal.SIGHUP)
        self.program.wait_for("Completed loading of configuration file")

    def ask(self, path: str, **parameters: str) -> Any:
        """The data of an answer of its API; an error of the query raises."""
        url = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=PATIENCE) as response:
            return json.load(response)["data"]

    def query(self, expression: str) -> dict[Labels, float]:
        """The values of an instant query, by all labels but those of the target."""
        result = {}
        for one in self.ask("query", query=expression)["result"]:
            labels = one["metric"].items()
            of_the_target = ("job", "instance", "__name__")
            kept = [(key, value) for key, value in labels if key not in of_the_target]
            result[tuple(sorted(kept))] = float(one["value"][1])
        return result

    def firing(self, name: str, **labels: str) -> list[dict[str, Any]]:
        """The firing alerts of that name with these ``labels``, as its API shows them."""
        wanted = {"alertname": name, **labels}.items()
        return [
            one
            for one in self.ask("alerts")["alerts"]
            if one["state"] == "firing" and wanted <= one["labels"].items()
        ]
