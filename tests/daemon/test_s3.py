"""The whole daemon over a fake S3, and what the real restic asks of that."""

import json
import subprocess
from typing import Any
from urllib.parse import quote

from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.backends.s3.location import parse_s3
from tests.daemon import test_values as test_daemon_values
from tests.doubles.daemons import Daemon
from tests.doubles.fake_s3 import BUCKET, KEY_ID, REGION, SECRET, FakeS3
from tests.doubles.programs import Folder
from tests.doubles.servers import EXAMPLE_PASSWORD, example, restic
from tests.doubles.tools import tool

ENVIRONMENT = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET}

VERSIONS = ("restic-0.14", "restic-0.18", "restic-0.19")


class S3Tests(SynchronousTestCase):
    """A fake with a repository that restic can read."""

    assert_equal_to_restic: Any = test_daemon_values.ValuesTests.assert_equal_to_restic

    def setUp(self) -> None:
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.fake = FakeS3()
        self.addCleanup(lambda: self.assertEqual(self.fake.crashes, []))
        self.addCleanup(self.fake.close)
        self.url = f"s3:{self.fake.url}/{BUCKET}/a b"
        self.fake.put_folder(example(), "a b/")

    def entry(self, **more: Any) -> dict[str, Any]:
        """The entry of the repository."""
        keys = {"s3_access_key_id": KEY_ID, "s3_secret_access_key": SECRET}
        options = {"options": {"s3.region": REGION}}
        return {"repo": self.url, "password": EXAMPLE_PASSWORD, **keys, **options, **more}

    def test_readers(self) -> None:
        """Both readers say what restic says; what is unchanged costs one list and no restic."""
        listed = json.loads(
            restic(self.url, "snapshots", "--no-lock", "--json", environment=ENVIRONMENT)
        )
        for reader in ("restic", "native"):
            daemon = Daemon(self.folder, [self.entry(reader=reader)]).serving()
            self.assert_equal_to_restic(daemon.metrics(), self.url, listed)
            self.fake.counts  # noqa: B018
            daemon.collect()
            self.assertEqual(self.fake.counts, {"list": 1})
            daemon.stop()

    def test_wrong_secret(self) -> None:
        """A wrong secret is one request, and no restic, which would ask for minutes."""
        daemon = Daemon(self.folder, [self.entry(s3_secret_access_key="another0")]).serving()
        self.assertEqual(self.fake.counts, {"list": 1})
        self.assertIn("the secret access key is wrong", daemon.program.output)
        self.assertIn("(auth)", daemon.program.output)

    def test_anonymous(self) -> None:
        """A public bucket needs no key, for the listing and for restic."""
        self.fake.bucket.is_public = True
        options = {"s3.unsafe-anonymous-auth": True}
        entry = self.entry(options=options, reader="restic")
        del entry["s3_access_key_id"], entry["s3_secret_access_key"]
        daemon = Daemon(self.folder, [entry]).serving()
        count = daemon.metrics().value("backup_snapshot_count", url=self.url)
        self.assertGreater(count or 0, 10)
        self.fake.counts  # noqa: B018
        daemon.collect()
        self.assertEqual(self.fake.counts, {"list": 1})

    def test_only_restic(self) -> None:
        """With credentials that only restic can use, restic lists; the log says why."""
        credentials = self.folder.write(
            "credentials",
            "[default]\ncredential_process = cat key.json\n",
        )
        self.folder.write(
            "key.json",
            json.dumps({"Version": 1, "AccessKeyId": KEY_ID, "SecretAccessKey": SECRET}),
        )
        env = {"AWS_SHARED_CREDENTIALS_FILE": str(credentials)}
        entry = self.entry(env=env)
        del entry["s3_access_key_id"], entry["s3_secret_access_key"]
        daemon = Daemon(self.folder, [entry]).serving()
        self.assertIn(
            "1 repository read by restic alone: credential_process", daemon.program.output
        )
        metrics = daemon.metrics()
        self.assertEqual(metrics.value("backup_read_error_count", url=self.url), 0)
        labels = {"url": self.url, "backend": "s3", "reader": "restic", "version": ""}
        self.assertEqual(metrics.value("backup_repository_info", **labels), 1)

    def test_locations(self) -> None:
        """restic of each version asks for the objects that we would ask for."""
        for rest in (
            *(
                "",
                "/",
                "/a",
                "/a/",
                "//a",
                "///a",
                "/a//b",
                "/a/./b/../c",
                "/a b",
                "/a%20b",
                "/%C3%BC",
            ),
            *("/ü", "/a+b", "/a%2Fb", "/../a", "/.", "/a&b=c;d,e'f(g)"),
        ):
            url = f"s3:{self.fake.url}/{BUCKET}{rest}"
            asked = set()
            for program in VERSIONS:
                self.fake.requests.clear()
                subprocess.run(
                    [tool(program), "-r", url, "cat", "config", "--no-lock", "--no-cache"],
                    env={**ENVIRONMENT, "RESTIC_PASSWORD": "x", "HOME": "/"},
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                )
                asked |= {path for method, _, path, _ in self.fake.requests if method == "HEAD"}
            expected = f"/{BUCKET}/{parse_s3(url).base}config"
            self.assertEqual(asked, {quote(expected, safe="/")}, url)
