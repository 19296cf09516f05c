"""How the benchmark measures: CPU, memory, scrapes, restic by hand."""

import contextlib
import http.client
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from attrs import define
from nacl.bindings import crypto_pwhash_scryptsalsa208sha256_ll as scrypt

from tests.doubles.daemons import Daemon
from tests.doubles.programs import ROOT, Folder
from tests.doubles.servers import snapshots


@define
class Cost:
    """Seconds of wall time and of CPU time."""

    wall: float
    cpu: float

    def per(self, number: int) -> "Cost":
        """The share of one of so many."""
        return Cost(self.wall / number, self.cpu / number)


def least(runs: list[Cost]) -> Cost:
    """The least of each: what others on the machine do only adds."""
    return Cost(min(one.wall for one in runs), min(one.cpu for one in runs))


_CORES = sorted(os.sched_getaffinity(0))


def pin(pid: int, core: int) -> None:
    """Let a process and its threads run on this core only, if there is more than one."""
    _allow(pid, {_CORES[core]})


@contextlib.contextmanager
def off_the_core() -> Iterator[None]:
    """
    Keep this program off the daemon's core, while it starts no others.

    Whoever scrapes is on another machine as a rule.
    """
    _allow(os.getpid(), {_CORES[-1]})
    try:
        yield
    finally:
        _allow(os.getpid(), set(_CORES))


def _allow(pid: int, cores: set[int]) -> None:
    for thread in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(int(thread), cores)


def cpu_seconds(pid: int) -> float:
    """CPU time of a process, finer than the ticks that /proc tells."""
    # As the C library's clock_getcpuclockid makes it on Linux.
    return time.clock_gettime(~pid << 3 | 2)


def memory(pid: int) -> float:
    """Resident memory of a process, in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise ValueError("no such process")


class Bare:
    """The process that does bare treq GETs, on the same core as the daemon."""

    def __init__(self, folder: Folder, concurrency: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.fleet_bare", str(concurrency)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        pin(self._process.pid, 0)
        folder.stack.callback(self.close)

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()

    def get(self, urls: list[str]) -> Cost:
        """Ask for all of them."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(urls) + "\n")
        self._process.stdin.flush()
        wall, cpu = map(float, self._process.stdout.readline().split())
        return Cost(wall, cpu)


def collect(daemon: Daemon) -> Cost:
    """One collection by the daemon, all of it read well."""
    pid = daemon.program.process.pid
    before = cpu_seconds(pid)
    daemon.collect()
    cpu = cpu_seconds(pid) - before
    metrics = daemon.metrics()
    if metrics.value("backup_job_error_count") != 0:
        raise AssertionError(daemon.program.output[-5000:])
    return Cost(metrics.value("backup_job_duration_seconds") or 0.0, cpu)


def restic_by_hand(
    urls: list[str], password: str, at_once: int, environment: Mapping[str, str] | None = None
) -> Cost:
    """``restic snapshots`` on each."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(lambda url: snapshots(url, password=password, environment=environment), urls))
    wall = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall, cpu)


def derivation(key_file: Path) -> float:
    """Seconds of CPU that deriving from a key takes by itself, without the daemon."""
    key = json.loads(key_file.read_bytes())

    def once() -> float:
        started = time.process_time()
        scrypt(b"example", b"s" * 64, key["N"], key["r"], key["p"], 64, 2**28)
        return time.process_time() - started

    return min(once() for _ in range(10))


def scrape_times(
    daemon: Daemon, number: int, gzip: bool, while_: Callable[[], bool]
) -> list[float]:
    """Seconds that each of at most ``number`` scrapes took, as long as ``while_`` holds."""
    connection = http.client.HTTPConnection(daemon.address, timeout=60)
    headers = {"Accept-Encoding": "gzip" if gzip else "identity"}
    times: list[float] = []
    while len(times) < number and while_():
        started = time.perf_counter()
        connection.request("GET", "/metrics", headers=headers)
        connection.getresponse().read()
        times.append(time.perf_counter() - started)
    connection.close()
    return times


def percentile(values: list[float], share: float) -> float:
    """The value that this share of ``values`` does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
