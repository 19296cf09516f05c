"""The whole daemon's memory over many reloads."""

import signal
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.daemons import Daemon
from tests.doubles.programs import Folder, wait_until

MEGABYTE = 10**6


class ReloadTests(SynchronousTestCase):
    """HUP again and again."""

    def setUp(self) -> None:
        """A daemon with entries that all fail."""
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.daemon = Daemon(self.folder, self.entries(), "--reader=native").serving()

    def entries(self, **last: str) -> list[dict[str, Any]]:
        """Three hundred entries, the last one with other keys too."""
        names = [f"{self.folder.path}/missing/{number}" for number in range(300)]
        entries = [{"repo": name, "password": f"{name}: password"} for name in names]
        entries[-1].update(last)
        return entries

    def memory(self) -> int:
        """The daemon's resident memory in bytes."""
        status = Path(f"/proc/{self.daemon.program.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    def handles(self) -> int:
        """How many descriptors and threads the daemon has."""
        process = Path(f"/proc/{self.daemon.program.process.pid}")
        return sum(len(list((process / name).iterdir())) for name in ("fd", "task"))

    def reload(self, config: Any) -> None:
        """Reload with another config."""
        self.daemon.configure(config)
        self.daemon.reload()

    def reload_large(self) -> None:
        """Reload with a file that is too large."""
        with self.daemon.config.open("w") as file:
            file.truncate(65 * 2**20)
        self.daemon.reload()

    def round(self) -> None:
        """Ten reloads, good and bad, and a collection in which all fails."""
        self.reload_large()
        for _ in range(3):
            self.reload(self.entries(passwort="x"))
            self.reload(self.entries(repo="rest:http://host/%zz"))
            self.reload(self.entries())
        self.daemon.collect()

    def test_stays(self) -> None:
        """A hundred reloads, good and bad, leave no memory, descriptor or thread in use."""
        for _ in range(3):
            self.round()
        before, handles = self.memory(), self.handles()
        for _ in range(10):
            self.round()
        self.assertLess(self.memory() - before, 8 * MEGABYTE)
        wait_until(lambda: self.handles() <= handles)

    def test_during_collections(self) -> None:
        """So do reloads while repositories fail."""
        number = 0

        def reloads() -> None:
            nonlocal number
            for _ in range(10):
                number += 1
                self.daemon.program.signal(signal.SIGUSR1)
                self.reload(self.entries(repo=f"{self.folder.path}/other/{number}"))

        for _ in range(3):
            reloads()
        before = self.memory()
        for _ in range(10):
            reloads()
        self.assertLess(self.memory() - before, 8 * MEGABYTE)
