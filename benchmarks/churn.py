"""
What is shown of repositories that change all the time, compared with what was true.

    python -m benchmarks.churn --minutes 10 --readers restic native --storages local rest b2

runs from the project's folder, after scripts/test has fetched the real programs. Each pair of
storage and reader has its share of the minutes, in rounds with a repository and a seed of their
own. A read that failed must say that the repository is changing, and keep what was shown.
"""

import argparse
import os
import random
from collections import Counter
from pathlib import Path
from time import monotonic
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from restic_reporter.concurrency.cpu_threads import WorkerThreads
from restic_reporter.concurrency.daemon_threads import KeyedThreads
from restic_reporter.http import BoundedHTTPClient
from restic_reporter.interfaces import BackendTools, ISnapshotReader
from restic_reporter.readers.native import NativeReader
from restic_reporter.readers.restic import ResticReader
from tests.doubles.churn import KINDS, Operations, Verdict, churn
from tests.doubles.churn_storages import STORAGES
from tests.doubles.programs import Folder
from tests.doubles.tools import tool

_OPERATIONS = 30


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.churn")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--readers", nargs="+", default=["restic", "native"])
    parser.add_argument("--storages", nargs="+", default=list(STORAGES), choices=list(STORAGES))
    parser.add_argument("--snapshots", type=int, default=150)
    parser.add_argument("--restic", default="restic-0.18", help="the version that reads")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--examples", type=Path, help="a file for what was wrong")
    return parser.parse_args()


class Totals:
    """The sums of one storage and reader."""

    def __init__(self) -> None:
        self.rounds = self.reads = self.busy = self.operations = self.changes = 0
        self.wrong: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()

    def add(self, verdict: Verdict, operations: int) -> None:
        """One more round."""
        self.rounds += 1
        self.reads += verdict.reads
        self.busy += verdict.busy
        self.operations += operations
        self.changes += verdict.changes
        self.wrong += verdict.wrong
        self.failed += verdict.failed


async def measure(reactor: Any, options: argparse.Namespace) -> None:
    """Each pair in its turn."""
    workers = WorkerThreads(reactor, 2)
    http = BoundedHTTPClient(reactor)
    tools = BackendTools(reactor, http, KeyedThreads(reactor))
    readers: dict[str, ISnapshotReader] = {
        "restic": ResticReader(reactor, tool(options.restic), {"PATH": os.environ["PATH"]}),
        "native": NativeReader(reactor, {}, workers),
    }
    pairs = [(storage, reader) for storage in options.storages for reader in options.readers]
    totals = {pair: Totals() for pair in pairs}
    try:
        for storage, reader in pairs:
            until = monotonic() + options.minutes * 60 / len(pairs)
            sums = totals[storage, reader]
            while monotonic() < until:
                folder = Folder()
                try:
                    place = STORAGES[storage](folder, options.snapshots)
                    seed = f"{options.seed} {storage} {reader} {sums.rounds}"
                    operations = Operations(place, random.Random(seed))
                    verdict = await churn(
                        place, readers[reader], tools, operations, _OPERATIONS, until
                    )
                finally:
                    folder.close()
                sums.add(verdict, operations.done.total())
                if options.examples is not None:
                    with options.examples.open("a") as file:
                        file.writelines(f"{seed}: {one}\n" for one in verdict.examples)
    finally:
        show(totals)
        workers.stop()
        await Deferred.fromCoroutine(http.close())


def show(totals: dict[tuple[str, str], Totals]) -> None:
    """The table."""
    row("storage", "reader", "reads", "busy", "operations", "changes", *KINDS, "failed")
    for (storage, reader), one in totals.items():
        failed = ", ".join(f"{reason} {count}" for reason, count in one.failed.items()) or "0"
        wrong = [one.wrong[kind] for kind in KINDS]
        row(storage, reader, one.reads, one.busy, one.operations, one.changes, *wrong, failed)


def row(*cells: object) -> None:
    """One line of it."""
    print("  ".join(f"{cell!s:>10}" for cell in cells))


def main() -> None:
    """Measure, and show the table."""
    options = arguments()
    react(lambda reactor: Deferred.fromCoroutine(measure(reactor, options)), ())


if __name__ == "__main__":
    main()
