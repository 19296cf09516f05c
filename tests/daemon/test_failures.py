"""The whole daemon when its repositories fail: what was known stays, and nothing leaks."""

import contextlib
import os
import select
import signal
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.daemons import Daemon, Metrics
from tests.doubles.programs import Folder, processes
from tests.doubles.servers import EXAMPLE_PASSWORD, RestServer, copy_example
from tests.doubles.tools import tool

_OF_THE_READ = {
    "backup_read_error_count",
    "backup_read_success",
    "backup_read_failures_total",
    "backup_read_duration_seconds",
}


class FailureTests(SynchronousTestCase):
    """Fault table, with a real rest-server and a real restic."""

    def setUp(self) -> None:
        """A rest-server with one repository."""
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.server = RestServer(self.folder, self.folder.path / "data")
        self.repository = copy_example(self.server.path / "repo")
        self.url = self.server.url("repo")
        self.entry = {"repo": self.url, "password": EXAMPLE_PASSWORD}

    def assert_failed(self, metrics: Metrics, url: str, reason: str, times: int = 1) -> None:
        """The page tells of the failure of one repository's latest read."""
        self.assertEqual(metrics.value("backup_read_error_count", url=url), 1)
        self.assertEqual(metrics.value("backup_read_success", url=url), 0)
        self.assertEqual(
            metrics.value("backup_read_failures_total", url=url, reason=reason), times, metrics.page
        )

    def assert_kept(self, before: Metrics, after: Metrics) -> None:
        """All that is known of the content is as it was."""
        for name in (
            "backup_snapshot_count",
            "backup_newest_timestamp",
            "backup_days_age",
            "backup_set_snapshot_count",
        ):
            self.assertNotEqual(before.series(name), {})
            self.assertEqual(after.series(name), before.series(name))

    def test_server_stopped(self) -> None:
        """While its server is down a repository keeps its values; afterwards it is well again."""
        daemon = Daemon(self.folder, [self.entry]).serving()
        before = daemon.metrics()
        self.server.stop()
        daemon.collect()
        during = daemon.metrics()
        self.assert_failed(during, self.url, "network")
        self.assertEqual(during.value("backup_job_error_count"), 1)
        self.assert_kept(before, during)
        name = "backup_read_last_success_timestamp_seconds"
        self.assertEqual(during.series(name), before.series(name))
        self.server.start_again()
        daemon.collect()
        after = daemon.metrics()
        self.assertEqual(after.value("backup_read_error_count", url=self.url), 0)
        self.assertEqual(after.value("backup_job_error_count"), 0)
        self.assert_kept(before, after)
        self.assertEqual(
            after.value("backup_read_failures_total", url=self.url, reason="network"), 1
        )

    def test_repository_removed(self) -> None:
        """A repository that vanishes from its server does not clear its alerts."""
        daemon = Daemon(self.folder, [self.entry]).serving()
        before = daemon.metrics()
        self.repository.rename(self.server.path / "elsewhere")
        daemon.collect()
        after = daemon.metrics()
        self.assert_failed(after, self.url, "not_found")
        self.assert_kept(before, after)

    def test_wrong_password_and_missing_repository(self) -> None:
        """Each fails with its reason, shows only how reading it went, and harms no other."""
        copy_example(self.server.path / "other")
        wrong, missing = self.server.url("other"), self.server.url("missing")
        for version in ("restic-0.14", "restic-0.18"):
            daemon = Daemon(
                self.folder,
                [
                    {"repo": wrong, "password": "mistaken"},
                    {"repo": missing, "password": "x"},
                    self.entry,
                ],
                restic=version,
            ).serving()
            metrics = daemon.metrics()
            self.assert_failed(metrics, wrong, "auth")
            self.assert_failed(metrics, missing, "not_found")
            self.assertEqual(metrics.names(url=wrong), _OF_THE_READ)
            self.assertEqual(metrics.names(url=missing), _OF_THE_READ)
            self.assertEqual(metrics.value("backup_job_error_count"), 2)
            self.assertEqual(metrics.value("backup_read_error_count", url=self.url), 0)
            daemon.stop()

    def mapping_restic(self) -> str:
        """A restic that finds the repository behind every ``swift:`` location."""
        program = self.folder.write(
            "mapping-restic",
            "#!/bin/sh\n"
            'location=$(cat "$RESTIC_REPOSITORY_FILE")\n'
            f"case $location in swift:*) location={self.repository};; esac\n"
            f"RESTIC_REPOSITORY_FILE= RESTIC_REPOSITORY=$location"
            f' exec {tool("restic-0.18")} "$@"\n',
            0o755,
        )
        return str(program)

    def test_corrupt_snapshot(self) -> None:
        """A snapshot that restic passes over makes the read partial, and the log names it: with
        a listing of ours, over HTTP or of a folder, and with restic alone."""
        urls = (self.url, "data/repo", "swift:host:/repo")
        entries = [{**self.entry, "repo": url} for url in urls]
        daemon = Daemon(self.folder, entries, restic=self.mapping_restic()).serving()
        before = daemon.metrics()
        broken = self.repository / "snapshots" / ("ab" * 32)
        broken.write_bytes(b"this is no snapshot")
        daemon.collect()
        after = daemon.metrics()
        for url in urls:
            self.assert_failed(after, url, "partial")
        self.assert_kept(before, after)
        self.assertEqual(daemon.program.output.count(broken.name[:8]), 3)
        broken.unlink()
        daemon.collect()
        self.assertEqual(daemon.metrics().value("backup_job_error_count"), 0)

    def test_slow_repository_delays_nobody(self) -> None:
        """A restic that hangs is ended at its own deadline; the others are read meanwhile."""
        wrapper = self.folder.write(
            "sometimes-hanging-restic",
            "#!/bin/sh\n"
            'if grep -q hang "$RESTIC_REPOSITORY_FILE"; then trap "" INT TERM; sleep 1000; fi\n'
            f"RESTIC_REPOSITORY_FILE= RESTIC_REPOSITORY={self.repository}"
            f' exec {tool("restic-0.18")} "$@"\n',
            0o755,
        )
        hang, well = "swift:hang:/", "swift:well:/"
        hanging = {"repo": hang, "password": "x", "timeout": 1.5}
        daemon = Daemon(self.folder, [hanging, {**self.entry, "repo": well}], restic=str(wrapper))
        daemon.program.wait_for(f"read {well}: .* snapshots")
        daemon.program.wait_for(f"cannot read {hang}: .*timeout")
        metrics = daemon.serving().metrics()
        self.assert_failed(metrics, hang, "timeout")
        self.assertEqual(list(processes(str(wrapper))), [daemon.program.process.pid])


