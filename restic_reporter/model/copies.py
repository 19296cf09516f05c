"""Which snapshots of a backup set a copy of its repository has. Pure."""

from array import array
from collections.abc import Container, Iterable, Mapping, Sequence
from math import inf

from attrs import frozen

from .backup_sets import Name
from .columns import Steps
from .rows import Identity

# Seconds before the newest snapshot of a set, in which missing ones are counted.
WINDOW = 30 * 86400.0


@frozen(slots=True)
class SetCopy:
    """
    How much of a backup set one copy has.

    ``lag`` is by how many seconds the newest snapshot that the copy has is older than the newest
    one here, infinite if the copy has none. ``missing`` is the number of those of the 30 days
    before the newest that it lacks. ``waits_since`` (Unix seconds) is the time of the oldest
    snapshot here after the newest that the copy has, ``None`` if there is none.
    """

    lag: float
    missing: int
    waits_since: float | None = None


def held_by(slices: Iterable[Sequence[Identity]]) -> Steps[set[bytes]]:
    """Return what identifies the snapshots of a copy, for `compare`."""
    held: set[bytes] = set()
    for rows in slices:
        for _, _, first, likeness in rows:
            held.add(first)
            held.add(likeness)
        yield
    return held


def compare(
    newest: Mapping[Name, float], slices: Iterable[Sequence[Identity]], held: Container[bytes]
) -> Steps[dict[Name, SetCopy]]:
    """
    Return how much of each set a copy has that ``held`` these snapshots.

    ``newest`` is the time of the newest valid snapshot of each set; later ones do not count yet.
    """
    # By set: the time of its newest snapshot that the copy has, and the times of missing ones.
    latest = dict.fromkeys(newest, -inf)
    missing = {name: array("d") for name in newest}
    for rows in slices:
        for name, time, first, likeness in rows:
            if name is None or not time <= newest.get(name, -inf):
                continue
            if first in held or likeness in held:
                latest[name] = max(latest[name], time)
            else:
                missing[name].append(time)
        yield
    result = {}
    for name, times in missing.items():
        since = newest[name] - WINDOW
        result[name] = SetCopy(
            newest[name] - latest[name],
            sum(time >= since for time in times),
            min((time for time in times if time > latest[name]), default=None),
        )
        yield
    return result
