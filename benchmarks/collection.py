"""
What a collection costs, beside restic run by hand: wall and CPU time, and memory.

    python -m benchmarks.collection

runs from the project's folder, after scripts/test has fetched the real programs. It makes
its own repositories, 20 copies of the example behind a real rest-server.
"""

import os
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.doubles.daemons import Daemon
from tests.doubles.programs import Folder
from tests.doubles.servers import (
    EXAMPLE,
    EXAMPLE_PASSWORD,
    RestServer,
    copy_example,
    restic,
    snapshots,
)

REPOSITORIES = 20
_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """CPU time of a process and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS


def own_children() -> float:
    """CPU time of the children of this process that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def row(what: str, wall: float, cpu: float) -> None:
    """Print one line of the table."""
    print(f"| {what:<58} | {wall:7.2f} | {cpu:7.2f} |", flush=True)


def first_metrics(folder: Folder) -> None:
    """From the start of the program to a served page, on the example."""
    started = time.monotonic()
    daemon = Daemon(folder, [{"repo": str(EXAMPLE), "password": EXAMPLE_PASSWORD}]).serving()
    daemon.metrics()
    row(
        "start to first metrics, the example",
        time.monotonic() - started,
        cpu_seconds(daemon.program.process.pid),
    )
    daemon.stop()


def collection(daemon: Daemon, what: str) -> None:
    """One collection by the daemon."""
    pid = daemon.program.process.pid
    before = cpu_seconds(pid)
    daemon.collect()
    cpu = cpu_seconds(pid) - before
    row(what, daemon.metrics().value("backup_job_duration_seconds") or 0.0, cpu)


def by_hand(urls: list[str], at_once: int) -> None:
    """``restic snapshots`` on each repository."""
    before, started = own_children(), time.monotonic()
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(lambda url: snapshots(url, password=EXAMPLE_PASSWORD), urls))
    row(
        f"restic snapshots on each by hand, {at_once} at a time",
        time.monotonic() - started,
        own_children() - before,
    )


def main() -> None:
    """Print the table."""
    folder = Folder()
    try:
        server = RestServer(folder, folder.path / "data")
        repositories = [
            copy_example(server.path / f"r{number}", real_key=True)
            for number in range(REPOSITORIES)
        ]
        urls = [server.url(path.name) for path in repositories]
        each = len(snapshots(EXAMPLE))
        python = sys.version.split()[0]
        print(f"{REPOSITORIES} repositories of {each} snapshots, {os.cpu_count()} cores")
        print(f"Python {python}\n")
        print(f"| {'':<58} | wall, s |  CPU, s |\n|{'-' * 60}|--------:|--------:|")
        first_metrics(folder)
        entries = [{"repo": url, "password": EXAMPLE_PASSWORD} for url in urls]
        daemon = Daemon(folder, entries).serving()
        first = daemon.metrics()
        row(
            "collection, all new to the daemon",
            first.value("backup_job_duration_seconds") or 0.0,
            cpu_seconds(daemon.program.process.pid),
        )
        for _ in range(3):
            collection(daemon, "collection, nothing new")
        for path in repositories:
            restic(path, "backup", "--quiet", "--host", "new", str(EXAMPLE / "config"))
        collection(daemon, "collection, one new snapshot in each")
        by_hand(urls, 1)
        by_hand(urls, 2)
        by_hand(urls, 8)
        memory = daemon.metrics().value("process_resident_memory_bytes") or 0.0
        print(f"\nmemory of the daemon (resident): {memory / 2**20:.0f} MiB")
        daemon.stop()
    finally:
        folder.close()


if __name__ == "__main__":
    main()
