"""
What a fleet costs, beside restic run by hand and beside bare treq GETs, in one run.

    python -m benchmarks.fleet [--sizes 100,1000,10000] [--chart FILE.svg]

runs from the project's folder, after scripts/test has fetched the real programs, and takes
some minutes, mostly for opening repositories. The repositories are copies (hard links) of one
that restic has made, whose snapshots are sealed here with its own key, since restic would take
hours; the rest-server is real. The daemon and the bare GETs have one core, the same, and
the rest-server another; restic has all, and so has the daemon where one cold repository is
raced. Everything is run several times in turn, and the least counts.
"""

import argparse
import threading
import time
from pathlib import Path

from tests.doubles import programs
from tests.doubles.daemons import Daemon
from tests.doubles.programs import Folder
from tests.doubles.servers import EXAMPLE_PASSWORD

from .fleet_chart import draw, figure, groups
from .fleet_data import EASY, Fleet, Template
from .fleet_measure import (
    Bare,
    Cost,
    collect,
    cpu_seconds,
    derivation,
    least,
    memory,
    off_the_core,
    percentile,
    pin,
    restic_by_hand,
    scrape_times,
)
from .fleet_report import Report
from .fleet_restart import restarts, writes

CONCURRENCY = 8
ROUNDS = 5
SNAPSHOTS = 100
# Repositories that are opened with restic's usual parameters, and that restic reads by hand.
COLD = 50
SAMPLE = 20
LONG = 1000
LAG = "restic_reporter_reactor_lag_seconds"


def start(folder: Folder, fleet: Fleet | None, one_core: bool = True) -> Daemon:
    """The daemon over a fleet, on a core of its own or on all, after its first collection."""
    entries = [] if fleet is None else fleet.entries()
    daemon = Daemon(folder, entries, "--reader=native", f"--concurrency={CONCURRENCY}")
    if one_core:
        pin(daemon.program.process.pid, 0)
    return daemon.serving()


def by_hand(fleet: Fleet, number: int) -> Cost:
    """What ``restic snapshots`` takes for each of so many repositories, two at a time."""
    urls = [fleet.server.url(name) for name in fleet.names[:number]]
    return restic_by_hand(urls, EXAMPLE_PASSWORD, 2).per(number)


def cold(folder: Folder, fleet: Fleet, report: Report) -> None:
    """Opening: a fleet, and one repository of a thousand snapshots."""
    idle = start(folder, None)
    startup = cpu_seconds(idle.program.process.pid)
    idle.stop()
    daemon = start(folder, fleet)
    cpu = cpu_seconds(daemon.program.process.pid) - startup
    requests = sum(daemon.metrics().series("backup_storage_requests_total").values())
    daemon.stop()
    floor = COLD * derivation(fleet.template.key) + requests * 0.001
    what = f"cold fleet of {COLD} x {SNAPSHOTS}, CPU"
    alone = f"{what}; derivations alone + 1 ms x {requests:.0f} requests"
    report.at_most(alone, cpu, floor, "s", 1.1)
    restic = by_hand(fleet, SAMPLE).cpu * COLD
    report.at_most(f"{what}; restic by hand on {SAMPLE}, scaled", cpu, restic, "s", 1)

    single = Fleet(folder, Template.make(folder, "long", LONG, 5), 1)
    bare = Bare(folder, CONCURRENCY)
    urls = single.urls_of_all()
    ours, gets, restics = [], [], []
    for _ in range(5):
        gets.append(bare.get(urls))
        daemon = start(folder, single, one_core=False)
        (duration,) = daemon.metrics().series("backup_read_duration_seconds").values()
        ours.append(duration)
        daemon.stop()
        restics.append(restic_by_hand([single.server.url("r0")], EXAMPLE_PASSWORD, 1).wall)
    bare.close()
    what = f"cold repository of {LONG:,} snapshots, wall"
    report.at_most(f"{what}; restic snapshots --no-cache", min(ours), min(restics), "s", 1)
    mine, yard = min(ours), least(gets).wall
    report.row(
        f"{what}; {len(urls):,} bare treq GETs",
        f"{figure(mine)} s", f"{figure(yard)} s", f"{mine / yard:.2f} x", "", None,
    )  # fmt: skip
    single.close()


def scrapes(daemon: Daemon, size: int, hosts: int, report: Report) -> None:
    """What a scrape takes, and how long it and a collection hold the reactor."""
    goal = 50.0 if size <= 1000 else 300.0
    number = 200 if size <= 1000 else 40
    what = f"{size:,} x {hosts} sets: /metrics"
    for gzip in (True, False):
        kind = "gzip" if gzip else "plain"
        times = scrape_times(daemon, number, gzip, lambda: True)
        report.below(f"{what}, {kind}, idle, p99", percentile(times, 0.99) * 1000, "ms", goal)
    daemon.metrics()
    collecting = threading.Thread(target=daemon.collect)
    collecting.start()
    times = scrape_times(daemon, 10_000, True, collecting.is_alive)
    collecting.join()
    p50, p99 = (percentile(times, share) * 1000 for share in (0.5, 0.99))
    during = f"{what}, gzip, in a collection, p99 (p50 {p50:.0f} ms, {len(times)} scrapes)"
    report.below(during, p99, "ms", goal)


