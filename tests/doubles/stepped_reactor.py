"""A reactor with a clock that a test moves on, over real sockets."""

from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IConnector, IDelayedCall
from twisted.internet.task import Clock
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure

from restic_reporter.concurrency.resolver import DaemonThreadResolver

# Seconds that a server may send nothing. No other timer has this length, so that the clock
# tells by it whether a request is under way.
IDLE_TIMEOUT = 61.5


class _Noticed(ProtocolWrapper):
    """A connection whose events the clock is told of."""

    factory: "_NoticedFactory"

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        self.factory.clock.notify()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        super().connectionLost(reason)
        self.factory.clock.notify()


class _NoticedFactory(WrappingFactory):
    """Tells ``clock`` when a connection is there or refused, and what happens on it."""

    noisy = False
    protocol = _Noticed

    def __init__(self, wrapped: Any, clock: "SteppedReactor") -> None:
        super().__init__(wrapped)
        self.clock = clock

    def buildProtocol(self, addr: IAddress | None) -> Any:
        self.clock.notify()
        return super().buildProtocol(addr)

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        super().clientConnectionFailed(connector, reason)
        self.clock.notify()


class SteppedReactor(Clock):
    """
    Time goes on only as a test says; sockets are real.

    What happens on the sockets, or in other threads that call `notify`, is an event that
    `change` waits for.
    """

    def __init__(self) -> None:
        super().__init__()
        # Names become addresses at once: a thread would take real time while this clock runs.
        real: Any = reactor
        self.nameResolver = DaemonThreadResolver(real)
        self._connectors: list[Any] = []
        self._requests: list[IDelayedCall] = []
        self._handed_over = 0
        self._changes: list[Deferred[None]] = []

    def callLater(
        self, delay: float, callable: Callable[..., object], *arguments: object, **options: object
    ) -> IDelayedCall:
        """Call later, and remember that a request is under way where that is why."""
        call: IDelayedCall = super().callLater(delay, callable, *arguments, **options)
        if delay == IDLE_TIMEOUT:
            self._requests.append(call)
        return call

    def callFromThread(self, callable: Callable[..., object], *arguments: object) -> None:
        """Call in the real reactor's next turn."""

        def call() -> None:
            self._handed_over -= 1
            callable(*arguments)
            self.notify()

        self._handed_over += 1
        reactor.callFromThread(call)  # type: ignore[attr-defined]

    def connectTCP(
        self, host: str, port: int, factory: Any, *arguments: Any, **options: Any
    ) -> IConnector:
        """Connect, and remember that."""
        connect = self.__getattr__("connectTCP")
        noticed = _NoticedFactory(factory, self)
        connector: IConnector = connect(host, port, noticed, *arguments, **options)
        self._connectors.append(connector)
        return connector

    @property
    def busy(self) -> bool:
        """Whether anything goes on that needs no time: connecting, a request, a call."""
        self._connectors = [one for one in self._connectors if one.state == "connecting"]
        self._requests = [one for one in self._requests if one.active()]
        return bool(self._connectors or self._requests or self._handed_over)

    def notify(self) -> None:
        """Let those who wait for a `change` look again; for any thread."""
        reactor.callFromThread(self._fire)  # type: ignore[attr-defined]

    def _fire(self) -> None:
        changes, self._changes = self._changes, []
        for change in changes:
            change.callback(None)

    def change(self) -> "Deferred[None]":
        """Fires after the next event."""
        change: Deferred[None] = Deferred()
        self._changes.append(change)
        return change

    def __getattr__(self, name: str) -> Any:
        """Whatever has nothing to do with time."""
        return getattr(reactor, name)
