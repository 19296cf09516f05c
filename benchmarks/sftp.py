"""
What an unchanged repository behind ssh costs, beside restic run by hand: wall and CPU time.

    python -m benchmarks.sftp

runs from the project's folder, after scripts/fetch-test-tools --slow. One repository,
under 100 names, is behind a real sshd on this machine; CPU time is without the server's.
"""

import json
import os
import shutil
import statistics
import sys
import time

from benchmarks.collection import cpu_seconds, own_children
from tests.doubles.daemons import Daemon
from tests.doubles.native_repositories import cheapen
from tests.doubles.programs import Folder
from tests.doubles.servers import EXAMPLE_PASSWORD, copy_example, restic
from tests.doubles.sshd import Sshd, descendants

REPOSITORIES = 100
BY_HAND = 10
COLLECTIONS = 5

# More names, so that a folder is about as long as a used one.
SNAPSHOTS = 100


def row(what: str, wall: float, cpu: float) -> None:
    """Print one line of the table."""
    print(f"| {what:<58} | {wall * 1000:9.1f} | {cpu * 1000:8.1f} |", flush=True)


def all_cpu(pid: int) -> float:
    """CPU time of a process, its guards and their ssh, ended or not."""
    return cpu_seconds(pid) + sum(map(cpu_seconds, descendants(pid)))


def main() -> None:
    """Print the table."""
    folder = Folder()
    try:
        server = Sshd(folder)
        path = copy_example(server.files / "by-hand", real_key=True)
        (source := folder.path / "source").write_text("content")
        while len(list((path / "snapshots").iterdir())) < SNAPSHOTS:
            restic(path, "backup", "--quiet", "--host", "h", str(source))
        # A cheap key, as the first collection is not what is measured.
        shutil.copytree(path, server.files / "0")
        cheapen(server.files / "0", EXAMPLE_PASSWORD)
        server.adopt(server.files)
        for number in range(1, REPOSITORIES):
            (server.files / str(number)).symlink_to("0")
        command = server.sftp_command()
        print(f"{REPOSITORIES} repositories of {SNAPSHOTS} snapshots, {os.cpu_count()} cores")
        print(f"Python {sys.version.split()[0]}, Twisted's reactor, OpenSSH's sshd on loopback\n")
        print(f"| {'each repository':<58} |  wall, ms |  CPU, ms |")
        print(f"|{'-' * 60}|----------:|---------:|")
        by_hand(server, command)
        daemon_rows(folder, server, command)
        print(f"\nlogins of the daemon: {server.logins - BY_HAND}")
    finally:
        folder.close()


def by_hand(server: Sshd, command: str) -> None:
    """``restic snapshots`` on some of them."""
    before, started = own_children(), time.monotonic()
    for _ in range(BY_HAND):
        words = ["-o", f"sftp.command={command}", "snapshots", "--json", "--no-lock"]
        json.loads(restic(server.url("by-hand"), *words))
    wall, cpu = time.monotonic() - started, own_children() - before
    row("restic snapshots by hand, one after the other", wall / BY_HAND, cpu / BY_HAND)


def daemon_rows(folder: Folder, server: Sshd, command: str) -> None:
    """Collections of the daemon."""
    entries = [
        {
            "repo": server.url(str(number)),
            "password": EXAMPLE_PASSWORD,
            "options": {"sftp.command": command},
            "reader": "native",
        }
        for number in range(REPOSITORIES)
    ]
    daemon = Daemon(folder, entries).serving()
    pid = daemon.program.process.pid
    assert daemon.metrics().value("backup_job_error_count") == 0, daemon.program.output

    def collect() -> tuple[float, float]:
        before = all_cpu(pid)
        daemon.collect()
        cpu = all_cpu(pid) - before
        metrics = daemon.metrics()
        assert metrics.value("backup_job_error_count") == 0, daemon.program.output
        wall = metrics.value("backup_job_duration_seconds") or 0.0
        return wall / REPOSITORIES, cpu / REPOSITORIES

    warm = [collect() for _ in range(COLLECTIONS)]
    row(
        "the daemon, nothing new, still logged in",
        *(statistics.median(values) for values in zip(*warm, strict=True)),
    )
    while descendants(pid):
        time.sleep(0.5)
    row("the daemon, nothing new, with the login", *collect())
    daemon.stop()


if __name__ == "__main__":
    main()
