"""The whole daemon over repositories of the real restic on an S3 server."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.daemon import test_values as test_daemon_values
from tests.doubles.clock_daemon import ClockDaemon
from tests.doubles.daemons import Daemon
from tests.doubles.programs import Folder
from tests.doubles.s3_server import S3Server
from tests.doubles.servers import EXAMPLE_PASSWORD, copy_example, restic

# Each takes some servers a tenth of a second.
_SNAPSHOTS = 8


class S3DaemonCase(SynchronousTestCase):
    """Metrics against ``restic -r s3:… snapshots --json``, both from the same server."""

    assert_equal_to_restic: Any = test_daemon_values.ValuesTests.assert_equal_to_restic

    def setUp(self) -> None:
        self.folder = Folder()
        self.addCleanup(self.folder.close)

    def entry(self, server: S3Server, name: str, **more: Any) -> dict[str, Any]:
        """The entry of a repository on the server."""
        token = {"s3_session_token": server.session_token} if server.session_token else {}
        return {
            "repo": f"{server.url}/{name}",
            "password": EXAMPLE_PASSWORD,
            "s3_access_key_id": server.access_key_id,
            "s3_secret_access_key": server.secret_access_key,
            **token,
            **more,
        }

    def put_example(self, server: S3Server, name: str) -> None:
        """Put a repository there with a few snapshots, and a key that is cheap to open."""
        path = copy_example(self.folder.path / f"copy-{name}")
        for file in sorted((path / "snapshots").iterdir())[_SNAPSHOTS:]:
            file.unlink()
        for file in sorted(path.rglob("*")):
            if file.is_file():
                key = f"{name}/{file.relative_to(path)}"
                status, body = server.ask("PUT", key, body=file.read_bytes())
                self.assertEqual(status, 200, body)

    def requests(self, daemon: Daemon, url: str) -> dict[str, float]:
        """How many requests of each kind the page says there were."""
        series = daemon.metrics().series("backup_storage_requests_total", url=url)
        return {dict(labels)["operation"]: value for labels, value in series.items()}

    def check_reader(
        self, server: S3Server, reader: str, program: str, lists: int, **more: Any
    ) -> None:
        """
        Check that the daemon says what restic says, before and after changes.

        The first listing takes ``lists`` requests; each of an unchanged repository takes one.
        """
        name = f"{reader}-{program}"
        self.put_example(server, name)
        entry = self.entry(server, name, reader=reader, **more)
        url = entry["repo"]

        def run(*arguments: str) -> str:
            return restic(url, *arguments, program=program, environment=server.environment)

        def listed() -> list[dict[str, str]]:
            found: list[dict[str, str]] = json.loads(run("snapshots", "--no-lock", "--json"))
            return found

        daemon = Daemon(self.folder, [entry], restic=program).serving()
        self.assert_equal_to_restic(daemon.metrics(), url, listed())
        before = self.requests(daemon, url)
        self.assertEqual(before["list"], lists)
        daemon.collect()
        self.assertEqual(self.requests(daemon, url), {**before, "list": lists + 1})
        run("backup", "--quiet", "--host", "new", str(self.folder.write("data", "content")))
        run("forget", listed()[0]["id"])
        lock = f"{name}/locks/{'a' * 64}"
        self.assertEqual(server.ask("PUT", lock, body=b"no lock")[0], 200)
        daemon.collect()
        metrics = daemon.metrics()
        self.assert_equal_to_restic(metrics, url, listed())
        self.assertEqual(metrics.value("backup_lock_count", url=url), 1)
        # Nobody can read this lock: its time is that of the listing.
        self.assert_just_now(metrics, url)
        version = "2" if reader == "native" else ""
        labels = {"url": url, "backend": "s3", "reader": reader, "version": version}
        self.assertEqual(metrics.value("backup_repository_info", **labels), 1)
        self.assertEqual(metrics.value("backup_key_count", url=url), 1)
        first = metrics.value("backup_newest_key_timestamp_seconds", url=url)
        run("unlock", "--remove-all")
        run("key", "add", "--new-password-file", str(self.folder.write("new-password", "new")))
        daemon.collect()
        metrics = daemon.metrics()
        self.assertEqual(metrics.value("backup_key_count", url=url), 2)
        newest = metrics.value("backup_newest_key_timestamp_seconds", url=url)
        assert first is not None and newest is not None
        self.assertGreater(newest, first)
        daemon.stop()

    def check_size(
        self, server: S3Server, more: int, pages: int, *variants: Mapping[str, Any]
    ) -> None:
        """
        Check the size of a repository with so many ``more`` packs, which takes so many ``pages``.

        ``variants`` are extended options.
        """
        self.put_example(server, "size")
        data = self.folder.path / "copy-size" / "data"
        sizes = [one.stat().st_size for one in data.rglob("*") if one.is_file()]
        for number in range(more):
            status, _ = server.ask("PUT", f"size/data/ff/{number:064x}", body=b"xyz")
            self.assertEqual(status, 200)
            sizes.append(3)
        for options in variants:
            # Servers refuse requests of another time than theirs.
            soon = datetime.now() + timedelta(minutes=5)
            entry = self.entry(
                server, "size", size_cron=f"{soon.minute} * * * *", options=dict(options)
            )
            url = entry["repo"]
            daemon = ClockDaemon(self.folder, [entry])
            daemon.serving()
            before = self.requests(daemon, url)["list"]
            daemon.pass_time(360)
            daemon.program.wait_for(f"{sum(sizes)} bytes in {len(sizes)} packs")
            metrics = daemon.metrics()
            self.assertEqual(metrics.value("backup_repository_stored_bytes", url=url), sum(sizes))
            self.assertEqual(self.requests(daemon, url)["list"], before + pages)
            daemon.stop()

    def assert_just_now(self, metrics: Any, url: str) -> None:
        """The lock was made within a minute of the read."""
        time = metrics.value("backup_oldest_lock_timestamp_seconds", url=url)
        read = metrics.value("backup_read_last_success_timestamp_seconds", url=url)
        assert time is not None and read is not None
        self.assertLess(abs(read - time), 60)
        self.assertEqual(metrics.value("backup_stale_lock_count", url=url), 0)

    def check_refused(self, server: S3Server, changes: Mapping[str, Any], text: str) -> None:
        """Check that the daemon says ``text``, and starts no restic."""
        program = self.folder.write("restic", "#!/bin/sh\ntouch started\nexit 1\n", 0o755)
        started = self.folder.path / "started"
        entry = {**self.entry(server, "any"), **changes}
        daemon = Daemon(self.folder, [entry], restic=str(program)).serving()
        failures = daemon.metrics().value(
            "backup_read_failures_total", url=entry["repo"], reason="auth"
        )
        self.assertEqual(failures, 1)
        self.assertIn(text, daemon.program.output)
        self.assertFalse(started.exists())
        daemon.stop()
