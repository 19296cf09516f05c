"""
What a restart costs with a state folder.

    python -m benchmarks.fleet_restart [--size 10000]

runs from the project's folder and takes some minutes, as opening so many repositories would take
longer: the state is that of one repository, copied for all. `benchmarks.fleet` has the same,
beside a start without a state folder, with what each repository itself has left.
"""

import argparse
import time

from restic_reporter.state.database import Database
from restic_reporter.state.folder import StateFolder
from restic_reporter.state.packing import unpack_table
from restic_reporter.state.records import Record
from tests.doubles import programs
from tests.doubles.daemons import Daemon
from tests.doubles.programs import Folder

from .fleet_data import EASY, Fleet, Template
from .fleet_measure import Bare, collect, least, memory, pin
from .fleet_report import Report

CONCURRENCY = 8
LAG = "restic_reporter_reactor_lag_seconds"
STATE = "state"


def start(folder: Folder, entries: list[dict[str, str]]) -> Daemon:
    """The daemon with a state folder, on a core of its own, as it starts."""
    options = ("--reader=native", f"--concurrency={CONCURRENCY}", f"--state-dir={STATE}")
    daemon = Daemon(folder, entries, *options)
    pin(daemon.program.process.pid, 0)
    return daemon


def writes(folder: Folder, fleet: Fleet, plain: Daemon, report: Report) -> None:
    """What writing the state costs, beside the ``plain`` daemon without one."""
    what = f"{len(fleet.names):,} repositories"
    daemon = start(folder, fleet.entries()).serving()
    without, written = [], []
    for _ in range(5):
        fleet.add_snapshot()
        without.append(collect(plain))
        written.append(collect(daemon))
    cost, added, lag = least(written), least(without), daemon.metrics().value(LAG)
    daemon.stop()
    name = f"{what}, one new snapshot in each, with state"
    report.at_most(f"{name}, wall; without", cost.wall, added.wall, "s", 1.1)
    report.at_most(f"{name}, CPU; without", cost.cpu, added.cpu, "s", 1.1)
    if lag is not None:
        report.below(f"{what}: reactor held, writing state", lag * 1000, "ms", 50)


def restarts(folder: Folder, fleet: Fleet, report: Report, opened: float | None = None) -> None:
    """What a restart costs; without state the port was open after ``opened`` seconds."""
    size = len(fleet.names)
    what = f"{size:,} repositories"
    snapshots = sum(1 for _ in (fleet.root / fleet.names[0] / "snapshots").iterdir())
    disk = sum(file.stat().st_size for file in (folder.path / STATE).iterdir())
    report.below(f"{what}: state on disk, of each snapshot", disk / size / snapshots, "bytes", 100)
    ports, ends, lags = [], [], []
    for _ in range(3):
        started = time.monotonic()
        daemon = start(folder, fleet.entries()).serving()
        ports.append(time.monotonic() - started)
        daemon.program.wait_for("collected .* repositor")
        ends.append(time.monotonic() - started)
        lags.append(daemon.metrics().value(LAG) or 0.0)
        megabytes = memory(daemon.program.process.pid)
        later = collect(daemon).wall
        daemon.stop()
    if opened is not None:
        report.at_most(f"{what}, restart: port open; without state", min(ports), opened, "s", 1)
    report.below(f"{what}, restart: port open", min(ports), "s", 5)
    report.below(f"{what}, restart: first collection ended", min(ends), "s", 20)
    after = min(ends) - min(ports)
    report.row(
        f"{what}, restart: first collection after the port; a later collection",
        f"{after:.3g} s", f"{later:.3g} s", f"{after / later:.2f} x", "", None,
    )  # fmt: skip
    report.below(f"{what}, restart: reactor held", min(lags) * 1000, "ms", 50)
    report.below(f"{what} x {snapshots} snapshots, restart: memory", megabytes, "MB", 220)


def copy_state(folder: Folder, fleet: Fleet) -> None:
    """Give all repositories of the fleet the state of the first."""
    start(folder, fleet.entries()[:1]).serving().stop()
    database, now = Database(StateFolder(folder.path / STATE)), time.time()
    database.open(now)
    ((first, head, content, packed),) = database.read(database.labels())
    table = unpack_table(packed).columns()
    urls = [first.removesuffix(fleet.names[0]) + name for name in fleet.names]
    database.write([Record(url, {**head, "url": url}, content, table) for url in urls], None, now)
    database.close()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="What a restart costs.")
    parser.add_argument("--size", type=int, default=10_000, help="of the fleet")
    arguments = parser.parse_args()
    programs.PATIENCE = 3600.0
    report, folder = Report(), Folder()
    report.start()
    try:
        template = Template.make(folder, "restart", 100, 1)
        template.lock(*EASY)
        fleet = Fleet(folder, template, arguments.size)
        pin(fleet.server.program.process.pid, -1)
        copy_state(folder, fleet)
        restarts(folder, fleet, report)
        bare = Bare(folder, CONCURRENCY)
        gets = bare.get(fleet.urls("snapshots/", "locks/")).wall
        bare.close()
        what = f"{2 * arguments.size:,} bare treq GETs"
        report.row(what, f"{gets:.3g} s", "", "", "", None)
    finally:
        folder.close()


if __name__ == "__main__":
    main()
