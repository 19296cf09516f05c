"""The results of jobs on repositories, such as checks and restores."""

from collections.abc import Mapping

from attrs import frozen

KINDS = ("check", "restore", "prune", "copy", "backup")


@frozen(slots=True)
class Result:
    """
    How a job of one of the `KINDS` ended, at ``time`` (Unix seconds).

    ``exit`` is its exit status. ``message`` says why it failed, where known, without secrets.
    """

    kind: str
    time: float
    exit: int
    message: str = ""

    @property
    def success(self) -> bool:
        """Return whether the job has succeeded."""
        return self.exit == 0


# The latest result of each kind.
Results = Mapping[str, Result]


def newest(results: Results, others: Results) -> dict[str, Result]:
    """Return the newer result of each kind; at the same time, that of ``others``."""
    found = dict(results)
    for kind, one in others.items():
        if kind not in found or found[kind].time <= one.time:
            found[kind] = one
    return found
