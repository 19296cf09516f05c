"""The whole daemon on what real backups do: data that changes or vanishes, given times, forget."""

import os
import random
import time
from pathlib import Path
from statistics import median
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.daemons import Daemon
from tests.doubles.programs import Folder, wait_until
from tests.doubles.servers import EXAMPLE_PASSWORD, RestServer, copy_example, restic, snapshots

READERS = ("restic", "native")

# Of metrics of the repository, and of the set.
HOSTS = (None, "web-9")


class InsightTests(SynchronousTestCase):
    """Metrics and page against what restic did."""

    def setUp(self) -> None:
        """A repository, and a folder to back up."""
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.repository = copy_example(self.folder.path / "repository")
        self.data = self.folder.path / "data"
        self.data.mkdir()
        self.random = random.Random(1)

    def fill(self, *names: str) -> None:
        """Write these files anew."""
        for name in names:
            (self.data / name).write_bytes(self.random.randbytes(20_000))

    def back_up(self, *options: str, paths: tuple[Path, ...] = (), **values: Any) -> None:
        """Make a backup of the folder, or of other paths."""
        where = map(str, paths or (self.data,))
        arguments = ("backup", "--quiet", "--host", "web-9", *options, *where)
        restic(self.repository, *arguments, **values)

    def daemon(self, reader: str = "native", *options: str, url: str = "") -> Daemon:
        """A daemon that has read the repository."""
        config = [{"repo": url or str(self.repository), "password": EXAMPLE_PASSWORD}]
        return Daemon(self.folder, config, f"--reader={reader}", *options).serving()

    def value(self, daemon: Daemon, name: str) -> float | None:
        """The value of the repository, or of its set that is backed up here."""
        found = daemon.metrics().series(name)
        some = [value for labels, value in found.items() if dict(labels).get("host") in HOSTS]
        self.assertLess(len(some), 2)
        return some[0] if some else None

    def assert_ratios(self, daemon: Daemon) -> None:
        """The ratios are those of restic's own summaries."""
        made = [one for one in snapshots(self.repository) if one["hostname"] == "web-9"]
        *before, newest = [one["summary"] for one in made]

        def files(one: dict[str, int]) -> int:
            return one["files_new"] + one["files_changed"] + one["files_unmodified"]

        for name, value in (
            ("processed_bytes", lambda one: one["total_bytes_processed"]),
            ("added_bytes", lambda one: one["data_added"]),
            ("files", files),
            ("changed_files", lambda one: one["files_changed"]),
        ):
            usual = median([value(one) for one in before[-10:]])
            found = self.value(daemon, f"backup_newest_{name}_ratio")
            expected = value(newest) / usual if usual else None
            self.assertAlmostEqual(found, expected, msg=name)

    def assert_shown(self, daemon: Daemon, text: str) -> None:
        """The page has it; viewers within a second share one."""
        wait_until(lambda: text in daemon.get("/"))

    def test_sizes(self) -> None:
        """The newest backup's data is compared with that of those before it, also on the page."""
        names = [f"{number}.txt" for number in range(12)]
        self.fill(*names)
        self.back_up()
        for number in range(6):
            self.fill(names[number])
            self.back_up()
        daemons = [self.daemon(reader) for reader in READERS]
        for daemon in daemons:
            self.assert_ratios(daemon)
            self.assertNotIn("nearly all changed", daemon.get("/"))

        for name in names:
            (self.data / name).unlink()
        self.fill(*(f"{name}.locked" for name in names))
        self.back_up()
        for daemon in daemons:
            daemon.collect()
            self.assert_ratios(daemon)
            self.assert_shown(daemon, "nearly all changed")

        for file in self.data.iterdir():
            file.unlink()
        self.back_up()
        for daemon in daemons:
            daemon.collect()
            self.assert_ratios(daemon)
            self.assertEqual(self.value(daemon, "backup_newest_files_ratio"), 0)
            self.assert_shown(daemon, "0 % of the usual size")

    def test_given_times(self) -> None:
        """A given time counts; one that tag, rewrite or copy has kept or changed does not."""
        self.fill("a.txt")
        self.back_up()
        server = RestServer(self.folder, self.folder.path)
        url = server.url("repository")
        daemons = [self.daemon(reader) for reader in READERS]
        daemons += [self.daemon(reader, url=url) for reader in READERS]

        # The example is made up, so its snapshots have given times.
        known = [self.value(one, "backup_backdated_snapshot_count") or 0 for one in daemons]

        def assert_more(*expected: int) -> None:
            for daemon, before, more in zip(daemons, known, expected, strict=True):
                daemon.collect()
                found = self.value(daemon, "backup_backdated_snapshot_count")
                self.assertEqual(found, before + more)

        self.back_up("--time", "2020-01-01 00:00:00")
        assert_more(1, 1, 1, 1)
        # restic 0.14 writes no summary, so that only the storage's time tells.
        self.back_up("--time", "2020-02-01 00:00:00", program="restic-0.14")
        assert_more(2, 2, 1, 1)
        listed = snapshots(self.repository)
        first = next(one["id"] for one in listed if one["time"].startswith("2020-01-01"))
        newest = listed[-1]["id"]
        restic(self.repository, "rewrite", "--new-time", "2021-01-01 00:00:00", newest)
        assert_more(2, 2, 1, 1)
        restic(self.repository, "tag", "--add", "seen", first)
        assert_more(1, 1, 0, 0)

    def test_stored_before(self) -> None:
        """A snapshot whose file is older than its time counts."""
        self.fill("a.txt")
        before = {one.name for one in (self.repository / "snapshots").iterdir()}
        daemon = self.daemon()
        known = self.value(daemon, "backup_backdated_snapshot_count")
        assert known is not None
        self.back_up()
        [new] = [one for one in (self.repository / "snapshots").iterdir() if one.name not in before]
        os.utime(new, (time.time() - 86400,) * 2)
        daemon.collect()
        self.assertEqual(self.value(daemon, "backup_backdated_snapshot_count"), known + 1)

    def test_removed(self) -> None:
        """Removed snapshots count, also after a restart, and those that tag replaces."""
        state = self.folder.path / "state"
        state.mkdir(0o700)
        options = ("native", f"--state-dir={state}")
        self.fill("a.txt")
        for _ in range(5):
            self.back_up()
        daemon = self.daemon(*options)
        self.assertEqual(self.value(daemon, "backup_snapshots_removed_total"), 0)
        self.assertEqual(self.value(daemon, "backup_last_removal_timestamp_seconds"), None)

        restic(self.repository, "forget", "--host", "web-9", "--keep-last", "2")
        daemon.collect()
        self.assertEqual(self.value(daemon, "backup_snapshots_removed_total"), 3)
        removal = self.value(daemon, "backup_last_removal_timestamp_seconds")
        assert removal is not None
        self.assertLess(abs(time.time() - removal), 600)

        self.back_up()
        daemon.collect()
        self.assertEqual(self.value(daemon, "backup_snapshots_removed_total"), 3)
        daemon.stop()
        restic(self.repository, "tag", "--add", "seen", "--host", "web-9")
        daemon = self.daemon(*options)
        daemon.program.wait_for("collected .* repositor")
        self.assertEqual(self.value(daemon, "backup_snapshots_removed_total"), 6)
        later = self.value(daemon, "backup_last_removal_timestamp_seconds")
        assert later is not None
        self.assertGreater(later, removal)

    def test_path_lists(self) -> None:
        """Each list of paths of a set counts once, in any order."""
        self.fill("a", "b", "c")
        a, b, c = (self.data / name for name in "abc")
        for paths in ((a,), (a,), (a, b), (b, a), (c,)):
            self.back_up(paths=paths)
        for reader in READERS:
            self.assertEqual(self.value(self.daemon(reader), "backup_set_path_groups"), 3)
