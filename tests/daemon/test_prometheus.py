"""A real Prometheus, and its linter, with what the daemon serves."""

import subprocess

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.daemons import Daemon
from tests.doubles.programs import PATIENCE, Folder, wait_until
from tests.doubles.prometheus import Prometheus
from tests.doubles.servers import EXAMPLE_PASSWORD, RestServer, copy_example
from tests.doubles.tools import tool

# What promtool has to say of names that are fixed for ever.
KNOWN_COMPLAINTS = {
    f'{name} non-histogram and non-summary metrics should not have "_count" suffix'
    for name in (
        "backup_job_error_count",
        "backup_read_error_count",
        "backup_snapshot_count",
        "backup_set_snapshot_count",
        "backup_future_snapshot_count",
        "backup_invalid_snapshot_count",
        "backup_backdated_snapshot_count",
        "backup_key_count",
        "backup_lock_count",
        "backup_stale_lock_count",
    )
} | {
    f'{name} use base unit "seconds" instead of "days"'
    for name in ("backup_days_age", "backup_set_retained_days")
}


class PrometheusTests(SynchronousTestCase):
    """Scraping."""

    def setUp(self) -> None:
        """A daemon with one good and one bad repository."""
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        server = RestServer(self.folder, self.folder.path / "data")
        copy_example(server.path / "repo")
        self.daemon = Daemon(
            self.folder,
            [
                {"repo": server.url("repo"), "password": EXAMPLE_PASSWORD, "reader": "native"},
                {"repo": server.url("missing"), "password": EXAMPLE_PASSWORD},
            ],
        ).serving()

    def test_scraped(self) -> None:
        """Prometheus has the very values of the page, and scrapes it without a complaint."""
        prometheus = Prometheus(self.folder, self.daemon.address)
        wait_until(lambda: prometheus.query("up") == {(): 1.0})
        metrics = self.daemon.metrics()
        for name in (
            "backup_job_last_success_unixtime",
            "backup_job_error_count",
            "backup_read_error_count",
            "backup_snapshot_count",
            "backup_newest_timestamp",
            "backup_days_age",
            "backup_read_failures_total",
            "backup_repository_info",
            "restic_reporter_build_info",
        ):
            self.assertNotEqual(metrics.series(name), {}, name)
            # For Prometheus a label without a value is none.
            expected = {
                tuple(label for label in labels if label[1]): value
                for labels, value in metrics.series(name).items()
            }
            self.assertEqual(prometheus.query(name), expected, name)
        self.assertEqual(prometheus.query("scrape_samples_scraped"), {(): len(metrics.samples)})
        self.assertNotEqual(prometheus.query("restic_reporter_reactor_lag_seconds"), {})
        late = prometheus.query("time() - backup_newest_timestamp > 86400 * 2")
        self.assertNotEqual(late, {})

    def test_promtool(self) -> None:
        """``promtool check metrics`` only complains of what is known."""
        done = subprocess.run(
            [tool("promtool"), "check", "metrics"],
            input=self.daemon.get("/metrics"),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        complaints = set((done.stdout + done.stderr).splitlines())
        self.assertEqual(complaints, KNOWN_COMPLAINTS)

    def test_openmetrics(self) -> None:
        """Asked as Prometheus asks, the daemon answers in OpenMetrics, with the same samples."""
        accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
        page = self.daemon.get("/metrics", {"Accept": accept})
        self.assertTrue(page.endswith("# EOF\n"))
        plain = [line for line in self.daemon.get("/metrics").splitlines() if line[0] != "#"]
        samples = [line for line in page.splitlines() if line[0] != "#"]
        self.assertEqual(
            [line for line in samples if line.startswith("backup_")],
            [line for line in plain if line.startswith("backup_")],
        )
