"""The whole daemon and repositories in folders."""

import os
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.daemons import Daemon, Metrics
from tests.doubles.programs import ROOT, Folder
from tests.doubles.servers import EXAMPLE_PASSWORD, copy_example, restic, snapshots
from tests.doubles.tools import tool

# A package of somebody else's, whose folders hang like a dead mount: opening a FIFO waits
# until there is a writer.
_HANGING = """
import threading

from restic_reporter.backends.local import LocalBackend, look_at


def look(root):
    looking = threading.current_thread()

    def tell():
        looking.join()
        print("a look has ended")

    try:
        open(root + "/gate").close()
        return look_at(root)
    finally:
        threading.Thread(target=tell, daemon=True).start()


def make(repository, tools):
    path = repository.location.reveal().removeprefix("rclone:")
    return LocalBackend(path, repository.url, tools.threads, look)
"""
_DROPIN = """
from restic_reporter.plugin import BackendMaker

hanging = BackendMaker("hanging", ("rclone",), "hanging_mount.make")
"""


class LocalCase(SynchronousTestCase):
    """A repository in a folder, and a restic that notes its calls."""

    def setUp(self) -> None:
        """Both."""
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.repository = copy_example(self.folder.path / "repo")
        self.calls = self.folder.path / "calls"
        self.calls.touch()
        self.counting_restic = self.restic('exec {restic} "$@"')

    def restic(self, command: str) -> str:
        """A program that notes its call before ``command``."""
        program = self.folder.write(
            "counting-restic",
            f"#!/bin/sh\necho >> {self.calls}\n{command.format(restic=tool('restic-0.18'))}\n",
            0o755,
        )
        return str(program)

    def runs(self) -> int:
        """How often restic has run."""
        return len(self.calls.read_text().splitlines())

    def assert_failed(self, metrics: Metrics, url: str, reason: str, times: int) -> None:
        """The latest read of a repository has failed."""
        self.assertEqual(metrics.value("backup_read_error_count", url=url), 1)
        self.assertEqual(
            metrics.value("backup_read_failures_total", url=url, reason=reason), times, metrics.page
        )


