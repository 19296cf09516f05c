"""Tests of `restic_reporter.secret_stores.vault.calls`: the threads."""

import threading
from collections.abc import Callable

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, gatherResults

from restic_reporter.secret_stores.vault.calls import AT_ONE_TIME, MOST_LEFT, VaultCalls
from restic_reporter.secret_stores.vault.errors import VaultOutageError
from restic_reporter.secret_stores.vault.settings import parse_settings
from restic_reporter.secret_stores.vault.transport import Channel
from tests.doubles.vault_case import VaultCase


class CallsTests(VaultCase):
    """`VaultCalls`, with calls that hang where no abort helps."""

    def setUp(self) -> None:
        """Calls that wait for an event."""
        super().setUp()
        settings = parse_settings(self.fake.environment())
        assert settings is not None
        self.calls = VaultCalls(reactor, settings)  # type: ignore[arg-type]
        self.event = threading.Event()
        self.addCleanup(self.event.set)
        self.channels: list[Channel] = []

    def wait(self, channel: Channel) -> str:
        """Hang."""
        self.channels.append(channel)
        self.event.wait()
        return "done"

    def many(self, number: int, call: Callable[[Channel], str]) -> "list[Deferred[str]]":
        """Run ``call`` so often at one time."""
        return [self.calls.run(call) for _ in range(number)]

    async def test_bound(self) -> None:
        """No more run at one time than are meant to; the others follow."""
        results = self.many(3 * AT_ONE_TIME, self.wait)
        await self.until(lambda: len(self.channels) == AT_ONE_TIME)
        self.event.set()
        self.assertEqual(await gatherResults(results), ["done"] * (3 * AT_ONE_TIME))
        self.assertTrue(self.calls.idle)
        self.assertEqual(len(set(map(id, self.channels))), AT_ONE_TIME)

    async def test_left_behind(self) -> None:
        """Threads that cannot be ended do not pile up: calls fail at once instead."""
        given_up = self.many(MOST_LEFT, self.wait)
        await self.until(lambda: len(self.channels) == MOST_LEFT)
        for result in given_up:
            result.cancel()
            self.failureResultOf(result, CancelledError)
        for result in self.many(100, self.wait):
            self.assertIn("hang", str(self.failureResultOf(result, VaultOutageError).value))
        self.assertEqual(len(self.channels), MOST_LEFT)
        self.event.set()
        await self.until(lambda: self.calls.idle)
        self.assertEqual(await self.calls.run(self.wait), "done")

    async def test_cancel_in_the_queue(self) -> None:
        """A call that is cancelled before its turn is never made."""
        results = self.many(AT_ONE_TIME + 1, self.wait)
        results[-1].cancel()
        self.failureResultOf(results[-1], CancelledError)
        self.event.set()
        await gatherResults(results[:-1])
        self.assertEqual(len(self.channels), AT_ONE_TIME)

    async def test_stop(self) -> None:
        """A stop fails all calls at once, and none is made afterwards."""
        results = self.many(AT_ONE_TIME + 1, self.wait)
        await self.until(lambda: len(self.channels) == AT_ONE_TIME)
        self.calls.stop()
        for result in [*results, self.calls.run(self.wait)]:
            self.failureResultOf(result, VaultOutageError)
        self.event.set()
        await self.until(lambda: self.calls.idle)
        self.assertEqual(len(self.channels), AT_ONE_TIME)
