"""restic-exporter's dashboard and alerts, with a real Prometheus and our metrics."""

import urllib.parse
import urllib.request

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.environment_daemon import EnvironmentDaemon
from tests.doubles.programs import PATIENCE, Folder, wait_until
from tests.doubles.prometheus import Prometheus
from tests.doubles.restic_exporter import OF_REPOSITORY, SUMMED
from tests.doubles.servers import EXAMPLE_PASSWORD, copy_example, restic


class DashboardTests(SynchronousTestCase):
    """What its panels and rules ask for."""

    def setUp(self) -> None:
        """A repository with old clients, and one that has backed up two lists of paths."""
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.repository = copy_example(self.folder.path / "repository")
        for name in ("one", "two"):
            path = self.folder.write(name, name)
            restic(self.repository, "backup", "--host=h", str(path))
        self.daemon = EnvironmentDaemon(
            self.folder,
            {"RESTIC_REPOSITORY": str(self.repository), "RESTIC_PASSWORD": EXAMPLE_PASSWORD},
            "--compat=restic-exporter",
            "--enable-lifecycle",
        ).serving()
        self.prometheus = Prometheus(self.folder, self.daemon.address)
        wait_until(lambda: self.prometheus.query("restic_snapshots_total") != {})

    def report_check(self, status: int) -> None:
        """Report that a check has ended with this status."""
        values = {"url": str(self.repository), "kind": "check", "exit": str(status)}
        url = f"http://{self.daemon.address}/-/results?{urllib.parse.urlencode(values)}"
        urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=PATIENCE).close()

    def test_panels(self) -> None:
        """Each panel's query has a value for the repository, or for each client."""
        query = self.prometheus.query
        for name in OF_REPOSITORY:
            self.assertEqual(set(query(name)), {()}, name)
        sums = {name: query(f"sum by(client_hostname,client_username) ({name})") for name in SUMMED}
        for name, values in sums.items():
            user = next(labels for labels in values if dict(labels)["client_hostname"] == "h")
            self.assertEqual([key for key, _ in user], ["client_hostname", "client_username"], name)
        self.assertEqual(sums["restic_backup_snapshots_total"][user], 2)
        self.assertEqual(sums["restic_backup_size_total"][user], 6)
        ages = query("time() - restic_backup_timestamp")
        self.assertEqual(len(ages), len(query("restic_backup_timestamp * 1000")))
        self.assertGreater(len(ages), 2)

    def test_alerts(self) -> None:
        """Its two rules: a failed check, and a backup that is too old."""
        query = self.prometheus.query
        late = query("time() - restic_backup_timestamp > 1209600")
        self.assertNotEqual(late, {})
        self.assertNotIn("h", {dict(labels)["client_hostname"] for labels in late})
        self.assertEqual(query("restic_check_success == 0"), {})
        self.report_check(1)
        wait_until(lambda: query("restic_check_success == 0") == {(): 0.0})
        self.report_check(0)
        wait_until(lambda: query("restic_check_success") == {(): 1.0})
