"""The whole daemon with secrets in Vault: a real twistd against a strict fake."""

import time

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.daemons import Daemon, Metrics
from tests.doubles.fake_vault import SEALED, FakeVault
from tests.doubles.fake_vault_http import hang
from tests.doubles.programs import Folder
from tests.doubles.servers import EXAMPLE_PASSWORD, RestServer, copy_example, example

USER = ("reporter", "rest-password")


class VaultTests(SynchronousTestCase):
    """A repository that needs Vault, and one that does not."""

    def setUp(self) -> None:
        """A rest-server that wants credentials, and a Vault that has them."""
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.server = RestServer(self.folder, self.folder.path / "data", dict([USER]))
        copy_example(self.server.path / "repo")
        self.url = self.server.url("repo")
        self.vault = FakeVault(
            documents={
                "restic/example": {"key": EXAMPLE_PASSWORD},
                "restic/server": {"username": USER[0], "password": USER[1]},
            }
        )
        self.addCleanup(self.vault.close)
        self.entry = {
            "repo": self.url,
            "rest_vault_material": "restic/server",
            "vault_material": "restic/example",
        }
        self.other = {"repo": str(example()), "password": EXAMPLE_PASSWORD}

    def start(self, environment: dict[str, str] | None = None) -> Daemon:
        """A daemon with both repositories."""
        if environment is None:
            environment = self.vault.environment()
        config = [self.other, self.entry]
        return Daemon(self.folder, config, "--reader=native", environment=environment)

    def assert_read(self, metrics: Metrics, *, well: bool = True, failures: int = 0) -> None:
        """The repository was read well or not, and so many times not; the other one always was."""
        self.assertEqual(metrics.value("backup_read_success", url=self.url), int(well))
        self.assertEqual(
            metrics.value("backup_read_failures_total", url=self.url, reason="secret"),
            failures or None,
        )
        self.assertEqual(metrics.value("backup_read_success", url=str(example())), 1)

    def test_app_role(self) -> None:
        """The daemon logs in, looks up and reads; the page tells when the token ends."""
        before = time.time()
        metrics = self.start().serving().metrics()
        self.assert_read(metrics)
        self.assertEqual(metrics.value("backup_snapshot_count", url=self.url), 62)
        ends = metrics.value("backup_vault_token_expiry_timestamp_seconds")
        assert ends is not None
        # Its lease, which the fake rounds, began between then and now.
        granted = ends - self.vault.role.ttl
        self.assertTrue(before - 1 <= granted <= time.time() + 1, granted)
        self.assertEqual(self.vault.counts["login"], 1)
        self.assertEqual(sorted(self.vault.paths), ["data/restic/example", "data/restic/server"])

    def test_root_token(self) -> None:
        """A token without an end has no end on the page, and version 1 needs no word."""
        self.vault.version = 1
        metrics = self.start(self.vault.environment(self.vault.issue(0))).serving().metrics()
        self.assert_read(metrics)
        self.assertEqual(metrics.series("backup_vault_token_expiry_timestamp_seconds"), {})

    def test_out_of_reach_at_start(self) -> None:
        """The daemon serves; what needs Vault fails, and is tried again until Vault is there."""
        self.vault.troubles[""] = SEALED
        daemon = self.start().serving()
        self.assert_read(daemon.metrics(), well=False, failures=1)
        self.assertIn("cannot read " + self.url, daemon.program.output)
        self.vault.troubles.clear()
        # However recently it failed, an order by hand asks it anew.
        daemon.collect()
        self.assertEqual(daemon.metrics().value("backup_snapshot_count", url=self.url), 62)

    def test_document_missing_at_start(self) -> None:
        """It is told by entry, key, path and field, without a value."""
        self.vault.documents["restic/example"] = {"kye": "hidden value"}
        daemon = self.start().serving()
        self.assert_read(daemon.metrics(), well=False, failures=1)
        output = daemon.program.output
        # The password of entry 1 is the word "example".
        self.assertIn(
            "entry 2: vault_material: 'restic/***': the document has no field 'key' (secret)",
            output,
        )
        self.assertNotIn("hidden", output)
        self.vault.documents["restic/example"] = {"key": EXAMPLE_PASSWORD}
        daemon.collect()
        self.assert_read(daemon.metrics(), failures=1)

    def test_reload(self) -> None:
        """A reload takes up what has changed in Vault, or else leaves all as it was."""
        daemon = self.start().serving()
        self.vault.troubles["read"] = SEALED
        daemon.configure([self.entry])
        daemon.reload()
        daemon.collect()
        metrics = daemon.metrics()
        self.assert_read(metrics)
        self.assertEqual(metrics.value("backup_config_last_reload_successful"), 0)
        self.assertIn(
            "config not reloaded, keeping the running one: config.json: entry 1:"
            " rest_vault_material: 'restic/server': ",
            daemon.program.output,
        )
        self.vault.troubles.clear()
        self.vault.documents["restic/example"] = {"key": "another password"}
        daemon.reload()
        self.assertEqual(daemon.metrics().value("backup_config_last_reload_successful"), 1)
        daemon.collect()
        metrics = daemon.metrics()
        self.assertEqual(
            metrics.value("backup_read_failures_total", url=self.url, reason="auth"), 1
        )
        self.assertEqual(metrics.value("backup_snapshot_count", url=self.url), 62)
        self.assertEqual(metrics.series("backup_read_success", url=str(example())), {})

    def test_without_vault(self) -> None:
        """Without VAULT_ADDR all else works, a reload too."""
        daemon = self.start({"VAULT_TOKEN": "token"}).serving()
        self.assert_read(daemon.metrics(), well=False, failures=1)
        self.assertIn("VAULT_ADDR is not set", daemon.program.output)
        daemon.configure([self.entry, self.other])
        daemon.reload()
        daemon.collect()
        metrics = daemon.metrics()
        self.assert_read(metrics, well=False, failures=2)
        self.assertEqual(metrics.value("backup_config_last_reload_successful"), 1)
        self.assertEqual(self.vault.counts.total(), 0)

    def test_no_way_in(self) -> None:
        """A Vault that cannot be logged in to ends the start."""
        for more in ({}, {"VAULT_ROLE_ID": "role"}):
            daemon = self.start({"VAULT_ADDR": self.vault.address, **more})
            self.assertEqual(daemon.program.end(), 1)
            output = daemon.program.output
            self.assertIn("restic-reporter: VAULT_ADDR", output)
            self.assertNotIn("Traceback", output)

    def test_stop(self) -> None:
        """A Vault that hangs holds up neither the start for long nor the stop."""
        self.vault.troubles["read"] = hang
        daemon = self.start()
        daemon.program.wait_for("read .*examples/repository: 62 snapshots")
        self.vault.wait_for("read", 1)
        daemon.stop()
        # It has not waited for its look-up.
        self.assertNotIn("timed out", daemon.program.output)
        self.assertNotIn("Traceback", daemon.program.output)
