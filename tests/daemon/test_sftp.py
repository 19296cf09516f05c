"""The whole daemon and repositories behind SFTP servers."""

import os
import select
import signal
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.daemon import test_values as test_daemon_values
from tests.doubles.daemons import Daemon
from tests.doubles.programs import Folder
from tests.doubles.servers import EXAMPLE_PASSWORD, copy_example, restic, snapshots
from tests.doubles.sftp_case import fake_command
from tests.doubles.tools import tool


class DaemonTests(SynchronousTestCase):
    """Repositories of one login."""

    assert_equal_to_restic: Any = test_daemon_values.ValuesTests.assert_equal_to_restic

    def setUp(self) -> None:
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.repository = copy_example(self.folder.path / "repository")
        self.log = self.folder.path / "log"

    def entries(self, number: int, command: str, **more: Any) -> list[dict[str, Any]]:
        """So many names of the repository, in ``sftp:``."""
        for one in range(number):
            (self.folder.path / f"repository-{one}").symlink_to(self.repository)
        return [
            {
                "repo": f"sftp:host:{self.folder.path}/repository-{one}",
                "password": EXAMPLE_PASSWORD,
                "options": {"sftp.command": command},
                **more,
            }
            for one in range(number)
        ]

    def logins(self) -> list[int]:
        """The processes of the fake servers so far."""
        lines = self.log.read_text().splitlines()
        return [int(line.split()[1]) for line in lines if line.startswith("login ")]

    def counted_restic(self) -> str:
        """A restic that leaves a line for each call."""
        program = self.folder.write(
            "counted-restic",
            f'#!/bin/sh\necho >> {self.folder.path / "calls"}\nexec {tool("restic-0.18")} "$@"\n',
            0o755,
        )
        return str(program)

    def calls(self) -> int:
        """How often it was called."""
        path = self.folder.path / "calls"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def test_one_login(self) -> None:
        """Thirty repositories share one ssh, which ends with the daemon, however that ends."""
        entries = self.entries(30, fake_command(self.log), reader="native")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            self.log.unlink(missing_ok=True)
            daemon = Daemon(self.folder, entries).serving()
            daemon.collect()
            metrics = daemon.metrics()
            self.assertEqual(metrics.value("backup_job_error_count"), 0, daemon.program.output)
            requests = metrics.series("backup_storage_requests_total", operation="auth")
            self.assertEqual(sum(requests.values()), 1)
            # The first read needs two listings that agree.
            listings = metrics.series("backup_storage_requests_total", operation="list")
            self.assertEqual(list(listings.values()), [3.0] * 30)
            (ssh,) = self.logins()
            descriptor = os.pidfd_open(ssh)
            self.addCleanup(os.close, descriptor)
            daemon.stop(number)
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            self.assertTrue(poll.poll(10_000), "ssh has outlived the daemon")

    def test_refused(self) -> None:
        """A refused key costs one login for all, and no restic."""
        entries = self.entries(5, fake_command(self.log, "refuse"))
        daemon = Daemon(self.folder, entries, restic=self.counted_restic()).serving()
        daemon.collect()
        metrics = daemon.metrics()
        failures = metrics.series("backup_read_failures_total", reason="auth")
        self.assertEqual(list(failures.values()), [2.0] * 5)
        self.assertEqual(len(self.logins()), 1)
        self.assertEqual(self.calls(), 0)
        self.assertIn("u@h: Permission denied (publickey).", daemon.program.output)
        daemon.reload()
        daemon.collect()
        self.assertEqual(len(self.logins()), 2)

    def test_restic(self) -> None:
        """Values are restic's; restic runs only for a change, and through the same command."""
        (entry,) = self.entries(1, tool("sftp-server"))
        url = entry["repo"]
        daemon = Daemon(self.folder, [entry], restic=self.counted_restic()).serving()
        listed = snapshots(self.repository)
        self.assert_equal_to_restic(daemon.metrics(), url, listed)
        self.assertEqual(self.calls(), 1)
        daemon.collect()
        self.assertEqual(self.calls(), 1)
        data = str(self.folder.write("data", "content"))
        command = f"sftp.command={tool('sftp-server')}"
        restic(url, "-o", command, "backup", "--host", "new", data)
        lock = self.repository / "locks" / ("a" * 64)
        lock.write_bytes(b"")
        os.utime(lock, (1, 1_700_000_000))
        daemon.collect()
        metrics = daemon.metrics()
        self.assert_equal_to_restic(metrics, url, snapshots(self.repository))
        self.assertEqual(self.calls(), 2)
        self.assertEqual(
            metrics.value("backup_oldest_lock_timestamp_seconds", url=url), 1_700_000_000
        )
        self.assertEqual(metrics.value("backup_stale_lock_count", url=url), 1)
        info = metrics.series("backup_repository_info", url=url, backend="sftp", reader="restic")
        self.assertEqual(len(info), 1)
