"""Measure how long the reactor is blocked."""

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime

# Seconds. Forty calls a second cost less than a thousandth of a core.
INTERVAL = 0.025


class ReactorLag(Service):
    """
    A timer that measures its own delay while the service runs.

    A block is measured up to `INTERVAL` seconds too short: it delays the timer only from the
    time when that is due.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._longest = 0.0
        self._call: IDelayedCall | None = None

    def startService(self) -> None:
        """Begin to measure."""
        super().startService()
        self._wait()

    def stopService(self) -> None:
        """Stop measuring."""
        super().stopService()
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None

    def take(self) -> float:
        """Return the longest block since the previous call, in seconds."""
        longest = max(self._longest, self._late())
        self._longest = 0.0
        return longest

    def _late(self) -> float:
        if self._call is None:
            return 0.0
        return max(0.0, self._clock.seconds() - self._call.getTime())

    def _wait(self) -> None:
        self._longest = max(self._longest, self._late())
        self._call = self._clock.callLater(INTERVAL, self._wait)