class ListingTests(LocalCase):
    """What the listing of a folder is good for."""

    def entry(self, repo: str = "repo") -> dict[str, str]:
        """The entry for a repository."""
        return {"repo": repo, "password": EXAMPLE_PASSWORD}

    def test_unchanged_starts_no_restic(self) -> None:
        """While nothing changes no restic runs; snapshots that come and go are seen."""
        daemon = Daemon(self.folder, [self.entry()], restic=self.counting_restic).serving()
        for times in (2, 3):
            daemon.collect()
            metrics = daemon.metrics()
            self.assertEqual(self.runs(), 1)
            requests = metrics.value("backup_storage_requests_total", url="repo", operation="list")
            self.assertEqual(requests, times)
        restic(self.repository, "backup", "--quiet", "--host", "new", str(self.calls))
        (new,) = (one["id"] for one in snapshots(self.repository) if one["hostname"] == "new")
        daemon.collect()
        self.assertEqual(self.runs(), 2)
        metrics = daemon.metrics()
        self.assertEqual(
            metrics.value("backup_snapshot_count", url="repo"), len(snapshots(self.repository))
        )
        self.assertEqual(len(metrics.series("backup_newest_timestamp", host="new")), 1)
        restic(self.repository, "forget", new)
        daemon.collect()
        self.assertEqual(self.runs(), 3)
        self.assertEqual(daemon.metrics().series("backup_newest_timestamp", host="new"), {})

    def test_locks(self) -> None:
        """Lock files are counted, also where no snapshot has changed."""
        daemon = Daemon(self.folder, [self.entry()], restic=self.counting_restic).serving()
        self.assertEqual(daemon.metrics().value("backup_lock_count", url="repo"), 0)
        for number in range(3):
            (self.repository / "locks" / f"{number:064x}").touch()
        daemon.collect()
        self.assertEqual(daemon.metrics().value("backup_lock_count", url="repo"), 3)
        self.assertEqual(self.runs(), 1)

    def test_gone(self) -> None:
        """A disk that is not mounted clears no alert, and starts no restic."""
        daemon = Daemon(self.folder, [self.entry()], restic=self.counting_restic).serving()
        before = daemon.metrics()
        self.repository.rename(self.folder.path / "elsewhere")
        self.repository.mkdir()
        daemon.collect()
        after = daemon.metrics()
        self.assert_failed(after, "repo", "not_found", 1)
        for name in ("backup_newest_timestamp", "backup_snapshot_count"):
            self.assertEqual(after.series(name), before.series(name))
        self.assertEqual(self.runs(), 1)

    def test_same_folder_twice(self) -> None:
        """Entries with different names for one folder are looked at side by side."""
        names = [f"{prefix}repo{'/' * number}" for prefix in ("", "local:") for number in range(8)]
        # As in restic, the symlink is not looked at.
        (self.folder.path / "link").symlink_to("/")
        names.append("link/../repo")
        daemon = Daemon(self.folder, [self.entry(name) for name in names], "--concurrency=99")
        metrics = daemon.serving().metrics()
        self.assertEqual(metrics.value("backup_job_error_count"), 0, daemon.program.output)
        self.assertEqual(len(metrics.series("backup_snapshot_count")), len(names))

    def test_locale(self) -> None:
        """A name beyond ASCII is the same to us as to restic, in a locale without such names."""
        self.repository.rename(self.folder.path / "größe")
        daemon = Daemon(
            self.folder,
            [self.entry("größe")],
            environment={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        ).serving()
        self.assertEqual(daemon.metrics().value("backup_read_error_count", url="größe"), 0)


class HangingMountTests(LocalCase):
    """A mount that hangs."""

    def setUp(self) -> None:
        """A plugin that serves ``rclone:`` in its own way."""
        super().setUp()
        plugins = self.folder.path / "site"
        (plugins / "twisted" / "plugins").mkdir(parents=True)
        (plugins / "hanging_mount.py").write_text(_HANGING)
        (plugins / "twisted" / "plugins" / "hanging_dropin.py").write_text(_DROPIN)
        self.path = f"{ROOT}{os.pathsep}{plugins}"
        self.gate = self.repository / "gate"
        os.mkfifo(self.gate)
        self.hanging = f"rclone:{self.repository}"
        copy_example(self.folder.path / "well")
        self.entries: list[dict[str, Any]] = [
            {"repo": self.hanging, "password": EXAMPLE_PASSWORD, "timeout": 1},
            {"repo": "well", "password": EXAMPLE_PASSWORD},
        ]

    def start(self) -> Daemon:
        """A daemon with the plugin."""
        # What it calls rclone is a folder.
        program = self.restic(
            'location=$(cat "$RESTIC_REPOSITORY_FILE")\nRESTIC_REPOSITORY_FILE='
            ' RESTIC_REPOSITORY=${{location#rclone:}} exec {restic} "$@"'
        )
        return Daemon(
            self.folder, self.entries, restic=program, environment={"PYTHONPATH": self.path}
        )

    def test_deadline(self) -> None:
        """Its read ends at its deadline, the next one at once; the others are read, no restic is
        started for it, and when it is back it is read."""
        daemon = self.start().serving()
        metrics = daemon.metrics()
        self.assert_failed(metrics, self.hanging, "timeout", 1)
        self.assertEqual(metrics.value("backup_read_error_count", url="well"), 0)
        self.assertIn("timed out after 1.0 s (timeout)", daemon.program.output)
        daemon.collect()
        metrics = daemon.metrics()
        self.assert_failed(metrics, self.hanging, "timeout", 2)
        self.assertEqual(metrics.value("backup_read_error_count", url="well"), 0)
        self.assertIn(
            f"an earlier read of '{self.repository}' still hangs (timeout)", daemon.program.output
        )
        # That of the good one.
        self.assertEqual(self.runs(), 1)
        dead = self.gate.rename(self.gate.with_name("dead"))
        self.gate.touch()
        with dead.open("w"):
            pass
        daemon.program.wait_for("a look has ended")
        # A busy machine may need more than a second for the read itself.
        self.entries[0]["timeout"] = 300
        daemon.configure(self.entries)
        daemon.reload()
        daemon.collect()
        metrics = daemon.metrics()
        self.assertEqual(metrics.value("backup_read_error_count", url=self.hanging), 0)
        self.assertEqual(
            metrics.value("backup_snapshot_count", url=self.hanging),
            len(snapshots(self.repository)),
        )

    def test_stop(self) -> None:
        """It does not hold up the daemon's end, neither in the middle of a look nor later."""
        self.entries[0]["timeout"] = 300
        daemon = self.start()
        daemon.program.wait_for(r"read well: \d+ snapshots")
        self.assertEqual(daemon.stop(), -2)
        self.entries[0]["timeout"] = 0.1
        daemon = self.start().serving()
        self.assert_failed(daemon.metrics(), self.hanging, "timeout", 1)
        self.assertEqual(daemon.stop(), -2)
        self.assertNotIn("Traceback", daemon.program.output)
