"""The whole daemon and checks by it."""

import os
import shutil
import signal
import urllib.parse
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.clock_daemon import ClockDaemon
from tests.doubles.programs import Folder, processes
from tests.doubles.servers import EXAMPLE_PASSWORD, RestServer, copy_example, restic
from tests.doubles.tools import tool

DAY = 86400.0


class ChecksCase(SynchronousTestCase):
    """Repositories in folders that are checked daily."""

    def setUp(self) -> None:
        self.folder = Folder()
        self.addCleanup(self.folder.close)

    def repository(self, name: str) -> Path:
        """A repository."""
        return copy_example(self.folder.path / name)

    def entry(self, repo: object, **keys: Any) -> dict[str, Any]:
        """An entry that asks for checks, unless it says otherwise."""
        check = {"cron": "0 3 * * *", "read_data_subset": "100%"}
        return {"repo": str(repo), "password": EXAMPLE_PASSWORD, "check": check, **keys}

    def start(self, *entries: dict[str, Any], **options: Any) -> ClockDaemon:
        """A daemon that has collected."""
        daemon = ClockDaemon(self.folder, list(entries), **options)
        daemon.serving()
        return daemon

    def hanging_restic(self) -> str:
        """A restic whose checks hang, until a line is written to the FIFO ``gate``."""
        os.mkfifo(self.folder.path / "gate")
        text = (
            '#!/bin/sh\nif [ "$1" = check ]; then\n'
            f"  read line < {self.folder.path}/gate\n  exit $line\nfi\n"
            f'exec {tool("restic-0.18")} "$@"\n'
        )
        return str(self.folder.write("hanging-restic", text, 0o755))

    def release(self, exit: int) -> None:
        """Let the hanging check end."""
        with (self.folder.path / "gate").open("w") as gate:
            gate.write(f"{exit}\n")


class OutcomeTests(ChecksCase):
    """What checks find."""

    def test_good_and_damaged(self) -> None:
        """A damaged pack is found; metrics, page and log show it, and the other is well."""
        good, bad = self.repository("good"), self.repository("bad")
        for pack in (bad / "data").rglob("*"):
            if pack.is_file():
                pack.chmod(0o600)
                with pack.open("r+b") as file:
                    file.write(b"damaged")
        daemon = self.start(self.entry(bad), self.entry(good), self.entry("/no/where", check=False))
        page = daemon.get(f"/repository?url={urllib.parse.quote(str(good))}")
        self.assertIn("Next check", page)
        daemon.pass_time(DAY)
        daemon.program.wait_for(
            f"check of {bad} failed: restic check found errors: .*verification failed"
        )
        daemon.program.wait_for(f"check of {good} has found no errors")
        metrics = daemon.metrics()
        for url, success in ((good, 1), (bad, 0)):
            labels = {"url": str(url), "kind": "check"}
            self.assertEqual(metrics.value("backup_result_success", **labels), success)
        self.assertEqual(len(metrics.series("backup_result_success")), 2)
        page = daemon.get(f"/repository?url={urllib.parse.quote(str(bad))}")
        self.assertIn("restic check found errors", page)
        self.assertEqual(list((good / "locks").iterdir()), [])
        self.assertEqual(daemon.stop(), -signal.SIGINT)

    def test_no_restic(self) -> None:
        """Without restic the native reader reads on; the start warns, and the check fails."""
        repo = self.repository("repo")
        daemon = self.start(self.entry(repo), restic="/no/restic")
        self.assertIn("cannot find the program '/no/restic'", daemon.program.output)
        daemon.pass_time(DAY)
        daemon.program.wait_for(f"check of {repo} failed: cannot run '/no/restic': .*exec")
        labels = {"url": str(repo)}
        metrics = daemon.metrics()
        self.assertEqual(metrics.value("backup_result_success", **labels, kind="check"), 0)
        self.assertEqual(metrics.value("backup_read_success", **labels), 1)


