"""A real Prometheus with the shipped alert rules: an alert from its start to its end."""

import os

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.daemons import Daemon
from tests.doubles.programs import Folder, wait_until
from tests.doubles.prometheus import Prometheus
from tests.doubles.quick_rules import quick_rules
from tests.doubles.servers import EXAMPLE_PASSWORD, copy_example, restic

ANOMALIES = (
    "ResticSourceVanished",
    "ResticNearlyEverythingChanged",
    "ResticNothingChanged",
    "ResticSnapshotBackdated",
    "ResticNothingRemoved",
    "ResticManyPathLists",
)


class AlertTests(SynchronousTestCase):
    """The life of an alert."""

    def test_backup_too_old(self) -> None:
        """It fires for an old backup, outlasts a restart of the daemon, ends with a new backup."""
        folder = Folder()
        self.addCleanup(folder.close)
        repository = copy_example(folder.path / "repository")
        data = folder.write("data", "of web-9")

        def back_up(*options: str) -> None:
            restic(repository, "backup", "--quiet", "--host", "web-9", *options, str(data))

        def firing() -> list[str]:
            """The times since which the alert fires: one that ended would have another."""
            alerts = prometheus.firing("ResticBackupTooOld", host="web-9", url=str(repository))
            return [one["activeAt"] for one in alerts]

        def seen() -> bool:
            return prometheus.query('backup_newest_timestamp{host="web-9"}') != {}

        back_up("--time", "2026-01-01 00:00:00")
        config = [{"repo": str(repository), "password": EXAMPLE_PASSWORD}]
        daemon = Daemon(folder, config).serving()
        # Longer than the restart takes, also on a busy machine.
        prometheus = Prometheus(folder, daemon.address, [quick_rules(folder, "2m")])
        wait_until(lambda: firing() != [])
        since = firing()

        daemon.stop()
        wait_until(lambda: not seen())
        self.assertEqual(firing(), since)
        daemon = Daemon(folder, config, f"--bind={daemon.address}").serving()
        wait_until(seen)
        self.assertEqual(firing(), since)

        quick_rules(folder, "1s")
        prometheus.reload()
        back_up()
        daemon.collect()
        wait_until(lambda: firing() == [])
        self.assertEqual(prometheus.firing("ResticRepositoryUnreadable"), [])
        self.assertEqual(
            prometheus.query('time() - backup_newest_timestamp{host="web-9"} > 3600'), {}
        )

    def test_anomalies(self) -> None:
        """Encrypted files, an empty folder and a given time each cause their own alert."""
        folder = Folder()
        self.addCleanup(folder.close)
        repository = copy_example(folder.path / "repository")
        data = folder.path / "data"
        data.mkdir()

        def back_up(*options: str) -> None:
            restic(repository, "backup", "--quiet", "--host", "web-9", *options, str(data))

        def firing() -> set[str]:
            return {name for name in ANOMALIES if prometheus.firing(name, url=str(repository))}

        files = [data / f"{number}" for number in range(9)]
        for file in files:
            file.write_bytes(os.urandom(10_000))
        for file in files[:7]:
            file.write_bytes(os.urandom(10_000))
            back_up()
        config = [{"repo": str(repository), "password": EXAMPLE_PASSWORD}]
        daemon = Daemon(folder, config).serving()
        prometheus = Prometheus(folder, daemon.address, [quick_rules(folder, "1s")])
        wait_until(lambda: prometheus.query("backup_backdated_snapshot_count") != {})
        wait_until(lambda: prometheus.query("set:backup_newest_files:sum") != {})
        self.assertEqual(firing(), set())

        for file in files:
            file.write_bytes(os.urandom(10_000))
        back_up()
        daemon.collect()
        wait_until(lambda: firing() == {"ResticNearlyEverythingChanged"})
        for file in files:
            file.unlink()
        back_up()
        daemon.collect()
        wait_until(lambda: firing() == {"ResticSourceVanished"})
        back_up("--time", "2026-01-01 00:00:00")
        daemon.collect()
        wait_until(lambda: firing() == {"ResticSourceVanished", "ResticSnapshotBackdated"})
