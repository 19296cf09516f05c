"""Tests of the Vault store against a Vault whose answers do not end, or are no HTTP."""

from twisted.internet.defer import gatherResults

from restic_reporter.model.errors import Reason
from restic_reporter.secret_stores.vault import VaultStore
from restic_reporter.secret_stores.vault.client import LIMIT
from tests.doubles.fake_vault import refusal
from tests.doubles.fake_vault_http import hang
from tests.doubles.hostile import BROKEN, FLOODS, MALFORMED, SLOW, TOLD, HostileAnswer
from tests.doubles.vault_case import VaultCase

# What gets into the buffers of two sockets before the sender notices.
_BUFFERS = 16 * 1024 * 1024

_TIMEOUT = 15.0

# Every kind with its own names.
_TABLE = [
    (f"{kind}: {name}", hostile)
    for kind, rows in {
        "flood": FLOODS,
        "malformed": MALFORMED,
        "broken": BROKEN,
        "slow": SLOW,
    }.items()
    for name, hostile in rows.items()
]

# When a token of an hour is renewed, at the latest.
_RENEWAL = 0.7 * 3600.0


class HostileTests(VaultCase):
    """The table of hostile answers, each in place of one of Vault's."""

    async def ended(self, kind: str, hostile: HostileAnswer, tries: int) -> None:
        """Wait until requests have ended within their bounds, and their connections too."""
        counts, server = self.fake.counts, self.fake.server
        before, pushed = counts[kind], server.pushed
        await self.until(lambda: counts[kind] > before)
        if hostile.reason is Reason.TIMEOUT:
            self.clock.advance(_TIMEOUT)
        await self.idle()
        while counts[kind] < before + tries:
            await self.pass_time(0.1)
        await self.until(lambda: not server.misbehaving)
        self.assertEqual(counts[kind], before + tries)
        self.assertLess(server.pushed - pushed, tries * (LIMIT + _BUFFERS))

    def assert_hidden(self, store: VaultStore, text: str) -> None:
        """``text`` is short and repeats nothing of the server, nor a secret."""
        self.assertLess(len(text), 400)
        for secret in (TOLD, *(one.reveal() for one in store.secrets())):
            self.assertNotIn(secret, text)

    async def test_look_ups(self) -> None:
        """A look-up that needs the answer fails with ``secret`` and Vault's address."""
        for kind in ("login", "mounts", "read"):
            for name, hostile in _TABLE:
                with self.subTest(f"{name} for {kind}"):
                    self.fake.troubles = {kind: hostile}
                    store = self.store(timeout=_TIMEOUT)
                    # Of these only a login is no GET, and may not be sent again.
                    tries = 1 if kind == "login" else hostile.tries
                    failed = self.look_up_problem(store)
                    await self.ended(kind, hostile, tries)
                    message = await failed
                    self.assertIn(f"Vault at {self.fake.address}: ", message)
                    self.assert_hidden(store, message)
                    store.stop()
        self.assert_hidden(store, max(self.said, key=len))

    async def test_renewals(self) -> None:
        """A renewal fails with one line in the log, and look-ups use the token that there is."""
        for name, hostile in _TABLE:
            with self.subTest(name):
                self.fake.troubles = {}
                store = await self.running(self.store(timeout=_TIMEOUT))
                self.fake.troubles["renew"] = hostile
                self.said.clear()
                self.clock.advance(_RENEWAL)
                await self.ended("renew", hostile, 1)
                [line] = self.said
                self.assertRegex(line, f"^Vault at {self.fake.address}: .+; will retry$")
                self.assert_hidden(store, line)
                self.assertEqual(await self.look_up(store), {"key": "value-a"})
                store.stop()


class SlowTests(VaultCase):
    """A Vault that does not come to an end."""

    async def test_deadline(self) -> None:
        """A look-up ends by its deadline, of which Vault is not found to be out of reach."""
        store = await self.running(self.store())
        self.fake.troubles["read"] = hang
        failed = self.look_up_problem(store, seconds=2.0)
        await self.until(lambda: self.fake.counts["read"] == 1)
        self.clock.advance(2)
        self.assertIn("look-up of 'restic/a' in Vault", await failed)
        self.fake.troubles.clear()
        self.assertEqual(await self.look_up(store), {"key": "value-a"})

    async def test_login(self) -> None:
        """A login that hangs ends too, and is tried again."""
        self.fake.troubles["login"] = hang
        store = self.store(timeout=15.0)
        store.start()
        failed = gatherResults([self.look_up_problem(store) for _ in range(100)])
        await self.until(lambda: self.fake.counts["login"] == 1)
        self.clock.advance(15)
        self.assertIn("timed out", (await failed)[0])
        self.fake.troubles.clear()
        await self.pass_time(1)
        self.assertEqual(await self.look_up(store), {"key": "value-a"})

    async def test_thousand(self) -> None:
        """A thousand look-ups in a Vault that hangs all fail after one call's timeout."""
        store = await self.running(self.store(timeout=15.0))
        self.fake.troubles["mounts"] = hang
        failed = gatherResults([self.look_up_problem(store) for _ in range(1000)])
        await self.until(lambda: self.fake.counts["mounts"] == 8)
        self.clock.advance(15)
        self.assertEqual(len(await failed), 1000)
        self.assertEqual(self.fake.counts["mounts"], 8)
        await self.idle()

    async def test_stop(self) -> None:
        """A stop does not wait for what hangs."""
        store = await self.running(self.store())
        self.fake.troubles["read"] = hang
        failed = self.look_up_problem(store)
        await self.until(lambda: self.fake.counts["read"] == 1)
        store.stop()
        self.assertTrue(failed.called)
        self.assertIn("daemon is stopping", await failed)
        await self.idle()
        await self.no_timers(store)

    async def test_stop_while_waiting(self) -> None:
        """Nor does it for a pause, a turn or a check of the token that is put off."""
        store = await self.running(self.store())
        self.fake.denied.add("no")
        self.assertIn("denies access", await self.problem(store, "no"))
        waiting = [self.look_up_problem(store, "no") for _ in range(20)]
        await self.until(lambda: self.fake.counts["read"] == 21)
        await self.idle()
        self.fake.troubles["read"] = refusal(503, "Vault is sealed")
        waiting += [self.look_up_problem(store) for _ in range(20)]
        await self.until(lambda: self.fake.counts["read"] == 29)
        await self.idle()
        self.assertFalse(any(one.called for one in waiting))
        store.stop()
        self.assertTrue(all(one.called for one in waiting))
        for message in await gatherResults(waiting):
            self.assertIn("daemon is stopping", message)
        await self.no_timers(store)
