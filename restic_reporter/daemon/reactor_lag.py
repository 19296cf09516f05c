"""How long the reactor was held: the time in which nobody else had a turn."""

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime

# Seconds. Forty calls a second cost less than a thousandth of a core.
INTERVAL = 0.025


class ReactorLag(Service):
    """
    A timer that looks how late it is called, as long as the service runs.

    What holds the reactor delays it, all but the part that passes before it is due: a hold is
    seen up to `INTERVAL` seconds too short, and a shorter one perhaps not at all.
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
        """Measure no more."""
        super().stopService()
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None

    def take(self) -> float:
        """The longest hold since the last call of this, in seconds."""
        longest = max(self._longest, self._late())
        self._longest = 0.0
        return longest

    def _late(self) -> float:
        if self._call is None:
            return 0.0
        return max(0.0, self._clock.seconds() - self._call.getTime())

    def _wait(self) -> None:
        self._call = self._clock.callLater(INTERVAL, self._called)

    def _called(self) -> None:
        self._longest = max(self._longest, self._late())
        self._wait()
