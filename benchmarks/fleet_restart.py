"""What a restart costs with a state folder, beside a start without one."""

import time

from tests.doubles.servers import Daemon, Folder

from .fleet_data import Fleet
from .fleet_measure import collect, least, pin
from .fleet_report import Report

LAG = "restic_reporter_reactor_lag_seconds"
STATE = "state"


def start(folder: Folder, fleet: Fleet, concurrency: int, *options: str) -> Daemon:
    """The daemon over a fleet, on a core of its own, as it starts."""
    options = ("--reader=native", f"--concurrency={concurrency}", *options)
    daemon = Daemon(folder, fleet.entries(), *options)
    pin(daemon.program.process.pid, 0)
    return daemon


def restarts(
    folder: Folder, fleet: Fleet, concurrency: int, plain: Daemon, opened: float, report: Report
) -> None:
    """
    The same fleet with a state folder, beside the ``plain`` daemon without one.

    ``opened`` are the seconds until the port of that was open.
    """
    size = len(fleet.names)
    what = f"{size:,} repositories"
    daemon = start(folder, fleet, concurrency, f"--state-dir={STATE}").serving()
    without, written, unchanged = [], [], []
    collect(daemon)
    for _ in range(5):
        fleet.add_snapshot()
        without.append(collect(plain))
        written.append(collect(daemon))
        unchanged.append(collect(daemon))
    cost, added, lag = least(written), least(without), daemon.metrics().value(LAG)
    plain.stop()
    daemon.stop()
    name = f"{what}, one new snapshot in each, with state"
    report.at_most(f"{name}, wall; without", cost.wall, added.wall, "s", 1.1)
    report.at_most(f"{name}, CPU; without", cost.cpu, added.cpu, "s", 1.1)
    if lag is not None:
        report.below(f"{what}: reactor held, writing state", lag * 1000, "ms", 50)
    snapshots = sum(1 for _ in (fleet.root / fleet.names[0] / "snapshots").iterdir())
    disk = sum(file.stat().st_size for file in (folder.path / STATE).iterdir())
    report.below(f"{what}: state on disk, of each snapshot", disk / size / snapshots, "bytes", 100)
    ports, ends, lags = [], [], []
    for _ in range(3):
        started = time.monotonic()
        daemon = start(folder, fleet, concurrency, f"--state-dir={STATE}").serving()
        ports.append(time.monotonic() - started)
        daemon.program.wait_for("collected .* repositor")
        ends.append(time.monotonic() - started)
        lags.append(daemon.metrics().value(LAG) or 0.0)
        daemon.stop()
    report.at_most(f"{what}, restart: port open; without state", min(ports), opened, "s", 1)
    report.below(f"{what}, restart: port open", min(ports), "s", 5)
    report.below(f"{what}, restart: first collection ended", min(ends), "s", 20)
    after, yard = min(ends) - min(ports), least(unchanged).wall
    report.row(
        f"{what}, restart: first collection after the port; a later collection",
        f"{after:.3g} s", f"{yard:.3g} s", f"{after / yard:.2f} x", "", None,
    )  # fmt: skip
    report.below(f"{what}, restart: reactor held", min(lags) * 1000, "ms", 50)
