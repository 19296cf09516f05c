"""What may happen to a source: the backups after each fault, for the benchmark of anomalies."""

from collections.abc import Callable, Sequence

from attrs import evolve

from benchmarks.anomaly_worlds import Backup, Random
from restic_reporter.model.anomalies import files
from restic_reporter.model.snapshots import Summary

Data = tuple[float, float]
Fault = Callable[[Summary, int, Data, Random], Summary]


def _parts(one: Summary) -> tuple[int, int, int, int, int]:
    """New, changed and unmodified files, the size, and what was added."""
    return (
        one.new_files or 0,
        one.changed_files or 0,
        one.unmodified_files or 0,
        one.processed_bytes or 0,
        one.added_bytes or 0,
    )


def _less(one: Summary, kept: Data) -> Summary:
    """What is left of all values."""
    new, changed, unmodified, size, added = _parts(one)
    return evolve(
        one,
        new_files=int(new * kept[0]),
        changed_files=int(changed * kept[0]),
        unmodified_files=int(unmodified * kept[0]),
        processed_bytes=int(size * kept[1]),
        added_bytes=int(added * kept[1]),
    )


def unmounted(one: Summary, place: int, data: Data, chance: Random) -> Summary:
    """The disk with the data is not mounted: its folder is empty."""
    return _less(one, (1 - data[0], 1 - data[1]))


def half_gone(one: Summary, place: int, data: Data, chance: Random) -> Summary:
    """Half of the data is gone."""
    return _less(one, (1 - data[0] / 2, 1 - data[1] / 2))


def most_gone(one: Summary, place: int, data: Data, chance: Random) -> Summary:
    """Four fifths of the data are gone."""
    return _less(one, (1 - data[0] * 0.8, 1 - data[1] * 0.8))


def encrypted(one: Summary, place: int, data: Data, chance: Random) -> Summary:
    """All data is encrypted in place, between two backups."""
    new, changed, unmodified, size, added = _parts(one)
    if place:
        return one
    struck = int((new + changed + unmodified) * data[0])
    return evolve(
        one,
        new_files=0,
        changed_files=max(struck, 1),
        unmodified_files=new + changed + unmodified - max(struck, 1),
        added_bytes=int(added + size * data[1]),
    )


def encrypted_and_renamed(one: Summary, place: int, data: Data, chance: Random) -> Summary:
    """All data is encrypted, and gets another name."""
    new, changed, unmodified, size, added = _parts(one)
    if place:
        return one
    struck = max(int((new + changed + unmodified) * data[0]), 1)
    return evolve(
        one,
        new_files=struck,
        changed_files=0,
        unmodified_files=new + changed + unmodified - struck,
        added_bytes=int(added + size * data[1]),
    )


def encrypted_slowly(one: Summary, place: int, data: Data, chance: Random) -> Summary:
    """One file in twenty is encrypted before each backup."""
    _, changed, unmodified, size, added = _parts(one)
    if place >= 20:
        return one
    struck = int(unmodified * data[0] / 20)
    return evolve(
        one,
        changed_files=changed + struck,
        unmodified_files=unmodified - struck,
        added_bytes=int(added + size * data[1] / 20),
    )


def other_mount(one: Summary, place: int, data: Data, chance: Random) -> Summary:
    """Another disk is mounted there, which is not in the repository."""
    number, much = chance.lognormvariate(0, 1.5), chance.lognormvariate(0, 1.5)
    kept = _less(one, (1 - data[0], 1 - data[1]))
    new, _, unmodified, size, added = _parts(kept)
    there = int((files(one) or 0) * data[0] * number) + 1
    bytes_there = int((one.processed_bytes or 0) * data[1] * much) + 1
    return evolve(
        kept,
        new_files=new + (0 if place else there),
        unmodified_files=unmodified + (there if place else 0),
        processed_bytes=size + bytes_there,
        added_bytes=added + (0 if place else bytes_there),
    )


def frozen_source(one: Summary, place: int, data: Data, chance: Random) -> Summary:
    """Nothing changes any more, as what is backed up is an old copy."""
    new, changed, unmodified, _, _ = _parts(one)
    total = new + changed + unmodified
    return evolve(one, new_files=0, changed_files=0, unmodified_files=total, added_bytes=0)


FAULTS: dict[str, Fault] = {
    "disk not mounted": unmounted,
    "four fifths gone": most_gone,
    "half gone": half_gone,
    "encrypted": encrypted,
    "encrypted and renamed": encrypted_and_renamed,
    "encrypted slowly": encrypted_slowly,
    "another disk mounted": other_mount,
    "frozen": frozen_source,
}


def struck(made: Sequence[Backup], fault: Fault, data: Data, chance: Random) -> list[Summary]:
    """The statistics from the fault on; it strikes the list of paths of the first backup."""
    # Each call of a fault must draw the same numbers.
    seed = chance.random()
    paths = (
        {made[0].paths} if len({one.paths for one in made}) < 10 else {one.paths for one in made}
    )
    found: list[Summary] = []
    place = 0
    for one in made:
        if one.paths not in paths:
            found.append(one.summary)
            continue
        found.append(fault(one.summary, place, data, Random(seed)))
        place += 1
    return found
