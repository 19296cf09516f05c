"""Copies of repositories, made by real restics, as the whole daemon sees them."""

import json
import shutil
import time
from math import inf
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.daemons import Daemon
from tests.doubles.native_repositories import cheapen
from tests.doubles.programs import Folder, status_of
from tests.doubles.servers import restic

DAY = 86400
PASSWORD = "open"
VERSIONS = ("restic-0.14", "restic-0.18", "restic-0.19")

# Of one set in one copy: the lag in whole days, and the number of missing snapshots.
Found = tuple[float, int]

COMPLETE: Found = (0, 0)


class CopiesCase(SynchronousTestCase):
    """Repositories in a folder, and two daemons over them: one with each reader."""

    program = "restic-0.18"

    def setUp(self) -> None:
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.root = self.folder.path
        self.data = self.root / "data"
        self.data.mkdir()
        self.file("first")
        # Ahead of each backup's age, as a step of a test takes no day.
        self.now = int(time.time()) - 60

    def file(self, name: str) -> None:
        """Write one more file to back up."""
        (self.data / name).write_text(f"{name}\n" * 100)

    def path(self, name: str) -> Path:
        """The place of a repository."""
        return self.root / name

    def restic(self, name: str, *arguments: str, **environment: str) -> str:
        """Run restic on a repository."""
        return restic(
            self.path(name),
            *arguments,
            password=PASSWORD,
            program=self.program,
            environment=environment,
        )

    def make(self, *names: str) -> None:
        """Make empty repositories, which are quick to open."""
        for name in names:
            self.restic(name, "init")
            cheapen(self.path(name), PASSWORD)

    def backup(self, name: str, days: float, host: str = "web", *options: str) -> str:
        """Make a backup of that age; its id."""
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(self.now - days * DAY))
        arguments = ("--json", "--host", host, "--time", stamp, *options, str(self.data))
        output = self.restic(name, "backup", *arguments, TZ="UTC")
        return str(json.loads(output.splitlines()[-1])["snapshot_id"])

    def copy(self, source: str, target: str, *snapshots: str) -> None:
        """Copy snapshots, by default all."""
        self.restic(
            target,
            *("copy", "--from-repo", str(self.path(source)), *snapshots),
            RESTIC_FROM_PASSWORD=PASSWORD,
        )

    def entry(self, name: str, *copies: str, **more: Any) -> dict[str, Any]:
        """An entry of the config."""
        labels = [str(self.path(one)) for one in copies]
        named = {"copies": labels} if labels else {}
        return {"repo": str(self.path(name)), "password": PASSWORD, **named, **more}

    def watch(self, *entries: dict[str, Any]) -> None:
        """Start both daemons."""
        self.daemons = []
        for reader in ("restic", "native"):
            folder = Folder()
            self.addCleanup(folder.close)
            daemon = Daemon(folder, list(entries), f"--reader={reader}", restic=self.program)
            self.daemons.append(daemon)
        for daemon in self.daemons:
            daemon.serving()

    def collect(self) -> None:
        """Have both collect."""
        for daemon in self.daemons:
            daemon.collect()

    def found(self, daemon: Daemon, source: str, host: str = "web") -> dict[str, Found]:
        """What a daemon knows of the copies of one host, by their names."""
        metrics = daemon.metrics()
        labels = {"url": str(self.path(source)), "host": host}
        lags = metrics.series("backup_set_copy_lag_seconds", **labels)
        missing = metrics.series("backup_set_copy_missing", **labels)
        self.assertEqual(lags.keys(), missing.keys())
        return {
            Path(dict(key)["copy"]).name: (lag / DAY, int(missing[key]))
            for key, lag in lags.items()
        }

    def assert_found(self, source: str, host: str, copies: dict[str, Found]) -> None:
        """Both daemons know this of the copies of one host."""
        for daemon in self.daemons:
            self.assertEqual(self.found(daemon, source, host), copies, daemon.program.output)


class EachVersionTests(CopiesCase):
    """Copies by each restic, read by both readers."""

    def check(self, version: str) -> None:
        """The life of a repository with copies of all kinds."""
        self.program = version
        self.make("source", "copied", "chained", "twin")
        for days in (9, 8, 7):
            self.backup("source", days)
        self.backup("source", 9, "db")
        self.copy("source", "copied")
        self.copy("copied", "chained")
        shutil.copytree(self.path("source"), self.path("mirror"))
        # The same data, backed up by another job.
        for days in (9, 8, 7):
            self.backup("twin", days + 0.01)
        copies = ("copied", "chained", "mirror", "twin")
        self.watch(self.entry("source", *copies), *map(self.entry, copies))
        same: dict[str, Found] = {"copied": COMPLETE, "chained": COMPLETE, "mirror": COMPLETE}
        self.assert_found("source", "web", {**same, "twin": (inf, 3)})
        self.assert_found("source", "db", {**same, "twin": (inf, 1)})

        # Another id, and the same first one.
        self.restic("source", "tag", "--add", "kept")
        self.collect()
        self.assert_found("source", "web", {**same, "twin": (inf, 3)})

        # Two new backups, of which only the newer one is copied.
        self.file("second")
        lost, newest = self.backup("source", 2), self.backup("source", 1)
        self.copy("source", "copied", newest)
        self.collect()
        others: dict[str, Found] = {"chained": (6, 2), "mirror": (6, 2), "twin": (inf, 5)}
        self.assert_found("source", "web", {**others, "copied": (0, 1)})
        self.assert_found("source", "db", {**same, "twin": (inf, 1)})
        self.copy("source", "copied", lost)
        self.collect()
        self.assertEqual(self.found(self.daemons[0], "source")["copied"], COMPLETE)

        # Forgotten there: first the newest, then all of the host.
        self.restic("copied", "forget", *self.ids("copied", "web")[-1:])
        self.collect()
        self.assertEqual(self.found(self.daemons[1], "source")["copied"], (1, 1))
        self.restic("copied", "forget", *self.ids("copied", "web"))
        self.collect()
        self.assert_found("source", "web", {**others, "copied": (inf, 5)})
        self.assert_found("source", "db", {**same, "twin": (inf, 1)})

    def ids(self, name: str, host: str) -> list[str]:
        """The snapshots of a host, the oldest first."""
        listed = json.loads(self.restic(name, "snapshots", "--json", "--host", host))
        return [one["id"] for one in sorted(listed, key=lambda one: str(one["time"]))]

    def test_oldest(self) -> None:
        """restic 0.14, the oldest that is supported."""
        self.check(VERSIONS[0])

    def test_middle(self) -> None:
        """restic 0.18."""
        self.check(VERSIONS[1])

    def test_newest(self) -> None:
        """restic 0.19."""
        self.check(VERSIONS[2])


