"""Sources whose data people make, for the benchmark of anomalies: what changes, day by day."""

from collections.abc import Iterator, Sequence

from benchmarks.anomaly_worlds import (
    GB,
    MB,
    Changes,
    Moment,
    Random,
    Source,
    happens,
    much,
    usual,
)
from restic_reporter.model.snapshots import Summary


def computer(chance: Random, life: Sequence[Moment]) -> Iterator[Summary]:
    """The home folder of a person, who sorts, deletes, and gets a new machine."""
    source = Source(much(chance, 60e3), much(chance, 80 * GB))
    for now in life:
        changes = usual(chance, now.passed, 80, 60, 300 * MB, 200 * MB)
        if happens(chance, now, 4):
            changes += {"new": much(chance, 1500), "grown": much(chance, 15 * GB)}
        if happens(chance, now, 2):
            changes += source.lost(chance.uniform(0.05, 0.5))
        if happens(chance, now, 3):  # a folder of a build, with many small files
            changes += {"removed": source.files * chance.uniform(0.1, 0.6)}
        if happens(chance, now, 0.5):
            changes += source.renamed(chance.uniform(0.1, 1))
        if happens(chance, now, 0.2):  # a new machine: new inodes, the same content
            changes += {"changed": source.files}
        yield source.backup(**changes)


def office(chance: Random, life: Sequence[Moment]) -> Iterator[Summary]:
    """A file server that changes on working days; some clean up at the new year."""
    source = Source(much(chance, 400e3), much(chance, 600 * GB))
    tidy = chance.random() < 0.3
    for now in life:
        changes = usual(chance, now.worked, 400, 300, 3 * GB, 2 * GB)
        if now.new_year and tidy:
            changes += source.lost(chance.uniform(0.1, 0.7))
        if happens(chance, now, 2):
            changes += source.lost(chance.uniform(0.02, 0.2))
        if happens(chance, now, 1):
            changes += source.came(chance.uniform(0.05, 1))
        if happens(chance, now, 0.5):
            changes += source.renamed(chance.uniform(0.1, 0.8))
        yield source.backup(**changes)


def mail(chance: Random, life: Sequence[Moment]) -> Iterator[Summary]:
    """A mail server with a file for each mail: read mails are renamed, old ones archived."""
    source = Source(much(chance, 200e3), much(chance, 40 * GB))
    for now in life:
        changes = usual(chance, now.passed, 2000, 300, 400 * MB, 50 * MB)
        changes += source.renamed(0.01 * now.passed * chance.random())
        if happens(chance, now, 2):
            changes += source.lost(chance.uniform(0.02, 0.5))
        yield source.backup(**changes)


def photos(chance: Random, life: Sequence[Moment]) -> Iterator[Summary]:
    """An archive where nothing changes for weeks, then much is new."""
    source = Source(much(chance, 40e3), much(chance, 300 * GB))
    often = chance.uniform(5, 60)
    for now in life:
        changes = Changes()
        if happens(chance, now, often):
            changes += {"new": much(chance, 150), "grown": much(chance, 3 * GB)}
            changes += {"changed": 5, "rewritten": much(chance, 500 * MB)}
        if happens(chance, now, 2):
            changes += source.renamed(chance.uniform(0.01, 0.6))
        if happens(chance, now, 1):
            changes += source.lost(chance.uniform(0.01, 0.3))
        yield source.backup(**changes)


def settings(chance: Random, life: Sequence[Moment]) -> Iterator[Summary]:
    """A folder of settings that hardly ever changes."""
    source = Source(much(chance, 1500), much(chance, 15 * MB))
    for now in life:
        changes = Changes()
        if happens(chance, now, 40):
            changes += {"changed": chance.randint(1, 20), "rewritten": much(chance, 50e3)}
        if happens(chance, now, 0.7):
            changes += source.replaced(chance.uniform(0.1, 0.5))
        yield source.backup(**changes)


def downloads(chance: Random, life: Sequence[Moment]) -> Iterator[Summary]:
    """Media that come and go."""
    source = Source(much(chance, 2000), much(chance, 500 * GB))
    for now in life:
        changes = Changes()
        if happens(chance, now, 150):
            changes += {"new": much(chance, 5), "grown": much(chance, 5 * GB)}
        if happens(chance, now, 12):
            changes += source.lost(chance.uniform(0, 0.4))
        yield source.backup(**changes)


def website(chance: Random, life: Sequence[Moment]) -> Iterator[Summary]:
    """A website with uploads, whose program is replaced at each release."""
    source = Source(much(chance, 30e3), much(chance, 8 * GB))
    program, often = chance.uniform(0.1, 0.9), chance.uniform(2, 40)
    for now in life:
        changes = usual(chance, now.passed, 10, 30, 30 * MB, 20 * MB)
        if happens(chance, now, often):
            changes += source.renamed(program)
            changes += {"grown": 50 * MB, "shrunk": 50 * MB}
        yield source.backup(**changes)


def growing(chance: Random, life: Sequence[Moment]) -> Iterator[Summary]:
    """A new set that is being filled."""
    source = Source(much(chance, 5e3), much(chance, 5 * GB))
    rate = chance.uniform(0.003, 0.02)
    for now in life:
        changes = usual(chance, now.passed, 20, 20, 20 * MB, 10 * MB)
        changes += source.came(rate * now.passed * chance.uniform(0, 2))
        if happens(chance, now, 6):
            changes += source.came(much(chance, 0.5))
        yield source.backup(**changes)


def shrinking(chance: Random, life: Sequence[Moment]) -> Iterator[Summary]:
    """A service that is being retired."""
    source = Source(much(chance, 500e3), much(chance, 500 * GB))
    rate = chance.uniform(0.003, 0.02)
    for now in life:
        changes = usual(chance, now.passed, 50, 50, 100 * MB, 50 * MB)
        changes += source.lost(min(rate * now.passed * chance.uniform(0, 2), 0.9))
        if happens(chance, now, 4):
            changes += source.lost(chance.uniform(0.05, 0.5))
        yield source.backup(**changes)


def git(chance: Random, life: Sequence[Moment]) -> Iterator[Summary]:
    """A git server that repacks."""
    source = Source(much(chance, 80e3), much(chance, 30 * GB))
    for now in life:
        changes = usual(chance, now.worked, 500, 100, 100 * MB, 5 * MB)
        changes += {"new": 500 * now.worked}
        if happens(chance, now, 12):
            part = chance.triangular(0.02, 0.8, 0.1)
            changes += {"new": 200, "removed": source.files * chance.uniform(0.05, 0.5)}
            changes += {"grown": source.size * part, "shrunk": source.size * part * 1.02}
        yield source.backup(**changes)
