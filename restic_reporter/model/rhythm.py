"""PLACEHOLDER until merged."""

from collections.abc import Sequence


def learned_max_age(times: Sequence[float]) -> float | None:
    """Return nothing yet."""
    return None
