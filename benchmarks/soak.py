"""
Two hundred repositories on real servers, with random faults, for as long as asked.

    python -m benchmarks.soak --minutes 30 [--repositories 200] [--seed 1]

runs from the project's folder, after scripts/test has fetched the real programs. Half of the
repositories are behind a rest-server, a quarter behind an sshd, the others are folders; some are
read by restic, the others natively. In each round some change, some break, the daemon collects,
and every value on its page is compared with the truth. It ends with a table, and with status 1
if a value was wrong, a read failed without a fault, or memory, descriptors or threads have grown.
"""

import argparse
import random
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median

from attrs import define, field

from tests.doubles import programs
from tests.doubles.daemons import Daemon, Metrics
from tests.doubles.programs import Folder

from .fleet_measure import memory
from .soak_faults import FAULTS, Fault
from .soak_world import Values, World

# Reads of the first rounds fill caches and pools.
WARM_UP = 5
# What may be more at the end than after the warm-up.
MEMORY_GROWTH = 1.15, 10.0
DESCRIPTOR_GROWTH = 20
THREAD_GROWTH = 5
LAST = "backup_job_last_success_unixtime"


@define
class Sample:
    """What the daemon uses between two collections."""

    memory: float
    descriptors: int
    threads: int

    @classmethod
    def take(cls, pid: int) -> "Sample":
        """That of a process, memory in MB."""
        descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
        return cls(memory(pid), descriptors, threads)


@define
class Soak:
    """One run: what was seen until now."""

    world: World
    daemon: Daemon
    chance: random.Random
    shown: dict[str, Values] = field(factory=dict)
    rounds: int = 0
    reads: Counter[str] = field(factory=Counter)
    faults: Counter[str] = field(factory=Counter)
    wrong: list[str] = field(factory=list)
    samples: list[Sample] = field(factory=list)

    def round(self) -> None:
        """Change, break, collect, compare, mend."""
        self.rounds += 1
        self.world.change(self.chance)
        kinds = self.chance.sample(FAULTS, self.chance.randint(0, 3)) if self.rounds > 1 else []
        broken: dict[str, Fault] = {}
        faults = [kind(self.world, self.daemon, self.chance) for kind in kinds]
        for fault in faults:
            self.faults[type(fault).__name__] += 1
            broken |= dict.fromkeys(fault.begin(), fault)
        before = self.last_collection()
        self.daemon.program.signal(signal.SIGUSR1)
        for fault in faults:
            fault.during()
        self.daemon.program.wait_for("collected .* repositor")
        # A scrape may share the page of one that came before the end.
        while self.last_collection() in (None, before):
            time.sleep(0.1)
        page = self.daemon.metrics()
        for name, found in self.world.values(page).items():
            self.compare(page, name, found, broken.get(name))
        for fault in reversed(faults):
            fault.end()
        self.samples.append(Sample.take(self.daemon.program.process.pid))

    def compare(self, page: Metrics, name: str, found: Values, fault: Fault | None) -> None:
        """Compare what the page says of a repository with the truth, or with its last values."""
        url = self.world.url(name)
        good = page.value("backup_read_success", url=url) == 1
        self.reads["good" if good else "failed"] += 1
        if not good and fault is None:
            self.report(f"{name} failed without a fault: {self.why(url)}")
        expected = self.world.truth(name) if good else self.shown.get(name)
        late = not good and fault is not None and fault.strikes_late
        if found != expected and not (late and found == self.world.truth(name)):
            self.report(f"{name} shows {found}, expected {expected}, {type(fault).__name__}")
        self.shown[name] = found

    def last_collection(self) -> str | None:
        """When the latest one ended, as the page has it; None while one runs."""
        page = self.daemon.get("/metrics")
        if "\nbackup_job_running 0\n" not in page:
            return None
        match = re.search(f"^{LAST} (.*)$", page, re.MULTILINE)
        return match and match[1]

    def why(self, url: str) -> str:
        """The latest line of the log about a repository."""
        lines = [one for one in self.daemon.program.lines if f"cannot read {url}:" in one]
        return lines[-1].strip() if lines else "no line in the log"

    def report(self, text: str) -> None:
        """Note something wrong, and print it at once."""
        self.wrong.append(text)
        print(f"round {self.rounds}: {text[:500]}", flush=True)

    def totals(self) -> str:
        """All in one line."""
        reads = f"{self.reads['good']} good reads, {self.reads['failed']} failed"
        return f"{self.rounds} rounds, {reads}, {len(self.wrong)} wrong"

    def growth(self) -> list[str]:
        """What has grown since the warm-up; the table is printed on the way."""
        if len(self.samples) < 2 * WARM_UP:
            return ["too few rounds to judge"]
        grown = []
        first, last = self.samples[WARM_UP : 2 * WARM_UP], self.samples[-WARM_UP:]
        factor, more = MEMORY_GROWTH
        limits: dict[str, Callable[[float], float]] = {
            "memory": lambda before: before * factor + more,
            "descriptors": lambda before: before + DESCRIPTOR_GROWTH,
            "threads": lambda before: before + THREAD_GROWTH,
        }
        for name, limit in limits.items():
            before = median(getattr(one, name) for one in first)
            after = median(getattr(one, name) for one in last)
            most = max(getattr(one, name) for one in self.samples)
            print(f"{name}: {before:.0f} after warm-up, {after:.0f} at the end, {most:.0f} at most")
            if after > limit(before):
                grown.append(name)
        return grown


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--repositories", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    """Run it, and show the table."""
    options = arguments()
    chance = random.Random(options.seed)
    programs.PATIENCE = 600.0
    folder = Folder()
    try:
        world = World.make(folder, options.repositories, chance)
        state = f"--state-dir={folder.path / 'state'}"
        settings = ("--concurrency=16", "--timeout=60", "--cron=0 0 1 1 *")
        daemon = Daemon(folder, world.entries(), state, *settings).serving()
        soak = Soak(world, daemon, chance)
        until = time.monotonic() + options.minutes * 60
        spoken = 0.0
        while time.monotonic() < until:
            soak.round()
            if time.monotonic() > spoken + 60:
                spoken = time.monotonic()
                print(f"{soak.totals()}, {soak.samples[-1]}", flush=True)
        status = daemon.stop()
    finally:
        folder.close()
    print(f"{soak.totals()}; the daemon ended with {status}")
    print("faults:", ", ".join(f"{name} {count}" for name, count in sorted(soak.faults.items())))
    grown = soak.growth()
    print("grown:", ", ".join(grown) or "nothing")
    sys.exit(1 if soak.wrong or grown else 0)


if __name__ == "__main__":
    main()
