"""The whole daemon with a Vault token that lives for seconds."""

import time

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.certificates import Authority
from tests.doubles.daemons import Daemon
from tests.doubles.fake_vault import FakeVault, Role
from tests.doubles.programs import Folder
from tests.doubles.servers import EXAMPLE_PASSWORD, example

RENEWALS = 20
LOGINS = 3


class LifeTests(SynchronousTestCase):
    """A token that lives 2 seconds, and 12 at most."""

    def test_renewals_and_logins(self) -> None:
        """Twenty renewals and three logins go by without a look-up that fails."""
        folder = Folder()
        self.addCleanup(folder.close)
        authority = Authority.make()
        vault = FakeVault(
            pem=authority.issue(),
            role=Role(ttl=2.0, max_ttl=12.0),
            documents={"restic/example": {"key": EXAMPLE_PASSWORD}},
        )
        self.addCleanup(vault.close)
        ca = folder.write("ca.pem", authority.pem.decode())
        daemon = Daemon(
            folder,
            [{"repo": str(example()), "vault_material": "restic/example"}],
            environment={**vault.environment(), "VAULT_CACERT": str(ca)},
        ).serving()
        started = time.time()
        for rounds in range(1, 6):
            renewals, logins = rounds * RENEWALS // 5, (rounds * LOGINS + 4) // 5
            vault.wait_for("renew", renewals)
            vault.wait_for("login", logins)
            daemon.reload()
            metrics = daemon.metrics()
            self.assertEqual(metrics.value("backup_config_last_reload_successful"), 1)
            ends = metrics.value("backup_vault_token_expiry_timestamp_seconds")
            assert ends is not None
            # Its lease, which the fake rounds, began between the start and now.
            self.assertTrue(started <= ends <= time.time() + vault.role.ttl + 1, ends)
        daemon.collect()
        metrics = daemon.metrics()
        self.assertEqual(metrics.value("backup_read_success", url=str(example())), 1)
        self.assertEqual(metrics.series("backup_read_failures_total"), {})
        # A token that was lost on a busy machine may be one login more, but there is no loop.
        self.assertLess(vault.counts["login"], vault.counts["renew"])
        self.assertGreater(len(set(vault.seen)), LOGINS - 1)
        self.assertNotIn("hvs.", daemon.program.output)
        self.assertNotIn("secret-id", daemon.program.output)
        daemon.stop()
