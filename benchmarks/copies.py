"""
How much CPU time a comparison of a repository with its copy takes, in how long steps, and memory.

    python -m benchmarks.copies --snapshots 10000 --sets 100

runs from the project's folder. All is in memory: no repository is read.
"""

import argparse
import tracemalloc
from time import thread_time

from twisted.internet.task import Clock

from restic_reporter.collection.collector import Collector
from restic_reporter.collection.copies import Copies
from restic_reporter.model.columns import Shape
from restic_reporter.model.snapshot_table import SnapshotTable
from restic_reporter.model.snapshots import Snapshot
from tests.doubles.copy_worlds import DAY, copied_worlds, copy_of
from tests.doubles.repositories import NOW, World, name


def backups(snapshots: int, sets: int) -> list[Snapshot]:
    """So many snapshots, each set with one a day."""
    return [
        Snapshot(
            name(number),
            NOW - (number // sets) * DAY,
            f"host-{number % sets:04}",
            "root",
            tree=name(number),
        )
        for number in range(snapshots)
    ]


def table_bytes(some: list[Snapshot], identified: bool) -> float:
    """Return the memory for each snapshot of a table."""
    tracemalloc.start()
    table = SnapshotTable(Shape(identified=identified))
    table.add(some, ())
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size / len(table)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--snapshots", type=int, default=10_000)
    parser.add_argument("--sets", type=int, default=100)
    options = parser.parse_args()
    source, copy = copied_worlds(World.make("/source"), World.make("/copy"))
    source.storage.snapshots[:] = backups(options.snapshots, options.sets)
    first = options.snapshots + 1
    copy.storage.snapshots[:] = [
        copy_of(one, first + number) for number, one in enumerate(source.storage.snapshots)
    ]
    del copy.storage.snapshots[::7]
    clock = Clock()
    collector = Collector(clock, lambda: NOW, 2)
    tasks = {one.task.repository.url: one.task for one in (source, copy)}
    collector.set_tasks(tasks)
    ended = collector.collect()
    while not ended.called:
        clock.advance(0)
    statuses = collector.state.statuses
    longest, whole = [], []
    for _ in range(9):
        statuses["/source"].copies = {}
        steps, times = Copies(statuses, lambda _: None).compare(), []
        while True:
            began = thread_time()
            try:
                next(steps)
            except StopIteration:
                times.append(thread_time() - began)
                break
            times.append(thread_time() - began)
        longest.append(max(times))
        whole.append(sum(times))
    tracemalloc.start()
    statuses["/source"].copies = {}
    for _ in Copies(statuses, lambda _: None).compare():
        pass
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    plain, identified = (table_bytes(source.storage.snapshots, kind) for kind in (False, True))
    print(f"{options.snapshots:,} snapshots in {options.sets:,} sets on either side")
    print(f"comparison: {min(whole) * 1e3:.1f} ms, longest step {min(longest) * 1e3:.2f} ms")
    print(f"memory for a snapshot: {plain:.0f} bytes, {identified:.0f} if compared")
    print(
        f"result: {kept / 1e3:.0f} kB; while comparing: {peak / options.snapshots:.0f} bytes more"
    )
    found = sum(one.missing for one in statuses["/source"].copies["/copy"].sets.values())
    print(f"missing of 30 days: {found:,}")


if __name__ == "__main__":
    main()
