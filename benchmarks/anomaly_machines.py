"""Sources whose data machines make, for the benchmark of anomalies: what changes, day by day."""

from collections.abc import Iterator, Sequence

from benchmarks.anomaly_worlds import (
    GB,
    MB,
    Changes,
    Moment,
    Random,
    Source,
    day_of,
    happens,
    much,
    usual,
)
from restic_reporter.model.snapshots import Summary


def server(chance: Random, life: Sequence[Moment]) -> Iterator[Summary]:
    """A whole system with its data: updates each week, and an upgrade each second year."""
    source = Source(250e3, 12 * GB + much(chance, 30 * GB))
    for now in life:
        changes = usual(chance, now.passed, 300, 500, 200 * MB, 300 * MB)
        if happens(chance, now, 50):
            changes += {"changed": much(chance, 1500), "rewritten": much(chance, 300 * MB)}
        if happens(chance, now, 0.5):
            part = chance.uniform(0.4, 0.75)
            changes += {"changed": source.files * part, "rewritten": 8 * GB}
        if happens(chance, now, 0.5):
            changes += source.lost(chance.uniform(0.05, 0.6))
        yield source.backup(**changes)


def bare_system(chance: Random, life: Sequence[Moment]) -> Iterator[Summary]:
    """A system with hardly any data, upgraded each second year."""
    source = Source(much(chance, 120e3, 0.3), much(chance, 5 * GB, 0.3))
    for now in life:
        changes = usual(chance, now.passed, 20, 60, 20 * MB, 50 * MB)
        if happens(chance, now, 50):
            changes += {"changed": much(chance, 1500), "rewritten": much(chance, 200 * MB)}
        if happens(chance, now, 0.5):
            changes += source.replaced(chance.uniform(0.5, 0.9))
        yield source.backup(**changes)


def dumps(chance: Random, life: Sequence[Moment]) -> Iterator[Summary]:
    """Dumps of databases that replace each other, compressed or not."""
    source = Source(chance.randint(1, 20), much(chance, 5 * GB, 1.5))
    part = chance.choice([1, chance.uniform(0.02, 0.5)])
    for now in life:
        changes = Changes(changed=source.files)
        if happens(chance, now, 1):  # old rows are deleted
            changes += {"shrunk": source.size * chance.uniform(0.1, 0.7)}
        if source.files > 1 and happens(chance, now, 0.5):  # a database is retired
            changes += {"removed": 1, "shrunk": source.size * chance.random() ** 2}
        if happens(chance, now, 1):  # a new one
            changes += {"new": 1, "grown": source.size * chance.random()}
        changes += {"rewritten": source.size * min(part * much(chance, 1, 0.2), 1)}
        source.size *= 1 + 0.001 * now.passed * chance.uniform(-1, 2)
        yield source.backup(**changes)


def dated_dumps(chance: Random, life: Sequence[Moment]) -> Iterator[Summary]:
    """Dumps with the date in their names; the last ones are kept. Some are full once a week."""
    kept = chance.choice([1, 3, 7, 14, 30])
    number, size = chance.randint(1, 10), much(chance, 2 * GB, 1.5)
    full = kept >= 7 and chance.random() < 0.5
    source = Source(0, 0)
    sizes: list[float] = []
    for now in life:
        one = size * much(chance, 1, 0.05)
        if full and day_of(now.when) % 7 != 6:
            one *= chance.uniform(0.02, 0.1)
        if happens(chance, now, 1):
            size *= chance.uniform(0.4, 1.5)
        sizes.append(one)
        gone = sizes.pop(0) if len(sizes) > kept else 0
        yield source.backup(new=number, grown=one, removed=number * (gone > 0), shrunk=gone)


def mixed(chance: Random, life: Sequence[Moment]) -> Iterator[Summary]:
    """A folder with a full dump on some days, and a small one on others."""
    full, number = much(chance, 10 * GB), chance.randint(1, 5)
    share = chance.uniform(0.1, 0.9)
    source = Source(0, 0)
    for _ in life:
        size = full * much(chance, 1, 0.1) * (1 if chance.random() < share else 0.05)
        yield source.backup(new=number, grown=size, removed=source.files, shrunk=source.size)


