"""The results of jobs on repositories, such as checks and restores."""

from collections.abc import Mapping

from attrs import evolve, frozen

KINDS = ("check", "restore", "prune", "copy", "backup")


@frozen(slots=True)
class Result:
    """
    How a job of one of the `KINDS` ended, at ``time`` (Unix seconds).

    ``exit`` is its exit status. ``message`` says why it failed, where known, without secrets.
    ``success_before`` is when an earlier one succeeded for the last time.
    """

    kind: str
    time: float
    exit: int
    message: str = ""
    success_before: float | None = None

    @property
    def success(self) -> bool:
        """Return whether the job has succeeded."""
        return self.exit == 0

    @property
    def last_success(self) -> float | None:
        """Return when such a job succeeded for the last time, ``None`` if none has."""
        return self.time if self.success else self.success_before


# The latest result of each kind.
Results = Mapping[str, Result]


def newer(result: Result, other: Result) -> Result:
    """Return the newer of two results; at the same time, the ``other``. Both successes count."""
    later = result if result.time > other.time else other
    if later.success:
        return evolve(later, success_before=None)
    successes = [one for one in (result.last_success, other.last_success) if one is not None]
    return evolve(later, success_before=max(successes, default=None))


def newest(results: Results, others: Results) -> dict[str, Result]:
    """Return the newer result of each kind; at the same time, that of ``others``."""
    found = dict(results)
    for kind, one in others.items():
        found[kind] = newer(found[kind], one) if kind in found else one
    return found