class RewriteTests(CopiesCase):
    """Snapshots that ``restic rewrite`` has changed since they were copied."""

    def rewritten(self, *options: str) -> None:
        """Rewrite all at the source, after copying them, and have that read."""
        self.file("big.log")
        self.make("source", "copied")
        for days in (3, 2):
            self.backup("source", days)
        self.copy("source", "copied")
        self.restic("source", "rewrite", "--forget", *options)
        self.watch(self.entry("source", "copied"), self.entry("copied"))

    def test_content(self) -> None:
        """A rewritten snapshot is the one that was copied, though its content is another."""
        self.rewritten("--exclude", "*.log")
        self.assert_found("source", "web", {"copied": COMPLETE})

    def test_host(self) -> None:
        """So is one with another host, in its new set."""
        self.program = VERSIONS[2]
        self.rewritten("--new-host", "www")
        self.assert_found("source", "www", {"copied": COMPLETE})
        self.assert_found("source", "web", {})

    def test_after_another_change(self) -> None:
        """One that was tagged before has lost its first id; restic too takes it for a new one."""
        self.file("big.log")
        self.make("source", "copied")
        self.backup("source", 2)
        self.copy("source", "copied")
        self.restic("source", "tag", "--add", "kept")
        self.restic("source", "rewrite", "--forget", "--exclude", "*.log")
        self.watch(self.entry("source", "copied"), self.entry("copied"))
        self.assert_found("source", "web", {"copied": (inf, 1)})
        self.copy("source", "copied")
        self.assertEqual(len(json.loads(self.restic("copied", "snapshots", "--json"))), 2)
        self.collect()
        self.assert_found("source", "web", {"copied": COMPLETE})

    def test_tagged_copy(self) -> None:
        """A change of the copy changes nothing."""
        self.make("source", "copied")
        self.backup("source", 2)
        self.copy("source", "copied")
        self.restic("copied", "tag", "--set", "offsite")
        self.watch(self.entry("source", "copied"), self.entry("copied"))
        self.assert_found("source", "web", {"copied": COMPLETE})


class DaemonTests(CopiesCase):
    """Restarts, reloads, other tools and pages."""

    def setUp(self) -> None:
        super().setUp()
        self.make("source", "copied")
        for days in (3, 2, 1):
            self.backup("source", days)
        self.copy("source", "copied", *self.ids()[:2])

    def ids(self) -> list[str]:
        """The snapshots of the source, the oldest first."""
        listed = json.loads(self.restic("source", "snapshots", "--json"))
        return [one["id"] for one in sorted(listed, key=lambda one: str(one["time"]))]

    def test_restart(self) -> None:
        """A restart serves the values at once, though the copy is away."""
        entries = [self.entry("source", "copied"), self.entry("copied")]
        state = f"--state-dir={self.root / 'state'}"
        for reader in ("native", "restic"):
            before = Daemon(self.folder, entries, f"--reader={reader}", state).serving()
            behind = {"copied": (1, 1)}
            self.assertEqual(self.found(before, "source"), behind)
            self.assertEqual(before.stop(), -2)
            self.path("copied").rename(self.path("away"))
            after = Daemon(self.folder, entries, f"--reader={reader}", state).serving()
            self.assertEqual(self.found(after, "source"), behind)
            after.program.wait_for("collected")
            self.assertEqual(self.found(after, "source"), behind)
            self.path("away").rename(self.path("copied"))
            after.collect()
            self.assertEqual(self.found(after, "source"), behind)
            self.assertEqual(after.stop(), -2)

    def test_reload(self) -> None:
        """The key takes effect with the next collection after a reload, and its removal too."""
        plain = [self.entry("source"), self.entry("copied")]
        daemon = Daemon(self.folder, plain, "--reader=native").serving()
        self.assertEqual(self.found(daemon, "source"), {})
        self.assertEqual(status_of(daemon.address, "/copies"), 404)
        daemon.configure([self.entry("source", "copied"), self.entry("copied")])
        daemon.reload()
        daemon.collect()
        self.assertEqual(self.found(daemon, "source"), {"copied": (1, 1)})
        page = daemon.get("/copies")
        self.assertIn("Behind", page)
        self.assertIn('href="copies"', daemon.get("/"))
        daemon.configure(plain)
        daemon.reload()
        daemon.collect()
        self.assertEqual(self.found(daemon, "source"), {})

    def test_wrong_config(self) -> None:
        """A copy that is no entry is refused, with the nearest one."""
        daemon = Daemon(self.folder, [self.entry("source", "copyed"), self.entry("copied")])
        self.assertEqual(daemon.program.end(), 1)
        self.assertIn(f"did you mean '{self.path('copied')}'?", daemon.program.output)
