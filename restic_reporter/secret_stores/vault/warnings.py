"""Warns in the log before the end of a token that cannot be renewed."""

from collections.abc import Callable
from datetime import UTC, datetime

from attrs import define
from twisted.logger import Logger

from .lease import Lease, next_warning

# Seconds by which two computed ends of one token may differ.
_SAME_END = 60.0


@define(eq=False)
class EndWarnings:
    """
    Warns when an end is first known, and again before it; ``now`` is the wall clock.

    ``next`` is the time of the next check (Unix seconds), ``None`` if there is none.
    """

    now: Callable[[], float]
    next: float | None = None
    _end: float | None = None

    _log = Logger()

    def look_at(self, lease: Lease) -> None:
        """Warn about the end of ``lease`` if a warning is due."""
        end = lease.final_end
        if end is None:
            self._end = self.next = None
            return
        wall = self.now()
        known = self._end is not None and abs(end - self._end) < _SAME_END
        if known and (self.next is None or wall < self.next):
            return
        self._end = end
        self.next = next_warning(end, wall + _SAME_END)
        self._log.warn(
            "VAULT_TOKEN expires at {end} and cannot be renewed; replace it before",
            end=datetime.fromtimestamp(end, UTC).isoformat(sep=" ", timespec="seconds"),
        )
