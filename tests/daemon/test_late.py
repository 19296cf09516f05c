"""The whole daemon tells which backups are late, though no limit is configured."""

import time
from datetime import UTC, datetime

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.daemons import Daemon, Metrics
from tests.doubles.native_repositories import PASSWORD, SealedRepository, snapshot_json
from tests.doubles.programs import Folder

HOUR, DAY = 3600.0, 86400.0


class LateTests(SynchronousTestCase):
    """Two hosts with a backup each night, one of which has stopped, and a new one."""

    def setUp(self) -> None:
        """A repository in a folder."""
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.path = self.folder.path / "repository"
        made = SealedRepository.made()
        now = time.time()
        self.names: list[str] = []
        for host, newest, count in (
            ("fine", 5 * HOUR, 40),
            ("stopped", 4 * DAY, 40),
            ("new", 0, 2),
        ):
            for number in range(count):
                moment = datetime.fromtimestamp(now - newest - number * DAY, UTC)
                self.names.append(
                    made.add_snapshot(snapshot_json(moment.isoformat(), hostname=host))
                )
        for folder in ("keys", "locks", "snapshots"):
            (self.path / folder).mkdir(parents=True)
        for name, content in made.files.items():
            (self.path / name).write_bytes(content)

    def start(self) -> Daemon:
        """A daemon that remembers, and has collected."""
        config = [{"repo": str(self.path), "password": PASSWORD}]
        return Daemon(self.folder, config, "--reader=native", "--state-dir=state").serving()

    def hosts(self, metrics: Metrics, name: str) -> dict[str, float]:
        """The values of a metric by host."""
        return {dict(labels)["host"]: value for labels, value in metrics.series(name).items()}

    def test_late(self) -> None:
        """The host that has stopped is late, also after a restart without its old snapshots."""
        daemon = self.start()
        metrics = daemon.metrics()
        learned = self.hosts(metrics, "backup_set_learned_max_age_seconds")
        self.assertEqual(set(learned), {"fine", "stopped"})
        for age in learned.values():
            self.assertTrue(DAY < age <= 2 * DAY, age)
        self.assertEqual(self.hosts(metrics, "backup_set_late"), {"fine": 0, "stopped": 1})
        self.assertEqual(metrics.series("backup_set_overdue"), {})
        page = daemon.get("/")
        self.assertIn("late, limit learned", page)
        for name in self.names:
            if name not in (self.names[0], self.names[40], self.names[80]):
                (self.path / "snapshots" / name).unlink()
        daemon.collect()
        for _ in range(2):
            metrics = daemon.metrics()
            self.assertEqual(metrics.value("backup_snapshot_count", url=str(self.path)), 3)
            self.assertEqual(self.hosts(metrics, "backup_set_learned_max_age_seconds"), learned)
            self.assertEqual(self.hosts(metrics, "backup_set_late"), {"fine": 0, "stopped": 1})
            daemon.stop()
            daemon = self.start()
