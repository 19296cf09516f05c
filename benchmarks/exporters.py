"""
What one look at a repository costs: restic, ngosang/restic-exporter and the daemon.

    python -m benchmarks.exporters EXPORTER.PY

runs from the project's folder, after scripts/fetch-test-tools. The repository has 100 snapshots of
one small file by restic 0.18, behind a real rest-server. That is little for `restic check` and
`restic stats`, which read more in a real one. That program runs with its defaults, and with
``NO_CHECK``.
"""

import os
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.collection import cpu_seconds, own_children
from tests.doubles.daemons import Daemon, Metrics
from tests.doubles.programs import Folder, serves, wait_until
from tests.doubles.servers import EXAMPLE_PASSWORD, RestServer, restic
from tests.doubles.tools import tool

SNAPSHOTS = 100
REFRESHES = 20


def repository(path: Path, source: Path) -> None:
    """Make it."""
    restic(path, "init")
    for number in range(SNAPSHOTS):
        restic(path, "backup", "--quiet", "--host", f"host-{number % 5}", str(source))


def row(name: str, wall: Sequence[float], cpu: float) -> None:
    """Print one row: the median time, and the CPU time of each."""
    print(
        f"| {name} | {statistics.median(wall) * 1000:,.1f} ms | {cpu * 1000:,.1f} ms |", flush=True
    )


def exporter(folder: Folder, program: str, name: str, settings: Mapping[str, str]) -> None:
    """Refreshes of the other program, one directly after the other."""
    address = "127.0.0.1:8001"
    environment = {"PATH": f"{folder.path}:{os.environ['PATH']}", "HOME": str(folder.path)}
    environment |= {"REFRESH_INTERVAL": "1", "RESTIC_PASSWORD": EXAMPLE_PASSWORD, **settings}
    process = folder.run([sys.executable, program], environment)
    wait_until(lambda: serves(address))
    daemon = Daemon.__new__(Daemon)
    daemon.address = address
    pid, wall, begun = process.process.pid, list[float](), 0.0
    while len(wall) <= REFRESHES:
        one = Metrics(daemon.get("/metrics")).value("restic_scrape_duration_seconds")
        if one is not None and wall[-1:] != [one]:
            begun = begun or cpu_seconds(pid)
            wall.append(one)
        time.sleep(0.05)
    row(name, wall[1:], (cpu_seconds(pid) - begun) / REFRESHES)
    process.kill()


def by_hand(url: str) -> None:
    """``restic snapshots``."""
    before, wall = own_children(), list[float]()
    for _ in range(REFRESHES):
        started = time.monotonic()
        restic(url, "snapshots", "--json", "--no-lock")
        wall.append(time.monotonic() - started)
    row("`restic snapshots`", wall, (own_children() - before) / REFRESHES)


def ours(folder: Folder, url: str) -> None:
    """Collections of the daemon."""
    entry = {"repo": url, "password": EXAMPLE_PASSWORD}
    daemon = Daemon(folder, [entry], "--reader=native").serving()
    pid, wall = daemon.program.process.pid, list[float]()
    before = cpu_seconds(pid)
    for _ in range(REFRESHES):
        daemon.collect()
        wall.append(daemon.metrics().value("backup_job_duration_seconds") or 0.0)
    row("restic-reporter, nothing new", wall, (cpu_seconds(pid) - before) / REFRESHES)
    daemon.stop()


def main() -> None:
    """Print the table."""
    folder = Folder()
    try:
        server = RestServer(folder, folder.path / "served")
        repository(server.path / "one", folder.write("file", "content"))
        (folder.path / "restic").symlink_to(tool("restic-0.18"))
        given = {"RESTIC_REPOSITORY": server.url("one")}
        print("| a refresh | wall | CPU |\n| --- | ---: | ---: |")
        exporter(folder, sys.argv[1], "restic-exporter", given)
        exporter(folder, sys.argv[1], "restic-exporter, `NO_CHECK`", given | {"NO_CHECK": "1"})
        by_hand(server.url("one"))
        ours(folder, server.url("one"))
    finally:
        folder.close()


if __name__ == "__main__":
    main()
