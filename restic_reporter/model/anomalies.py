"""
Compares a set's newest snapshot with those before it. Pure.

docs/anomalies.md explains the ratios, and `python -m benchmarks.anomalies` measures the alerts on
them.
"""

from collections.abc import Sequence

from .snapshots import NO_RATIOS, NO_SUMMARY, Ratios, Summary

# The snapshots that the newest is compared with, and the least of them with a value: one odd backup
# in five, or two, do not move the median much.
MOST_BEFORE = 10
LEAST_BEFORE = 5


def ratios(newest: Summary, before: Sequence[Summary]) -> Ratios:
    """Return how ``newest`` differs from the ``before`` it: up to ten, the newest of them first."""
    before = before[:MOST_BEFORE]
    if newest is NO_SUMMARY or len(before) < LEAST_BEFORE:
        return NO_RATIOS
    return Ratios(
        _ratio(newest.processed_bytes, [one.processed_bytes for one in before]),
        _ratio(newest.added_bytes, [one.added_bytes for one in before]),
        _ratio(files(newest), [files(one) for one in before]),
        _ratio(newest.changed_files, [one.changed_files for one in before]),
    )


def _ratio(value: int | None, before: Sequence[int | None]) -> float | None:
    known = sorted([one for one in before if one is not None])
    if value is None or len(known) < LEAST_BEFORE:
        return None
    # Five times as fast as that of the module statistics.
    middle = len(known) // 2
    median = known[middle] if len(known) % 2 else (known[middle - 1] + known[middle]) / 2
    return value / median if median else None


def files(summary: Summary) -> int | None:
    """Return the number of all files in a snapshot, ``None`` if unknown."""
    new, changed, unmodified = summary.new_files, summary.changed_files, summary.unmodified_files
    if new is None or changed is None or unmodified is None:
        return None
    return new + changed + unmodified


# The bounds of the alerts ResticSourceVanished and ResticNearlyEverythingChanged, which look at
# the weeks before too.
VANISHED_BELOW = 1 / 3
ADDED_ABOVE = 2 / 3
UNMODIFIED_BELOW = 0.9
USUAL_ADDED = 5.0
USUAL_CHANGED = 0.5, 2.0


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
