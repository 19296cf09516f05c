"""What the tests of the Vault store share: a store over real HTTP, on a clock of their own."""

import math
import os
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import TestCase

from restic_reporter.concurrency.deadline import Deadline
from restic_reporter.http import BoundedHTTPClient
from restic_reporter.interfaces import StoreTools
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.secret_stores.vault import VaultStore
from restic_reporter.secret_stores.vault.settings import parse_settings
from tests.doubles.fake_vault import FakeVault
from tests.doubles.programs import PATIENCE
from tests.doubles.stepped_reactor import IDLE_TIMEOUT, SteppedReactor

T = TypeVar("T")

DAY = 86400.0


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
