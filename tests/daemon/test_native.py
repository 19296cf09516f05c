"""The whole daemon without restic: a real twistd, a real rest-server."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.daemons import Daemon
from tests.doubles.programs import Folder
from tests.doubles.servers import EXAMPLE_PASSWORD, RestServer, copy_example, restic


class NativeTests(SynchronousTestCase):
    """``--reader``, ``--cache-dir`` and ``--shard``."""

    def setUp(self) -> None:
        """A rest-server with one repository."""
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.server = RestServer(self.folder, self.folder.path / "data")
        copy_example(self.server.path / "repo")
        self.url = self.server.url("repo")
        self.home = self.folder.path / "home"
        self.home.mkdir()

    def daemon(self, *options: str, urls: tuple[str, ...] = ()) -> Daemon:
        """The daemon where there is no restic, after its first collection."""
        return Daemon(
            self.folder,
            [{"repo": url, "password": EXAMPLE_PASSWORD} for url in urls or (self.url,)],
            *options,
            restic="/no/such/restic",
            environment={"HOME": str(self.home), "TMPDIR": str(self.home)},
        ).serving()

    def loads(self, daemon: Daemon) -> float:
        """How many files were fetched."""
        metrics = daemon.metrics()
        self.assertEqual(metrics.value("backup_read_success", url=self.url), 1)
        name = "backup_storage_requests_total"
        return metrics.value(name, url=self.url, operation="load") or 0

    def files(self) -> set[Path]:
        """All that lies in the folder."""
        return {path for path in self.folder.path.rglob("*") if path.is_file()}

    def test_only_what_is_new(self) -> None:
        """Where there is no restic, auto reads natively; each file once, and nothing is written."""
        before = self.files()
        daemon = self.daemon()
        metrics = daemon.metrics()
        self.assertEqual(metrics.value("backup_snapshot_count", url=self.url), 62)
        labels = {"url": self.url, "backend": "rest", "reader": "native", "version": "2"}
        self.assertEqual(metrics.value("backup_repository_info", **labels), 1)
        # A key and the config come first.
        self.assertEqual(self.loads(daemon), 64)
        daemon.collect()
        self.assertEqual(self.loads(daemon), 64)
        self.assertEqual(self.files() - before, {daemon.config})
        restic(self.url, "tag", "--add", "new", "latest", password=EXAMPLE_PASSWORD)
        daemon.collect()
        # The config is looked at again, as the snapshots have changed.
        self.assertEqual(self.loads(daemon), 66)
        self.assertEqual(daemon.metrics().value("backup_snapshot_count", url=self.url), 62)

    def test_cache(self) -> None:
        """With a cache, which restic shares, a restart fetches the key and the config alone."""
        option = f"--cache-dir={self.folder.path / 'cache'}"
        daemon = self.daemon(option)
        self.assertEqual(self.loads(daemon), 64)
        daemon.stop()
        daemon = self.daemon(option)
        self.assertEqual(self.loads(daemon), 2)
        self.assertEqual(daemon.metrics().value("backup_snapshot_count", url=self.url), 62)

    def test_shards(self) -> None:
        """Each repository is in one shard, which shows in the build info."""
        # What falls where depends on the labels: ports and temporary folders change.
        urls = [f"repository-{number}" for number in range(6)]
        for url in urls:
            copy_example(self.folder.path / url)
        found: list[str] = []
        for shard in ("0/2", "1/2"):
            metrics = self.daemon(f"--shard={shard}", urls=tuple(urls)).metrics()
            (labels,) = metrics.series("restic_reporter_build_info")
            self.assertEqual(dict(labels)["shard"], shard)
            mine = [dict(one)["url"] for one in metrics.series("backup_snapshot_count")]
            self.assertNotEqual(mine, [])
            found += mine
        self.assertEqual(sorted(found), urls)
