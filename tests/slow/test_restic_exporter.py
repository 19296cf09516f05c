"""
restic-exporter itself beside the daemon, on the same repository.

It is in no registry, so the test runs the program that RESTIC_EXPORTER names: the path of its
``exporter.py``, which needs prometheus_client only. Without one, it compares with what is
documented of it.
"""

import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.daemons import Labels, Metrics
from tests.doubles.environment_daemon import RUN, EnvironmentDaemon
from tests.doubles.programs import Folder
from tests.doubles.restic_exporter import OF_CLIENT, documented, restic_metrics
from tests.doubles.servers import EXAMPLE_PASSWORD, copy_example, restic, snapshots
from tests.doubles.tools import tool

# What only that program computes, by `restic stats` and `restic check`; and what is measured.
COMPUTED = {
    *("restic_check_success", "restic_size_total", "restic_uncompressed_size_total"),
    *("restic_compression_ratio", "restic_blob_count_total", "restic_scrape_duration_seconds"),
}

# That program takes the local time of a snapshot for its own: so much later are those of these
# hosts of the example, in seconds.
OFFSETS = {"db-1": 3600, "nas-1": -5 * 3600}


class ComparisonTests(SynchronousTestCase):
    """All series of both."""

    def setUp(self) -> None:
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.repository = copy_example(self.folder.path / "repository")
        for host, tags in (("café", []), ("web", ["--tag=z", '--tag=a "b",c'])):
            for paths in (["one"], ["one", "two"]):
                files = [str(self.folder.write(name, host)) for name in paths]
                restic(self.repository, "backup", "--host", host, *tags, *files)

    def shown(
        self, command: Sequence[str], ready: str, port: int, *options: str
    ) -> dict[tuple[str, Labels], float]:
        """What a program shows after its first collection, at ``port`` if that is not 0."""
        given = {
            "RESTIC_REPOSITORY": str(self.repository),
            "RESTIC_PASSWORD": EXAMPLE_PASSWORD,
            "INCLUDE_PATHS": "true",
            "NO_LEGACY_STATS": "true",
            "LISTEN_PORT": str(port),
            "PATH": f"{self.folder.path}:{os.environ['PATH']}",
            "HOME": str(self.folder.path),
            "TZ": "UTC",
        }
        daemon = EnvironmentDaemon(self.folder, given, *options, command=command)
        found = daemon.program.wait_for(ready)
        daemon.address = f"127.0.0.1:{port}" if port else found[1]
        metrics = restic_metrics(Metrics(daemon.get("/metrics")))
        daemon.stop()
        return metrics

    def test_same(self) -> None:
        """Names, labels and values are the same but for what only that program computes."""
        ours = self.shown(RUN, r"listening on (\S+)", 0, "--compat=restic-exporter")
        program = os.environ.get("RESTIC_EXPORTER")
        if program:
            (self.folder.path / "restic").symlink_to(tool("restic-0.18"))
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            command = (sys.executable, str(Path(program).resolve()))
            theirs = self.shown(command, "Refreshing stats", port)
        else:
            theirs = documented(snapshots(self.repository))
            ours = {one: value for one, value in ours.items() if one[0] in OF_CLIENT}
        self.assertEqual(theirs.keys(), ours.keys())
        self.assertGreater(len(theirs), 50)
        for (name, labels), value in theirs.items():
            difference = value - ours[name, labels]
            if program and name == "restic_backup_timestamp":
                difference -= OFFSETS.get(dict(labels)["client_hostname"], 0)
            if name not in COMPUTED:
                self.assertAlmostEqual(difference, 0, places=5, msg=f"{name} {labels}")
