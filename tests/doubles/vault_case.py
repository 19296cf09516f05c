"""What the tests of the Vault store share: a store over real HTTP, on a clock of their own."""

import os
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConnector
from twisted.internet.task import Clock
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import TestCase

from restic_reporter.concurrency.deadline import Deadline, sleep
from restic_reporter.concurrency.resolver import DaemonThreadResolver
from restic_reporter.http import BoundedHTTPClient, Response
from restic_reporter.interfaces import StoreTools
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.secret_stores.vault import VaultStore
from restic_reporter.secret_stores.vault.settings import parse_settings
from tests.doubles.fake_vault import FakeVault
from tests.doubles.servers import PATIENCE

T = TypeVar("T")

DAY = 86400.0


class SteppedReactor(Clock):
    """Time goes on only as a test says; sockets are real."""

    def __init__(self) -> None:
        super().__init__()
        # Names become addresses at once: a thread would take real time while this clock runs.
        real: Any = reactor
        self.nameResolver = DaemonThreadResolver(real)
        self._connectors: list[Any] = []

    def connectTCP(self, *arguments: Any, **options: Any) -> IConnector:
        """Connect, and remember that."""
        connector: IConnector = self.__getattr__("connectTCP")(*arguments, **options)
        self._connectors.append(connector)
        return connector

    @property
    def connecting(self) -> bool:
        """Whether a connection is neither there nor refused."""
        return any(one.state == "connecting" for one in self._connectors)

    def __getattr__(self, name: str) -> Any:
        """Whatever has nothing to do with time."""
        return getattr(reactor, name)


class CountedClient(BoundedHTTPClient):
    """Knows how many requests are under way."""

    under_way = 0

    @property
    def asks(self) -> bool:
        """Whether a server has been sent a request and may still answer."""
        connections = [one for route in self._routes.values() for one in route._opened]
        return any(one.exchange is not None for one in connections)

    async def _tries(
        self, attempt: "Callable[[], Deferred[Response]]", *arguments: Any
    ) -> Response:
        def ended(outcome: T) -> T:
            self.under_way -= 1
            return outcome

        def counted() -> Deferred[Response]:
            sending = attempt()
            self.under_way += 1
            return sending.addBoth(ended)

        return await super()._tries(counted, *arguments)


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
        self.clients: dict[VaultStore, CountedClient] = {}
        observer: Any = self._observe
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def made_fake(self, **properties: Any) -> FakeVault:
        """A fake with a document."""
        properties.setdefault("documents", {"restic/a": {"key": "value-a"}})
        fake = FakeVault(clock=self.clock.seconds, **properties)
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
        clock = options.pop("reactor", self.clock)
        client = CountedClient(clock, random=lambda: random, idle_timeout=60.0)
        tools = StoreTools(clock, client, self.now)
        store = VaultStore(settings, tools, lambda: random, **options)
        self.clients[store] = client
        self.addCleanup(client.close)
        self.addCleanup(store.stop)
        return store

    def is_idle(self, store: VaultStore) -> bool:
        """Whether ``store`` has no request under way."""
        return not self.clients[store].under_way

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for what happens on sockets; no time goes on for the store."""
        limit = time.monotonic() + PATIENCE / 2
        while not condition():
            if time.monotonic() > limit:
                raise AssertionError(f"it did not come true; said: {self.said}")
            await sleep(reactor, 0.002)

    async def running(self, store: VaultStore) -> VaultStore:
        """Start ``store`` and wait until all that it begins with is done."""
        store.start()
        await self.idle(store)
        return store

    async def idle(self, store: VaultStore) -> None:
        """Wait until no request of ``store`` is under way, nor what it brings about."""
        for _ in range(3):
            # What one answer brings about may begin only in the reactor's next turn.
            await sleep(reactor, 0)
            self.clock.advance(0)
            await self.until(lambda: self.is_idle(store))

    async def pass_time(self, store: VaultStore, seconds: float) -> None:
        """Let time go on from timer to timer, each with all that it brings about."""
        end = self.clock.seconds() + seconds
        while True:
            moments = [call.getTime() for call in self.clock.getDelayedCalls()]
            moment = min([end, *moments])
            self.clock.advance(max(0.0, moment - self.clock.seconds()))
            await self.idle(store)
            if moment >= end:
                return

    async def no_timers(self, store: VaultStore) -> None:
        """Nothing is to be done later for ``store``, but to close idle connections."""
        await self.clients[store].close()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def passing(self, work: "Deferred[T]") -> T:
        """The outcome of ``work``, while time goes on."""
        while not work.called:
            # A server is not kept from answering; a connection that is refused needs time.
            asking = any(client.asks for client in self.clients.values())
            if not asking and not self.clock.connecting:
                self.clock.advance(0.1)
            await sleep(reactor, 0)
        return await work

    def look_up(
        self, store: VaultStore, path: str = "restic/a", seconds: float = 60.0
    ) -> "Deferred[Mapping[str, object]]":
        """Begin a look-up."""
        deadline = Deadline.after(store._reactor, seconds)
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
