"""The whole daemon with a large fleet, half of which is dead."""

import json
import socket

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.daemons import Daemon
from tests.doubles.programs import Folder
from tests.doubles.servers import RestServer, copy_example, snapshots


class FleetTests(SynchronousTestCase):
    """Many repositories due at once."""

    def test_half_of_them_silent(self) -> None:
        """Of 500 repositories 250 never answer: they time out, and every other one is read."""
        folder = Folder()
        self.addCleanup(folder.close)
        server = RestServer(folder, folder.path / "data")
        repository = copy_example(server.path / "repo")
        answer = folder.write("answer.json", json.dumps(snapshots(repository)))
        quick = folder.write("quick-restic", f"#!/bin/sh\nexec cat {answer}\n", 0o755)
        # The kernel takes the connections, and nobody ever answers them.
        silent = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.addCleanup(silent.close)
        dead = f"rest:http://127.0.0.1:{silent.getsockname()[1]}"
        entries = []
        for number in range(250):
            (server.path / f"r{number}").symlink_to(repository)
            entries.append({"repo": f"{dead}/{number}", "timeout": 1})
            entries.append({"repo": server.url(f"r{number}")})
        daemon = Daemon(
            folder,
            {"defaults": {"password": "x"}, "repositories": entries},
            "--concurrency=50",
            restic=str(quick),
        ).serving()
        metrics = daemon.metrics()
        self.assertEqual(metrics.value("backup_job_error_count"), 250)
        self.assertEqual(
            set(metrics.series("backup_read_failures_total", reason="timeout")),
            {(("reason", "timeout"), ("url", f"{dead}/{number}")) for number in range(250)},
        )
        self.assertEqual(set(metrics.series("backup_snapshot_count").values()), {62.0})
        self.assertEqual(len(metrics.series("backup_snapshot_count")), 250)
        self.assertEqual(daemon.stop(), -2)
