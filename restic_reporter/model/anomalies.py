"""
Compares a set's newest snapshot with those before it. Pure.

docs/insight.md tells what the ratios show, and `python -m benchmarks.anomalies` measures the alerts
on them.
"""

from collections.abc import Callable, Sequence
from statistics import median

from .snapshots import Ratios, Summary

# The snapshots that the newest is compared with, and the least of them with a value: one odd backup
# in five, or two, do not move the median much.
MOST_BEFORE = 10
LEAST_BEFORE = 5


def ratios(newest: Summary, before: Sequence[Summary]) -> Ratios:
    """Return how ``newest`` differs from the ``before`` it: up to ten, the newest of them first."""

    def ratio(value_of: Callable[[Summary], int | None]) -> float | None:
        value = value_of(newest)
        known = [one for one in map(value_of, before[:MOST_BEFORE]) if one is not None]
        if value is None or len(known) < LEAST_BEFORE:
            return None
        usual = median(known)
        return value / usual if usual else None

    return Ratios(
        processed_bytes=ratio(lambda summary: summary.processed_bytes),
        added_bytes=ratio(lambda summary: summary.added_bytes),
        files=ratio(files),
        changed_files=ratio(lambda summary: summary.changed_files),
    )


def files(summary: Summary) -> int | None:
    """Return the number of all files in a snapshot, ``None`` if unknown."""
    new, changed, unmodified = (
        summary.new_files,
        summary.changed_files,
        summary.unmodified_files,
    )
    if new is None or changed is None or unmodified is None:
        return None
    return new + changed + unmodified


# The bounds of the alerts ResticSourceVanished and ResticNearlyEverythingChanged, which look at
# the weeks before too.
VANISHED_BELOW = 1 / 3
ADDED_ABOVE = 2 / 3
UNMODIFIED_BELOW = 0.9
USUAL_ADDED = 4.0
USUAL_CHANGED = 0.5, 2.0


def source_vanished(found: Ratios) -> bool:
    """Return whether most of the files, or of their bytes, are missing in the newest snapshot."""
    return any(
        one is not None and one < VANISHED_BELOW for one in (found.files, found.processed_bytes)
    )


def nearly_all_changed(newest: Summary, found: Ratios) -> bool:
    """
    Return whether the newest snapshot has other content than those before it.

    Most of its bytes are new, which is unusual, and not because of more files alone.
    """
    total = files(newest)
    if not total or not newest.processed_bytes or found.files is None:
        return False
    unmodified = (newest.unmodified_files or 0) * found.files / total  # of the usual files
    low, high = USUAL_CHANGED
    return (
        (newest.added_bytes or 0) / newest.processed_bytes > ADDED_ABOVE
        and unmodified < UNMODIFIED_BELOW
        and (found.added_bytes is None or found.added_bytes > USUAL_ADDED)
        and (found.changed_files is None or not low <= found.changed_files <= high)
    )
