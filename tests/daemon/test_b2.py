"""The whole daemon against a fake B2 in which the real restic keeps its repositories."""

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.daemon import test_values as test_daemon_values
from tests.doubles.daemons import Daemon
from tests.doubles.fake_b2 import FakeB2
from tests.doubles.fake_b2_objects import READ_ONLY, Key
from tests.doubles.native_repositories import SealedRepository
from tests.doubles.programs import Folder
from tests.doubles.servers import EXAMPLE_PASSWORD, restic

LIST = "b2_list_file_names"


class DaemonTests(SynchronousTestCase):
    """Metrics against ``restic -r b2:… snapshots --json``, both from the same server."""

    assert_equal_to_restic: Any = test_daemon_values.ValuesTests.assert_equal_to_restic

    def setUp(self) -> None:
        """A fake with two buckets, reached by restic by Backblaze's own names."""
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.fake = FakeB2()
        self.addCleanup(self.fake.close)
        account = self.fake.account
        self.bucket = account.add_bucket("some-bucket")
        self.writer = account.add_key()
        self.proxy = self.fake.named()
        self.url = self.fake.direct(tls=True)
        self.ca = self.folder.write("ca.pem", self.fake.authority.pem.decode())
        self.data = self.folder.write("data", "content")

    def restic(self, location: str, *arguments: str) -> str:
        """What the real restic prints."""
        environment = self.fake.environment(self.writer, self.proxy)
        return restic(location, "--cacert", str(self.ca), *arguments, environment=environment)

    def made(self, location: str, *hosts: str) -> str:
        """A repository with one snapshot of each host, and a key that is cheap to open."""
        _, bucket, path = location.split(":")
        buckets = {one.name: one for one in self.fake.account.buckets.values()}
        empty = SealedRepository()
        empty.add_key(EXAMPLE_PASSWORD)
        for name, content in empty.files.items():
            file = f"{path}/{name}".removeprefix("/")
            self.fake.account.put(buckets[bucket], file, content)
        for host in hosts:
            self.restic(location, "backup", "--quiet", "--host", host, str(self.data))
        return location

    def snapshots(self, location: str) -> list[dict[str, Any]]:
        """What restic lists."""
        listed: list[dict[str, Any]] = json.loads(self.restic(location, "snapshots", "--json"))
        return listed

    def entry(self, location: str, key: Key | None, **more: Any) -> dict[str, Any]:
        """An entry of the config."""
        own = {} if key is None else {"b2_account_id": key.id, "b2_key": key.secret}
        return {
            "repo": location,
            "password": EXAMPLE_PASSWORD,
            "cacert": "ca.pem",
            "b2_api_url": self.url,
            "reader": "restic",
            **own,
            **more,
        }

    def daemon(self, *entries: dict[str, Any], **environment: str) -> Daemon:
        """The daemon, after its first collection."""
        options = {"HTTPS_PROXY": self.proxy.url, **environment}
        return Daemon(self.folder, list(entries), environment=options).serving()

    def test_values(self) -> None:
        """Values are restic's; an unchanged repository is one list call and no restic."""
        one = self.made("b2:some-bucket:a b+/ü", "h1", "h1", "h2")
        two = self.made("b2:some-bucket:", "h3")
        key = self.fake.account.add_key(READ_ONLY, [self.bucket])
        daemon = self.daemon(self.entry(one, key), self.entry(two, key))
        metrics = daemon.metrics()
        for url in (one, two):
            self.assert_equal_to_restic(metrics, url, self.snapshots(url))
            self.assertEqual(metrics.value("backup_lock_count", url=url), 0)
            self.assertEqual(self.requests(daemon, url, "list"), 1)
            labels = {"url": url, "backend": "b2", "reader": "restic", "version": ""}
            self.assertEqual(metrics.value("backup_repository_info", **labels), 1)
        self.assertEqual(sum(self.requests(daemon, url, "auth") for url in (one, two)), 1)
        for times in (2, 3):
            self.fake.account.reset_counts()
            daemon.collect()
            self.assertEqual(self.fake.account.calls, {LIST: 2})
            self.assertEqual(self.fake.account.transactions, {"C": 2})
            self.assertEqual(self.requests(daemon, one, "list"), times)
        self.restic(one, "backup", "--quiet", "--host", "new", str(self.data))
        daemon.collect()
        self.assert_equal_to_restic(daemon.metrics(), one, self.snapshots(one))
        self.restic(one, "forget", self.snapshots(one)[0]["id"])
        self.fake.account.put(self.bucket, "a b+/ü/locks/" + "0" * 64, b"")
        daemon.collect()
        metrics = daemon.metrics()
        self.assert_equal_to_restic(metrics, one, self.snapshots(one))
        self.assertEqual(metrics.value("backup_lock_count", url=one), 1)
        self.assertEqual(self.fake.misdirected, {})

    def requests(self, daemon: Daemon, url: str, operation: str) -> float:
        """How many requests the page says there were."""
        name = "backup_storage_requests_total"
        return daemon.metrics().value(name, url=url, operation=operation) or 0

    def test_native(self) -> None:
        """Without restic, with a key for two buckets, which restic refuses: each file is
        downloaded once."""
        second = self.fake.account.add_bucket("another-bucket")
        one = self.made("b2:some-bucket:x", "h1", "h2")
        two = self.made("b2:another-bucket:y", "h1")
        key = self.fake.account.add_key(READ_ONLY, [self.bucket, second])
        self.fake.account.reset_counts()
        # With another server than Backblaze's, auto is native.
        entries = [self.entry(url, key, reader="auto") for url in (one, two)]
        daemon = self.daemon(*entries)
        # A key, the config and each snapshot.
        self.assertEqual(self.fake.account.transactions["B"], 4 + 3)
        for url in (one, two):
            labels = {"url": url, "backend": "b2", "reader": "native", "version": "2"}
            self.assertEqual(daemon.metrics().value("backup_repository_info", **labels), 1)
            self.assert_equal_to_restic(daemon.metrics(), url, self.snapshots(url))
        self.assertEqual(self.requests(daemon, one, "load"), 4)
        self.restic(one, "backup", "--quiet", "--host", "new", str(self.data))
        self.fake.account.reset_counts()
        daemon.collect()
        self.assertEqual(self.fake.account.transactions, {"C": 2, "B": 1})
        self.assert_equal_to_restic(daemon.metrics(), one, self.snapshots(one))

    def test_key_of_the_environment(self) -> None:
        """The key may come from the daemon's environment, or from the entry's ``env``."""
        url, other = (self.made(f"b2:some-bucket:{path}", "h") for path in "xy")
        own = self.fake.account.add_key(READ_ONLY, prefix="y/")
        env = {"B2_ACCOUNT_ID": own.id, "B2_ACCOUNT_KEY": own.secret}
        daemon = self.daemon(
            self.entry(url, None),
            self.entry(other, None, env=env),
            B2_ACCOUNT_ID=self.writer.id,
            B2_ACCOUNT_KEY=self.writer.secret,
        )
        for one in (url, other):
            self.assert_equal_to_restic(daemon.metrics(), one, self.snapshots(one))

    def test_failures(self) -> None:
        """Expired tokens are renewed; caps, refused keys and missing repositories have reasons."""
        url = self.made("b2:some-bucket:x", "h")
        empty = "b2:some-bucket:nothing"
        key = self.fake.account.add_key(READ_ONLY, [self.bucket])
        wrong = Key(self.writer.id, "a secret that is wrong")
        denied = "b2:some-bucket:denied"
        daemon = self.daemon(
            self.entry(url, key), self.entry(empty, key), self.entry(denied, wrong)
        )
        listed = self.snapshots(url)

        def reasons(one: str) -> dict[str, float]:
            series = daemon.metrics().series("backup_read_failures_total", url=one)
            return {dict(labels)["reason"]: value for labels, value in series.items() if value}

        self.assertEqual(reasons(empty), {"not_found": 1})
        self.assertEqual(reasons(denied), {"auth": 1})
        self.fake.account.expire_tokens()
        self.fake.fault(LIST, status=503, headers={"Retry-After": "0"}, body=b"<html>")
        daemon.collect()
        self.assert_equal_to_restic(daemon.metrics(), url, listed)
        self.assertEqual(reasons(url), {})
        self.fake.fault(LIST, status=403, code="transaction_cap_exceeded", times=2)
        daemon.collect()
        self.assertEqual(reasons(url), {"unavailable": 1})
        metrics = daemon.metrics()
        self.assertEqual(metrics.value("backup_snapshot_count", url=url), 1)
        self.assertEqual(metrics.value("backup_read_error_count", url=url), 1)
        daemon.collect()
        self.assert_equal_to_restic(daemon.metrics(), url, listed)
        self.assertIn("account cap exceeded", daemon.program.output)
        daemon.stop()
        for secret in (key.secret, wrong.secret, self.writer.secret, "_acct"):
            self.assertNotIn(secret, daemon.program.output)
