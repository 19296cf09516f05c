"""Daemons with a state folder that take results of jobs over HTTP."""

import os
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.daemons import Daemon
from tests.doubles.programs import PATIENCE, Folder
from tests.doubles.servers import EXAMPLE_PASSWORD, copy_example


class ResultsCase(SynchronousTestCase):
    """A folder with two repositories, and the daemon that watches the first."""

    def setUp(self) -> None:
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.entries = []
        for name in ("repo", "other"):
            copy_example(self.folder.path / name)
            self.entries.append({"repo": name, "password": EXAMPLE_PASSWORD})

    def start(self, *options: str, entries: Any = None, **environment: str) -> Daemon:
        """A daemon that serves; also one that ends what another one began."""
        self.daemon = Daemon(
            self.folder,
            self.entries[:1] if entries is None else entries,
            "--enable-lifecycle",
            "--reader=native",
            f"--state-dir={self.folder.path / 'state'}",
            *options,
            environment={"HOME": os.fspath(self.folder.path), **environment},
        ).serving()
        return self.daemon

    def post(self, url: str = "repo", **parameters: object) -> tuple[int, str]:
        """Status and body of the response to a result."""
        query = urllib.parse.urlencode({"url": url, **parameters})
        request = urllib.request.Request(
            f"http://{self.daemon.address}/-/results?{query}", method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def results(self, url: str = "repo") -> dict[str, tuple[float, float]]:
        """Success and time of the latest job of each kind, on the metrics page."""
        metrics = self.daemon.metrics()
        times = metrics.series("backup_result_timestamp_seconds", url=url)
        return {
            dict(labels)["kind"]: (
                metrics.series("backup_result_success", **dict(labels))[labels],
                time,
            )
            for labels, time in times.items()
        }
