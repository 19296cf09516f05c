"""
What reading from S3 costs, beside restic run by hand: requests, CPU and wall time, and money.

    python -m benchmarks.s3

runs from the project's folder, after ``scripts/fetch-test-tools --slow``. The server is Ceph's
radosgw on this machine; each repository is a copy of the example. The tables of money are
computed, from prices that docs/s3.md names.
"""

from collections.abc import Callable
from typing import Any

from attrs import frozen

from benchmarks.fleet_measure import Cost, collect, least, pin, restic_by_hand
from tests.doubles.daemons import Daemon
from tests.doubles.programs import Folder
from tests.doubles.radosgw import Radosgw
from tests.doubles.servers import EXAMPLE_PASSWORD, copy_example

REPOSITORIES = 50
BY_HAND = 5
RUNS = 5

DAYS = 30
SNAPSHOTS = 100
# restic 0.18 and 0.19: a location and two lists; key, config (twice) and each snapshot.
RESTIC_LISTS, RESTIC_GETS = 3, SNAPSHOTS + 3


@frozen
class Requests:
    """Lists and downloads a day."""

    lists: float
    gets: float


def unchanged(repositories: int, times: int) -> Requests:
    """Ours, but for changes: a list at each collection, and the config once a day."""
    return Requests(repositories * times, repositories)


def by_restic(repositories: int, times: int) -> Requests:
    """Ours with the restic reader, and a backup a day in each repository."""
    ours = unchanged(repositories, times)
    return Requests(
        ours.lists + repositories * RESTIC_LISTS, ours.gets + repositories * RESTIC_GETS
    )


def natively(repositories: int, times: int) -> Requests:
    """Ours with the native reader, and a backup a day in each repository."""
    ours = unchanged(repositories, times)
    return Requests(ours.lists, ours.gets + repositories)


def restic_alone(repositories: int, times: int) -> Requests:
    """``restic snapshots`` each time."""
    runs = repositories * times
    return Requests(runs * RESTIC_LISTS, runs * RESTIC_GETS)


def amazon(one: Requests) -> float:
    """Dollars a month: 0.005 for 1,000 lists, 0.0004 for 1,000 downloads."""
    return DAYS * (one.lists * 0.005 + one.gets * 0.0004) / 1000


def r2(one: Requests) -> float:
    """4.50 for a million lists, 0.36 for a million downloads; 1 and 10 millions are free."""
    lists, gets = DAYS * one.lists / 1e6, DAYS * one.gets / 1e6
    return max(0.0, lists - 1) * 4.50 + max(0.0, gets - 10) * 0.36


def b2(one: Requests) -> float:
    """0.004 for 1,000 lists, 0.004 for 10,000 downloads; 2,500 of each are free a day."""
    return DAYS * (max(0.0, one.lists - 2500) * 0.4 + max(0.0, one.gets - 2500) * 0.04) / 1e5


def print_money() -> None:
    """Print the tables."""
    schedules = (("0 0 * * *", 1), ("7 * * * *", 24), ("*/15 * * * *", 96), ("*/5 * * * *", 288))
    makers: tuple[Callable[[int, int], Requests], ...] = (natively, by_restic, restic_alone)
    for price in (amazon, r2, b2):
        print(f"\n{price.__name__}: {price.__doc__}")
        for cron, times in schedules:
            cells = [
                f"${price(make(repositories, times)):,.2f}"
                for repositories in (1, 100, 1000)
                for make in makers
            ]
            print(f"| `{cron}` | {' | '.join(cells)} |")


def entry(server: Radosgw, name: str) -> dict[str, Any]:
    """The entry of a repository."""
    return {
        "repo": f"{server.url}/{name}",
        "password": EXAMPLE_PASSWORD,
        "s3_access_key_id": server.access_key_id,
        "s3_secret_access_key": server.secret_access_key,
        "reader": "native",
    }


def measure(folder: Folder) -> None:
    """Print what unchanged repositories cost."""
    server = Radosgw(folder)
    path = copy_example(folder.path / "example", real_key=True)
    files = [file for file in sorted(path.rglob("*")) if file.is_file()]
    entries = [entry(server, f"r{number}") for number in range(REPOSITORIES)]
    for number in range(REPOSITORIES):
        for file in files:
            key = f"r{number}/{file.relative_to(path)}"
            status, body = server.ask("PUT", key, body=file.read_bytes())
            assert status == 200, body
    daemon = Daemon(folder, entries).serving()
    pin(daemon.program.process.pid, 0)

    def lists() -> float:
        series = daemon.metrics().series("backup_storage_requests_total")
        return sum(series.values())

    collect(daemon)
    before = lists()
    ours = least([collect(daemon) for _ in range(RUNS)]).per(REPOSITORIES)
    requests = (lists() - before) / RUNS / REPOSITORIES
    urls = [one["repo"] for one in entries[:BY_HAND]]
    hand = least(
        [restic_by_hand(urls, EXAMPLE_PASSWORD, 1, server.environment) for _ in range(3)]
    ).per(BY_HAND)
    count = sum(1 for file in files if file.parent.name == "snapshots")
    print(f"one unchanged repository of {count} snapshots, of {REPOSITORIES}:")
    _row("restic-reporter", ours, f"{requests:.2f}")
    _row("restic snapshots", hand, f"{3 + 3 + count}")
    print(f"{hand.wall / ours.wall:.0f} times faster, {hand.cpu / ours.cpu:.0f} times less CPU")
    daemon.stop()


def _row(what: str, cost: Cost, requests: str) -> None:
    wall, cpu = cost.wall * 1000, cost.cpu * 1000
    print(f"| {what} | {requests} requests | {cpu:.2f} ms CPU | {wall:.2f} ms |", flush=True)


def main() -> None:
    """Print both."""
    print_money()
    folder = Folder()
    try:
        measure(folder)
    finally:
        folder.close()


if __name__ == "__main__":
    main()