def warm(folder: Folder, size: int, snapshots: int, with_restic: Fleet, report: Report) -> None:
    """Collections of a fleet that has been read before."""
    hosts = 5 if size <= 1000 else 1
    template = Template.make(folder, f"warm{size}", snapshots, hosts)
    template.lock(*EASY)
    fleet = Fleet(folder, template, size)
    pin(fleet.server.program.process.pid, -1)
    started = time.monotonic()
    daemon = start(folder, fleet)
    opened = time.monotonic() - started
    bare = Bare(folder, CONCURRENCY)
    goal = f"{size:,} repositories"
    listings = fleet.urls("snapshots/", "locks/")
    unchanged, gets, restics = [], [], []
    collect(daemon)
    for _ in range(ROUNDS):
        restics.append(by_hand(with_restic, 4))
        gets.append(bare.get(listings))
        unchanged.append(collect(daemon))
    lag = daemon.metrics().value(LAG)
    mine, yard = least(unchanged), least(gets)
    report.at_most(
        f"{goal}, unchanged, wall; {len(listings):,} bare treq GETs", mine.wall, yard.wall, "s", 1.5
    )
    report.at_most(
        f"{goal}, unchanged, CPU; {len(listings):,} bare treq GETs", mine.cpu, yard.cpu, "s", 1.5
    )
    restic = least(restics).wall
    times = restic / mine.per(size).wall
    report.row(
        f"{goal}, unchanged; restic snapshots on each, two at a time",
        f"{figure(mine.per(size).wall * 1000)} ms", f"{figure(restic * 1000)} ms",
        f"{times:.0f} x faster",
        "≥ 300 x faster", times >= 300,
    )  # fmt: skip
    added, gets = [], []
    for _ in range(3):
        new = fleet.add_snapshot()
        # Keys and config are looked at as well, wherever the snapshots have changed.
        paths = ("snapshots/", "locks/", "keys/", "config", f"snapshots/{new}")
        gets.append(bare.get(fleet.urls(*paths)))
        added.append(collect(daemon))
    mine, yard = least(added), least(gets)
    report.at_most(
        f"{goal}, one new snapshot in each, wall; {5 * size:,} bare GETs",
        mine.wall,
        yard.wall,
        "s",
        1.5,
    )
    with off_the_core():
        scrapes(daemon, size, hosts, report)
        later = daemon.metrics().value(LAG)
    if lag is not None and later is not None:
        report.below(f"{goal}: reactor held, collections", lag * 1000, "ms", 50)
        report.below(f"{goal}: reactor held, scrapes in a collection", later * 1000, "ms", 50)
    with off_the_core():
        daemon.reload()
        held = daemon.metrics().value(LAG)
    if held is not None:
        report.below(f"{goal}: reactor held, reload of the config", held * 1000, "ms", 50)
    megabytes = memory(daemon.program.process.pid)
    report.below(f"{goal} x {snapshots} snapshots: memory", megabytes, "MB", 220)
    report.grown(size, least(unchanged).per(size), least(added).per(size), megabytes)
    bare.close()
    writes(folder, fleet, daemon, report)
    daemon.stop()
    restarts(folder, fleet, report, opened)
    fleet.close()


def main() -> None:
    """Print the table, and draw the chart."""
    parser = argparse.ArgumentParser(description="What a fleet costs.")
    parser.add_argument("--sizes", default="100,1000", help="of the fleets, with commas between")
    parser.add_argument("--snapshots", type=int, default=SNAPSHOTS, help="of each repository")
    parser.add_argument("--chart", type=Path, help="an SVG file to be written")
    arguments = parser.parse_args()
    # To open a large fleet takes minutes, however cheap the derivation.
    programs.PATIENCE = 3600.0
    report = Report()
    report.start()
    folder = Folder()
    try:
        fleet = Fleet(folder, Template.make(folder, "cold", SNAPSHOTS, 5), COLD)
        pin(fleet.server.program.process.pid, -1)
        cold(folder, fleet, report)
        for size in map(int, arguments.sizes.split(",")):
            warm(folder, size, arguments.snapshots, fleet, report)
    finally:
        folder.close()
    report.growth()
    if arguments.chart is not None:
        arguments.chart.write_text(draw(groups("\n".join(report.lines))))
    print(f"\n{report.unmet} goals not met" if report.unmet else "\nall goals met")


if __name__ == "__main__":
    main()
