"""What the tests of the Vault store share: a store over real HTTP, on a clock of their own."""

import math
import os
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IConnector, IDelayedCall
from twisted.internet.task import Clock
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from restic_reporter.concurrency.deadline import Deadline
from restic_reporter.concurrency.resolver import DaemonThreadResolver
from restic_reporter.http import BoundedHTTPClient
from restic_reporter.interfaces import StoreTools
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.secret_stores.vault import VaultStore
from restic_reporter.secret_stores.vault.settings import parse_settings
from tests.doubles.fake_vault import FakeVault
from tests.doubles.servers import PATIENCE

T = TypeVar("T")

DAY = 86400.0


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


class VaultCase(TestCase):
    """
    Has ``fake``, and by `make` a store that reaches it.

    The clock of store and fake stands still but for `advance`. ``said`` are the lines logged.
    """

    timeout = PATIENCE

    def setUp(self) -> None:
        """A fake, and a log to look into."""
        self.clock = SteppedReactor()
        self.started_at = time.time()
        self.slept = 0.0
        self.fake = self.made_fake()
        self.said: list[str] = []
        self.levels: list[str] = []
        self.clients: dict[VaultStore, BoundedHTTPClient] = {}
        observer: Any = self._observe
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def made_fake(self, **properties: Any) -> FakeVault:
        """A fake with a document."""
        properties.setdefault("documents", {"restic/a": {"key": "value-a"}})
        fake = FakeVault(clock=self.clock.seconds, changed=self.clock.notify, **properties)
        self.addCleanup(fake.close)
        return fake

    def _observe(self, event: LogEvent) -> None:
        if event.get("log_namespace", "").startswith("restic_reporter.secret_stores"):
            self.said.append(formatEvent(event))
            self.levels.append(event["log_level"].name)

    def now(self) -> float:
        """The wall clock, which alone goes on while the computer sleeps for ``slept``."""
        return self.started_at + self.clock.seconds() + self.slept

    def store(
        self, environ: Mapping[str, str] | None = None, *, random: float = 0.5, **options: Any
    ) -> VaultStore:
        """A store, not started, by default with the AppRole."""
        settings = parse_settings(self.fake.environment() if environ is None else environ)
        assert settings is not None
        client = BoundedHTTPClient(self.clock, random=lambda: random, idle_timeout=IDLE_TIMEOUT)
        tools = StoreTools(self.clock, client, self.now)
        store = VaultStore(settings, tools, lambda: random, **options)
        self.clients[store] = client
        self.addCleanup(client.close)
        self.addCleanup(store.stop)
        return store

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for what happens on sockets; no time goes on for the store."""
        while not condition():
            await self.clock.change()

    async def running(self, store: VaultStore) -> VaultStore:
        """Start ``store`` and wait until all that it begins with is done."""
        store.start()
        await self.idle()
        return store

    async def idle(self) -> None:
        """Wait until no request is under way, nor what it brings about."""
        self.clock.advance(0)
        while self.clock.busy:
            await self.clock.change()
            self.clock.advance(0)

    async def pass_time(self, seconds: float) -> None:
        """Let time go on from timer to timer, each with all that it brings about."""
        end = self.clock.seconds() + seconds
        while self.clock.seconds() < end:
            await self._next_timer(end)

    async def _next_timer(self, latest: float) -> None:
        moments = [call.getTime() for call in self.clock.getDelayedCalls()]
        moment = min([latest, *moments])
        self.clock.advance(max(0.0, moment - self.clock.seconds()))
        await self.idle()

    async def no_timers(self, store: VaultStore) -> None:
        """Nothing is to be done later for ``store``, but to close idle connections."""
        await self.clients[store].close()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def passing(self, work: "Deferred[T]") -> T:
        """The outcome of ``work``, while time goes on from timer to timer."""
        await self.idle()
        while not work.called:
            self.assertNotEqual(self.clock.getDelayedCalls(), [], "it waits for nothing")
            await self._next_timer(math.inf)
        return await work

    def look_up(
        self, store: VaultStore, path: str = "restic/a", seconds: float = 60.0
    ) -> "Deferred[Mapping[str, object]]":
        """Begin a look-up."""
        deadline = Deadline.after(self.clock, seconds)
        found: Coroutine[Any, Any, Mapping[str, object]] = store.look_up(path, deadline)
        return Deferred.fromCoroutine(found)

    async def problem(
        self, store: VaultStore, path: str = "restic/a", seconds: float = 60.0
    ) -> str:
        """The message of a look-up that fails, as it must."""
        try:
            found = await self.look_up(store, path, seconds)
        except ReadError as error:
            self.assertEqual(error.reason, Reason.SECRET)
            return error.message
        raise AssertionError(f"it did not fail: {found}")

    def look_up_problem(
        self, store: VaultStore, path: str = "restic/a", seconds: float = 60.0
    ) -> "Deferred[str]":
        """Begin a look-up that fails; its message."""
        return Deferred.fromCoroutine(self.problem(store, path, seconds))

    def patch_environment(self, name: str, value: str) -> None:
        """Set a variable of this process for the test."""
        self.patch(os, "environ", {**os.environ, name: value})
