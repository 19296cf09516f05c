"""The whole daemon against real rest-servers: its values are those of restic itself."""

import re
from collections import Counter
from datetime import datetime

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.daemons import Daemon, Metrics
from tests.doubles.programs import Folder
from tests.doubles.servers import EXAMPLE_PASSWORD, RestServer, copy_example, restic, snapshots
from tests.doubles.tools import tool

# A user name and a password that must be encoded within a URL.
USER, SHOWN_USER = "t%40m:p%40%3As%2Fw%25d@", "t%40m:***@"


def instant(time: str) -> float:
    """Unix seconds of a time as restic prints it, less the nanoseconds that Python cannot."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", time)).timestamp()


class ValuesTests(SynchronousTestCase):
    """Metrics against ``restic snapshots --json``."""

    def setUp(self) -> None:
        """A folder and a rest-server with users."""
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.server = RestServer(self.folder, self.folder.path / "data", {"t@m": "p@:s/w%d"})

    def assert_equal_to_restic(
        self, metrics: Metrics, url: str, listed: list[dict[str, str]]
    ) -> None:
        """All that the page says of ``url`` is what restic's own list says."""
        sets: dict[tuple[str, str], list[float]] = {}
        for one in listed:
            name = (one["hostname"], one["username"])
            sets.setdefault(name, []).append(instant(one["time"]))
        self.assertEqual(metrics.value("backup_snapshot_count", url=url), len(listed))
        self.assertEqual(metrics.value("backup_read_error_count", url=url), 0)
        self.assertEqual(len(metrics.series("backup_newest_timestamp", url=url)), len(sets))
        for (host, user), times in sets.items():
            labels = {"url": url, "host": host, "user": user}
            newest = metrics.value("backup_newest_timestamp", **labels)
            oldest = metrics.value("backup_oldest_timestamp_seconds", **labels)
            assert newest is not None and oldest is not None
            self.assertAlmostEqual(newest, max(times), 5)
            self.assertAlmostEqual(oldest, min(times), 5)
            self.assertEqual(metrics.value("backup_set_snapshot_count", **labels), len(times))
            age = metrics.value("backup_days_age", **labels)
            now = metrics.value("backup_job_last_success_unixtime")
            assert age is not None and now is not None
            self.assertIn(age, ((now - newest) // 86400, (now + 60 - newest) // 86400))

    def test_hosts_users_and_offsets(self) -> None:
        """Sets of several hosts and users, of times at several UTC offsets, are restic's."""
        repository = copy_example(self.server.path / "some" / "where")
        data = self.folder.write("file", "content")
        for zone, time in (
            ("Asia/Kathmandu", "2026-03-01 00:30:00"),
            ("UTC", "2026-02-28 23:00:00"),
        ):
            arguments = ("backup", "--quiet", "--host", "far away", "--time", time, str(data))
            restic(repository, *arguments, environment={"TZ": zone})
        listed = snapshots(repository)
        self.assertGreater(len(Counter(one["username"] for one in listed)), 2)
        self.assertGreater(len(Counter(one["time"][-6:] for one in listed)), 2)
        url = self.server.url("some/where/", USER)
        label = self.server.url("some/where/", SHOWN_USER)
        config = [{"repo": url, "password": EXAMPLE_PASSWORD}]
        for version in ("restic-0.14", "restic-0.18", "restic-0.19"):
            daemon = Daemon(self.folder, config, restic=version).serving()
            self.assert_equal_to_restic(daemon.metrics(), label, listed)
            self.assertEqual(daemon.stop(), -2)

    def test_empty_repository(self) -> None:
        """An empty repository has a count of 0 and no sets; it is no error."""
        restic(self.server.path / "empty", "init", password=" blanks at both ends ")
        url = self.server.url("empty")
        entry = {
            "repo": url,
            "rest_username": "t@m",
            "rest_password": "p@:s/w%d",
            "password": " blanks at both ends ",
        }
        metrics = Daemon(self.folder, [entry]).serving().metrics()
        self.assertEqual(metrics.value("backup_snapshot_count", url=url), 0)
        self.assertEqual(metrics.value("backup_read_error_count", url=url), 0)
        self.assertEqual(metrics.series("backup_newest_timestamp"), {})
        self.assertEqual(metrics.value("backup_job_error_count"), 0)

    def test_unix_socket(self) -> None:
        """A rest-server at a Unix socket is listed and read like any other."""
        socket = self.folder.path / "s.sock"
        server = RestServer(self.folder, self.folder.path / "other", listen=f"unix:{socket}")
        listed = snapshots(copy_example(server.path / "repo"))
        url = f"rest:http+unix://{socket}:/repo/"
        daemon = Daemon(self.folder, [{"repo": url, "password": EXAMPLE_PASSWORD}]).serving()
        metrics = daemon.metrics()
        self.assert_equal_to_restic(metrics, url, listed)
        self.assertEqual(
            metrics.value("backup_storage_requests_total", url=url, operation="list"), 2
        )

    def test_local_path(self) -> None:
        """A folder is listed and read, by a path that is relative to where twistd was started."""
        listed = snapshots(copy_example(self.folder.path / "some repository"))
        url = "local:some repository"
        config = [{"repo": url, "password": EXAMPLE_PASSWORD}]
        daemon = Daemon(self.folder, config, twistd_options=("-n", "--rundir=/")).serving()
        metrics = daemon.metrics()
        self.assert_equal_to_restic(metrics, url, listed)
        self.assertEqual(
            metrics.value("backup_storage_requests_total", url=url, operation="list"), 1
        )
        self.assertEqual(metrics.value("backup_lock_count", url=url), 0)

    def test_restic_alone(self) -> None:
        """A scheme without a backend of ours is read with restic alone, at each collection."""
        listed = snapshots(copy_example(self.folder.path / "repo"))
        calls = self.folder.path / "calls"
        wrapper = self.folder.write(
            "mapping-restic",
            f"#!/bin/sh\necho >> {calls}\n"
            f'RESTIC_REPOSITORY_FILE= RESTIC_REPOSITORY=repo exec {tool("restic-0.18")} "$@"\n',
            0o755,
        )
        url = "swift:host:/repo"
        config = [{"repo": url, "password": EXAMPLE_PASSWORD}]
        daemon = Daemon(self.folder, config, restic=str(wrapper)).serving()
        daemon.collect()
        metrics = daemon.metrics()
        self.assert_equal_to_restic(metrics, url, listed)
        self.assertEqual(len(calls.read_text().splitlines()), 2)
        for name in ("backup_lock_count", "backup_storage_requests_total"):
            self.assertEqual(metrics.series(name), {})
        info = metrics.series("backup_repository_info", url=url, backend="swift", reader="restic")
        self.assertEqual(len(info), 1)

    def test_unchanged_starts_no_restic(self) -> None:
        """An unchanged listing costs two requests and no process; a new snapshot is seen."""
        repository = copy_example(self.server.path / "repo")
        calls = self.folder.path / "calls"
        wrapper = self.folder.write(
            "counting-restic",
            f'#!/bin/sh\necho "$@" >> {calls}\nexec {tool("restic-0.18")} "$@"\n',
            0o755,
        )
        url = self.server.url("repo", USER)
        label = self.server.url("repo", SHOWN_USER)
        config = [{"repo": url, "password": EXAMPLE_PASSWORD}]
        daemon = Daemon(self.folder, config, restic=str(wrapper)).serving()
        for times in (2, 3):
            daemon.collect()
            self.assertEqual(len(calls.read_text().splitlines()), 1)
            self.assertEqual(
                daemon.metrics().value(
                    "backup_storage_requests_total", url=label, operation="list"
                ),
                2 * times,
            )
        restic(repository, "backup", "--quiet", "--host", "new", str(calls))
        daemon.collect()
        self.assertEqual(len(calls.read_text().splitlines()), 2)
        self.assert_equal_to_restic(daemon.metrics(), label, snapshots(repository))
        (new,) = (one["id"] for one in snapshots(repository) if one["hostname"] == "new")
        restic(repository, "forget", new)
        daemon.collect()
        self.assert_equal_to_restic(daemon.metrics(), label, snapshots(repository))
