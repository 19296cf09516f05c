"""What a daemon keeps in memory, however long it runs."""

import signal
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.daemons import Daemon
from tests.doubles.programs import ROOT, Folder, wait_until
from tests.doubles.servers import EXAMPLE_PASSWORD, RestServer, copy_example

# Prints of which classes there is garbage that no collection would find.
SPY = """
import collections, gc, signal

def show(*_):
    gc.collect()
    gc.unfreeze()
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.collect()
    gc.set_debug(0)
    names = sorted({type(one).__qualname__ for one in gc.garbage})
    print("garbage:", *names, flush=True)

signal.signal(signal.SIGUSR2, show)
"""

_TIME_WAIT = "06"


def connected(port: int) -> bool:
    """Whether there is a connection to or from a port, on any side."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    fields = [line.split() for line in lines]
    return any(
        f"{port:04X}" in (local[-4:], remote[-4:]) and not remote.endswith(":0000")
        for _, local, remote, state, *_ in fields
        if state != _TIME_WAIT
    )


class GarbageTests(SynchronousTestCase):
    """After a collection, a daemon excludes from collections of garbage what it has."""

    def test_connections(self) -> None:
        """No connection to a storage is among that, as it would never be freed."""
        folder = Folder()
        self.addCleanup(folder.close)
        (folder.path / "spy").mkdir()
        folder.write("spy/sitecustomize.py", SPY)
        server = RestServer(folder, folder.path / "data")
        copy_example(server.path / "repo")
        config = [{"repo": server.url("repo"), "password": EXAMPLE_PASSWORD}]
        path = f"{ROOT}:{folder.path / 'spy'}"
        daemon = Daemon(folder, config, environment={"PYTHONPATH": path}).serving()
        daemon.collect()
        server.stop()
        port = int(server.address.rpartition(":")[2])
        wait_until(lambda: not connected(port))
        daemon.program.signal(signal.SIGUSR2)
        names = daemon.program.wait_for(r"garbage:(.*)")[1].split()
        self.assertEqual([one for one in names if "Client" in one or "Connect" in one], [])
        daemon.stop()