class RunningTests(ChecksCase):
    """What happens while a check runs."""

    def begin(self, *entries: dict[str, Any]) -> ClockDaemon:
        """A daemon with a check under way."""
        daemon = self.start(*entries, restic=self.hanging_restic())
        daemon.pass_time(DAY)
        daemon.program.wait_for("check of .* started")
        return daemon

    def test_collections_go_on(self) -> None:
        """Collections read meanwhile, the checked repository too; the page shows the check."""
        repo = self.repository("repo")
        daemon = self.begin(self.entry(repo, reader="restic"))
        restic(repo, "backup", "--host=new", __file__)
        daemon.collect()
        metrics = daemon.metrics()
        self.assertEqual(len(metrics.series("backup_newest_timestamp", host="new")), 1)
        page = daemon.get(f"/repository?url={urllib.parse.quote(str(repo))}")
        self.assertIn("running, began", page)
        self.release(0)
        daemon.program.wait_for("has found no errors")

    def test_stop(self) -> None:
        """A stop ends the check and its child, in time, without a result."""
        repo = self.repository("repo")
        state = f"--state-dir={self.folder.path}/state"
        program = self.hanging_restic()
        daemon = ClockDaemon(self.folder, [self.entry(repo)], state, restic=program)
        daemon.serving()
        daemon.pass_time(DAY)
        # This waits until the check reads from it.
        with (self.folder.path / "gate").open("w"):
            self.assertEqual(daemon.stop(), -signal.SIGINT)
        self.assertEqual(list(processes(program)), [])
        self.assertNotIn("failed", daemon.program.output)
        again = ClockDaemon(self.folder, [self.entry(repo)], state, restic=program).serving()
        again.program.wait_for("collected")
        self.assertEqual(again.metrics().series("backup_result_success"), {})

    def test_reload(self) -> None:
        """A reload lets the check end as it began; without the key it is the last one."""
        repo, other = self.repository("repo"), self.repository("other")
        daemon = self.begin(self.entry(repo), self.entry(other))
        first = daemon.program.output.count(" started")
        daemon.configure([self.entry(repo, check=False), self.entry(other, check=False)])
        daemon.reload()
        self.release(3)
        daemon.program.wait_for("check of .* failed: restic failed with exit status 3")
        daemon.pass_time(7 * DAY)
        daemon.collect()
        self.assertEqual(daemon.program.output.count(" started"), first)
        self.assertEqual(len(daemon.metrics().series("backup_result_success")), 1)


class SizeTests(ChecksCase):
    """The size of a repository."""

    def test_rest(self) -> None:
        """The size by a real server is that of the folder; it is there after a restart."""
        path = self.folder.path / "served" / "repo"
        path.parent.mkdir()
        copy_example(path)
        server = RestServer(self.folder, path.parent)
        packs = [one.stat().st_size for one in (path / "data").rglob("*") if one.is_file()]
        entries = [
            self.entry(server.url("repo"), check=False, size_cron="0 4 * * *"),
            self.entry("rclone:no:where", check=False, size_cron="0 4 * * *", timeout=1),
        ]
        options = [f"--state-dir={self.folder.path}/state"]
        daemon = ClockDaemon(self.folder, entries, *options)
        daemon.serving()
        self.assertIn(
            "size_cron: ignored for 1 repository of the backend 'rclone', which cannot list",
            daemon.program.output,
        )
        requests = ("backup_storage_requests_total", server.url("repo"))
        before = daemon.metrics().value(requests[0], url=requests[1], operation="list")
        daemon.pass_time(DAY)
        daemon.program.wait_for(f"bytes in {len(packs)} packs")
        metrics, labels = daemon.metrics(), {"url": server.url("repo")}
        self.assertEqual(metrics.value("backup_repository_stored_bytes", **labels), sum(packs))
        self.assertEqual(metrics.value("backup_repository_pack_count", **labels), len(packs))
        after = metrics.value(requests[0], url=requests[1], operation="list")
        self.assertEqual((after or 0) - (before or 0), 1)
        self.assertEqual(daemon.stop(), -signal.SIGINT)
        shutil.rmtree(path / "data")
        again = ClockDaemon(self.folder, entries[:1], *options).serving()
        again.program.wait_for("collected")
        metrics = again.metrics()
        self.assertEqual(metrics.value("backup_repository_stored_bytes", **labels), sum(packs))
