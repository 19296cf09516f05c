"""The daemon as a child process, and its metrics."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.doubles import programs
from tests.doubles.programs import ROOT, Folder
from tests.doubles.tools import tool

Labels = tuple[tuple[str, str], ...]

# The console script.
SCRIPT = (sys.executable, "-m", "restic_reporter")


def variables() -> dict[str, str]:
    """What each program of ours gets: this tree, and nothing of the user's but the path."""
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}


def run_script(
    directory: Path, *arguments: str, more: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run the console script to its end, with ``more`` variables and its output in pipes."""
    return subprocess.run(
        [*SCRIPT, *arguments],
        cwd=directory,
        env={**variables(), **(more or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=programs.PATIENCE,
    )


class Daemon:
    """``twistd -n restic-reporter``, or another ``command``, as a child process."""

    def __init__(
        self,
        folder: Folder,
        config: Any,
        *options: str,
        twistd_options: Sequence[str] = ("-n",),
        environment: Mapping[str, str] | None = None,
        restic: str = "restic-0.18",
        twistd: str | None = None,
        command: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self.config = folder.path / "config.json"
        self.configure(config)
        program = restic if "/" in restic else tool(restic)
        twistd = twistd or str(Path(sys.executable).with_name("twistd"))
        self.program = folder.run(
            [
                *(command or (twistd, *twistd_options, "--pidfile=", "restic-reporter")),
                "--config=config.json",
                "--bind=127.0.0.1:0",
                f"--restic={program}",
                *options,
            ],
            {**variables(), "PYTHONUNBUFFERED": "1", **(environment or {})},
        )
        self.address = ""

    def configure(self, config: Any) -> None:
        """Write another config; text is written as it is."""
        self.config.write_text(config if isinstance(config, str) else json.dumps(config))
        self.config.chmod(0o600)

    def serving(self) -> "Daemon":
        """Wait until it listens: after the first collection, or a full restore from the state."""
        self.address = self.program.wait_for(r"listening on (\S+)")[1]
        return self

    def collect(self) -> None:
        """Have it collect by USR1, and wait for the end of that."""
        self.program.signal(signal.SIGUSR1)
        self.program.wait_for("collected .* repositor")

    def reload(self) -> None:
        """Have it read its config by HUP, and wait for the outcome."""
        self.program.signal(signal.SIGHUP)
        self.program.wait_for("config reloaded|config not reloaded")

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> str:
        """The body of a page."""
        url = f"http://{self.address}{path}"
        request = urllib.request.Request(url, headers=dict(headers or {}))
        with urllib.request.urlopen(request, timeout=programs.PATIENCE) as response:
            body: bytes = response.read()
        return body.decode()

    def metrics(self) -> "Metrics":
        """What a scrape gives now."""
        return Metrics(self.get("/metrics"))

    def stop(self, number: int = signal.SIGINT) -> int:
        """Stop it by a signal; its exit status."""
        self.program.signal(number)
        return self.program.end()


class Metrics:
    """A scraped page, parsed by prometheus_client."""

    def __init__(self, page: str) -> None:
        self.page = page
        self.samples: dict[tuple[str, Labels], float] = {}
        for family in text_string_to_metric_families(page):
            for one in family.samples:
                key = (one.name, tuple(sorted(one.labels.items())))
                assert key not in self.samples, f"{key} stands twice"
                self.samples[key] = one.value

    def value(self, name: str, **labels: str) -> float | None:
        """The value of one series, ``None`` where there is none."""
        return self.samples.get((name, tuple(sorted(labels.items()))))

    def series(self, name: str, **labels: str) -> dict[Labels, float]:
        """All series of ``name`` that have these ``labels``, by all their labels."""
        return {
            key: value
            for (series, key), value in self.samples.items()
            if series == name and set(labels.items()) <= set(key)
        }

    def names(self, **labels: str) -> set[str]:
        """The names of all series with these ``labels``."""
        return {name for name, key in self.samples if set(labels.items()) <= set(key)}