def virtual(chance: Random, life: Sequence[Moment]) -> Iterator[Summary]:
    """Images of virtual machines: few, large, and all of them change."""
    images = [much(chance, 40 * GB, 0.7) for _ in range(chance.randint(1, 8))]
    source = Source(len(images), sum(images))
    for now in life:
        changes = Changes(changed=source.files)
        changes += {"rewritten": source.size * min(0.03 * now.passed * much(chance, 1, 0.6), 1)}
        if happens(chance, now, 1):  # upgrades within, or a compaction
            changes += {"rewritten": source.size * chance.uniform(0.2, 0.9)}
        if happens(chance, now, 0.5):
            images.append(much(chance, 40 * GB, 0.7))
            changes += {"new": 1, "grown": images[-1]}
        if len(images) > 1 and happens(chance, now, 0.4):
            changes += {"removed": 1, "shrunk": images.pop(chance.randrange(len(images)))}
        yield source.backup(**changes)


def logs(chance: Random, life: Sequence[Moment]) -> Iterator[Summary]:
    """A log host that rotates each day and has a storm of messages now and then."""
    kept, number = chance.choice([7, 30, 90]), chance.randint(5, 200)
    a_day = much(chance, GB)
    source = Source(number, 0)
    parts: list[tuple[int, float]] = []
    storm = 0.0
    for now in life:
        if happens(chance, now, 3):
            storm = chance.uniform(0.5, 3)
        factor = much(chance, 1, 0.2) * (chance.uniform(3, 20) if storm > 0 else 1)
        storm -= now.passed
        written = a_day * now.passed * factor
        day = day_of(now.when)
        rotated = not parts or parts[-1][0] != day
        parts.append((day, written / 8))
        gone = 0.0
        while parts[0][0] < day - kept:
            gone += parts.pop(0)[1]
        yield source.backup(
            new=number * rotated, changed=number, grown=written / 8,
            removed=number * (gone > 0), shrunk=gone, rewritten=written,
        )  # fmt: skip


def builds(chance: Random, life: Sequence[Moment]) -> Iterator[Summary]:
    """A build server, with caches and workspaces that are purged."""
    source = Source(much(chance, 300e3), much(chance, 60 * GB))
    start = source.files, source.size
    for now in life:
        changes = source.came(0.08 * now.worked * much(chance, 1, 0.5))
        if happens(chance, now, 25) or source.files > 2 * start[0]:
            left = min(start[0] * chance.uniform(0.3, 0.9) / source.files, 1)
            changes = source.lost(1 - left)
        yield source.backup(**changes)


def containers(chance: Random, life: Sequence[Moment]) -> Iterator[Summary]:
    """The images of containers, pulled and pruned, and their volumes."""
    source = Source(much(chance, 300e3), much(chance, 40 * GB))
    for now in life:
        changes = usual(chance, now.passed, 200, 300, 100 * MB, 300 * MB)
        if happens(chance, now, 60):
            changes += {"new": much(chance, 15e3), "grown": much(chance, GB)}
        if happens(chance, now, 12):
            left = chance.uniform(0.45, 0.95)
            changes += source.lost(1 - left)
        yield source.backup(**changes)


def index(chance: Random, life: Sequence[Moment]) -> Iterator[Summary]:
    """A database's own files, written anew bit by bit, and all of them now and then."""
    source = Source(much(chance, 600), much(chance, 60 * GB))
    for now in life:
        part = min(0.25 * now.passed * much(chance, 1, 0.5), 0.9)
        changes = Changes(source.replaced(part))
        if happens(chance, now, 6):
            changes += source.replaced(chance.uniform(0.2, 1))
        yield source.backup(**changes)


def copied(chance: Random, life: Sequence[Moment]) -> Iterator[Summary]:
    """A test system that is replaced as a whole, each month or so."""
    source = Source(much(chance, 20e3), much(chance, 20 * GB))
    for now in life:
        changes = usual(chance, now.worked, 50, 50, 50 * MB, 50 * MB)
        if happens(chance, now, 12):
            changes = Changes(source.replaced(chance.uniform(0.5, 1)))
        yield source.backup(**changes)
