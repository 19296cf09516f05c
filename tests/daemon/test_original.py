"""The original restic-reporter's command line and config, as its users have them."""

import json
import signal

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.daemons import SCRIPT, Daemon, Labels
from tests.doubles.programs import Folder
from tests.doubles.servers import EXAMPLE_PASSWORD, RestServer, copy_example, snapshots

RUN = (*SCRIPT, "run")

# By name, with the labels that are fixed for ever.
METRICS = {
    "backup_job_last_success_unixtime": (),
    "backup_job_error_count": (),
    "backup_read_error_count": ("url",),
    "backup_snapshot_count": ("url",),
    "backup_newest_timestamp": ("host", "url", "user"),
    "backup_days_age": ("host", "url", "user"),
}


class OriginalTests(SynchronousTestCase):
    """All that its users rely on."""

    def setUp(self) -> None:
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.server = RestServer(self.folder, self.folder.path / "data")
        self.repository = copy_example(self.server.path / "repo")

    def names(self, series: dict[Labels, float]) -> set[tuple[str, ...]]:
        """The names of the labels of some series."""
        return {tuple(key for key, _ in labels) for labels in series}

    def test_unchanged(self) -> None:
        """Its config, flags, metrics and signals work as they are."""
        good = {"repo": self.server.url("repo"), "password": EXAMPLE_PASSWORD}
        material = {"vault_material": "service/backups/key"}
        disabled = [
            {"disabled": True, "repo": "b2:my-bucket-too:", **material, "b2_key": "k"},
            {"disabled": True, "repo": self.server.url("other"), **material},
        ]
        self.folder.write("backups.json", json.dumps([good, *disabled]), 0o600)
        daemon = Daemon(
            self.folder,
            [],
            *("-config", "backups.json", "-cron=17 * * * *", "--no-discover-vault", "-no-vault"),
            command=RUN,
            environment={"VAULT_ADDR": "http://127.0.0.1:1"},
        ).serving()
        metrics = daemon.metrics()
        for name, labels in METRICS.items():
            self.assertEqual(self.names(metrics.series(name)), {labels}, name)
        url = good["repo"]
        self.assertEqual(
            metrics.value("backup_snapshot_count", url=url), len(snapshots(self.repository))
        )
        daemon.collect()
        daemon.program.signal(signal.SIGHUP)
        daemon.program.wait_for("config reloaded: 1 repository")
        self.assertEqual(daemon.stop(signal.SIGINT), -signal.SIGINT)