class SecretTests(SynchronousTestCase):
    """Credentials are in no page, log, argument list or environment."""

    def test_nothing_leaks(self) -> None:
        """Markers planted in all secrets show nowhere, whatever fails, at log level debug."""
        folder = Folder()
        self.addCleanup(folder.close)
        marker = "mArKeR"
        seen = folder.path / "seen"
        # What it is given itself it may see: the entry's own variable.
        wrapper = folder.write(
            "watched-restic",
            "#!/bin/sh\n"
            f"tr '\\0' '\\n' < /proc/$$/cmdline >> {seen}\n"
            f"tr '\\0' '\\n' < /proc/$$/environ | grep -v ^FOR_RESTIC= >> {seen}\n"
            f'exec {tool("restic-0.18")} "$@"\n',
            0o755,
        )
        server = RestServer(folder, folder.path / "data", {"user": f"{marker}1"})
        for name in ("repo", "other", "third"):
            copy_example(server.path / name)
        good = f"user:{marker}1@"
        refused = server.url("repo", f"user:{marker}2@")
        password_file = folder.write("password", f"{marker}4")
        entries = [
            {
                "repo": server.url("repo", good),
                "password": EXAMPLE_PASSWORD,
                "env": {"FOR_RESTIC": f"{marker}3"},
            },
            {"repo": refused + "/", "password": f"{marker}5"},
            {"repo": server.url("other", good), "password_file": str(password_file)},
            {"repo": f"rest:http://user:{marker}6@127.0.0.1:9/x", "password": f"{marker}7"},
            {
                "repo": server.url("third", good),
                "password_command": f"sh -c 'echo {marker}8; exit 1'",
            },
            {"repo": "rclone:nowhere:", "password": f" {marker}9"},
            {"repo": f"swift://user:{marker}0@127.0.0.1:9//x", "password": f"{marker}7"},
        ]
        daemon = Daemon(
            folder,
            entries,
            "--log-level=debug",
            "--timeout=10",
            restic=str(wrapper),
            environment={"RESTIC_PASSWORD": f"{marker}a", "UNRELATED": f"{marker}b"},
        ).serving()
        daemon.collect()
        daemon.configure(daemon.config.read_text().replace('"password_file"', '"pasword_file"'))
        daemon.reload()
        pages = [daemon.get(path) for path in ("/", "/metrics", "/-/healthy")]
        metrics = daemon.metrics()
        command_line = Path(f"/proc/{daemon.program.process.pid}/cmdline").read_text()
        daemon.stop()
        self.assertEqual(metrics.value("backup_job_error_count"), 6)
        self.assertEqual(len(metrics.series("backup_read_failures_total", reason="secret")), 1)
        self.assertEqual(len(metrics.series("backup_read_failures_total", reason="auth")), 2)
        self.assertIn("user:***@", metrics.page)
        environment = seen.read_text()
        self.assertIn("RESTIC_REPOSITORY_FILE=/dev/fd/4", environment)
        # A password with a blank at an end is the one that no file can carry.
        environment = environment.replace(f"RESTIC_PASSWORD= {marker}9", "")
        for text in (*pages, command_line, environment, daemon.program.output):
            self.assertNotIn(marker, text)


class KilledDaemonTests(SynchronousTestCase):
    """A daemon that is killed leaves nothing behind."""

    def test_kill(self) -> None:
        """KILL ends its children and theirs too, and a restart works at once."""
        folder = Folder()
        self.addCleanup(folder.close)
        pids = folder.path / "pids"
        os.mkfifo(pids)
        wrapper = folder.write(
            "endless-restic",
            f'#!/bin/sh\ntrap "" INT TERM HUP\nsleep 1000 &\necho $$ $! > {pids}\nwait\n',
            0o755,
        )
        entry = {"repo": "swift:some:/", "password": "x"}
        daemon = Daemon(folder, [entry], restic=str(wrapper))
        children = [int(pid) for pid in pids.read_text().split()]
        self.assertEqual(len(children), 2)
        descriptors = [os.pidfd_open(pid) for pid in children]
        daemon.program.signal(signal.SIGKILL)
        daemon.program.end()
        for descriptor in descriptors:
            with contextlib.closing(os.fdopen(descriptor)):
                self.assertTrue(_ended(descriptor), "a child has outlived the daemon")
        copy_example(folder.path / "repo")
        entry = {"repo": "repo", "password": EXAMPLE_PASSWORD}
        Daemon(folder, [entry]).serving()


def _ended(pidfd: int) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(10_000))
