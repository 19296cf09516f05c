"""Tests of `restic_reporter.secret_stores.vault.token_keeper`: a token, over real HTTP."""

from twisted.internet.defer import gatherResults

from tests.doubles.fake_vault import SEALED, refusal
from tests.doubles.fake_vault_http import Answer
from tests.doubles.vault_case import DAY, VaultCase

HOUR = 3600.0


class AppRoleTests(VaultCase):
    """A token from an AppRole login."""

    async def test_renewals(self) -> None:
        """It is renewed at two thirds of its lease, for ever."""
        store = await self.running(self.store())
        self.assertEqual(store.expires_at, self.now() + HOUR)
        for renewals in range(1, 21):
            await self.pass_time(0.649 * HOUR)
            self.assertEqual(self.fake.counts["renew"], renewals - 1)
            await self.pass_time(0.001 * HOUR)
            self.assertEqual(self.fake.counts["renew"], renewals)
            self.assertEqual(store.expires_at, self.now() + HOUR)
        self.assertEqual(self.fake.counts["login"], 1)
        self.assertEqual(await self.look_up(store), {"key": "value-a"})
        self.assertEqual(self.levels, ["info"] + ["debug"] * 20)

    async def test_jitter(self) -> None:
        """When exactly that is, is left to chance."""
        for chance, due in ((0.0, 0.6 * HOUR), (1.0, 0.7 * HOUR)):
            store = await self.running(self.store(random=chance))
            renewals = self.fake.counts["renew"]
            await self.pass_time(due - 1)
            self.assertEqual(self.fake.counts["renew"], renewals)
            await self.pass_time(1)
            self.assertEqual(self.fake.counts["renew"], renewals + 1)
            store.stop()

    async def test_maximum(self) -> None:
        """As leases shrink towards the maximum, it logs in again: before any token ends."""
        self.fake.role.max_ttl = 10 * HOUR
        store = await self.running(self.store())
        for _ in range(60):
            await self.pass_time(HOUR)
            self.assertEqual(await self.look_up(store), {"key": "value-a"})
            assert store.expires_at is not None
            self.assertGreater(store.expires_at, self.now())
        self.assertGreaterEqual(self.fake.counts["renew"], 60)
        self.assertEqual(self.fake.counts["login"], 7)
        self.assertNotIn("error", self.levels)

    async def test_batch(self) -> None:
        """Where tokens cannot be renewed, it logs in at two thirds."""
        self.fake.role.batch = True
        await self.running(self.store())
        await self.pass_time(6.5 * HOUR)
        self.assertEqual((self.fake.counts["login"], self.fake.counts["renew"]), (11, 0))

    async def test_hardly_any_lease(self) -> None:
        """Leases of a moment, which Vault has no use for, do not make us log in all the time."""
        auth = {"client_token": "hvs.x", "lease_duration": 0.000001, "renewable": True}
        for kind in ("login", "renew"):
            self.fake.troubles[kind] = Answer(200, {"auth": auth})
        await self.running(self.store())
        await self.pass_time(30)
        self.assertLess(self.fake.counts.total(), 150)

    async def test_no_end(self) -> None:
        """A token without an end is left alone."""
        self.fake.role.ttl = 0
        store = await self.running(self.store())
        self.assertIsNone(store.expires_at)
        await self.no_timers(store)

    async def test_sleep(self) -> None:
        """After a sleep, in which only the wall clock went on, it is renewed in half an hour."""
        self.fake.role.ttl = 30 * DAY
        await self.running(self.store())
        await self.pass_time(DAY)
        self.slept = 25 * DAY
        await self.pass_time(HOUR / 2)
        self.assertEqual(self.fake.counts["renew"], 1)

    async def test_revoked(self) -> None:
        """All look-ups that see the token refused wait for one login, and succeed."""
        store = await self.running(self.store())
        for logins in (2, 3):
            self.fake.revoke()
            looked = gatherResults([self.look_up(store) for _ in range(50)])
            self.assertEqual(await self.passing(looked), [{"key": "value-a"}] * 50)
            self.assertEqual(self.fake.counts["login"], logins)
        self.assertEqual(len(set(self.fake.seen)), 3)

    async def test_forbidden_paths(self) -> None:
        """Forbidden paths cause no login while the token is good, and few looks at it."""
        self.fake.denied.update(f"no/{number}" for number in range(100))
        store = await self.running(self.store())
        refused = gatherResults([self.look_up_problem(store, path) for path in self.fake.denied])
        messages = await self.passing(refused)
        self.assertTrue(all("denies access to" in message for message in messages))
        self.assertEqual(self.fake.counts["login"], 1)
        self.assertLessEqual(self.fake.counts["look"], 3)
        self.fake.revoke()
        self.assertEqual(await self.passing(self.look_up(store)), {"key": "value-a"})

    async def test_policy_without_looks(self) -> None:
        """Where the policy hides the token from itself, forbidden paths cause few logins."""
        self.fake.role.default = False
        self.fake.denied.add("no")
        store = await self.running(self.store())
        for _ in range(60):
            message = await self.passing(self.look_up_problem(store, "no"))
            self.assertIn("denies access to 'no'", message)
        self.assertLessEqual(self.fake.counts["login"], 8)
        self.assertEqual(await self.look_up(store), {"key": "value-a"})

    async def test_wrong_secret_id(self) -> None:
        """It is told once, tried again with growing pauses, and works once it is right."""
        environ = self.fake.environment()
        self.fake.role.secret_ids = {"secret-id-2"}
        store = await self.running(self.store(environ, random=1.0))
        message = await self.problem(store)
        self.assertIn("AppRole login rejected: invalid role or secret ID", message)
        self.assertIn(self.fake.address, message)
        await self.pass_time(1 + 2 + 4 + 8)
        self.assertEqual(self.fake.counts["login"], 5)
        await self.pass_time(HOUR)
        self.assertLessEqual(self.fake.counts["login"], 25)
        self.assertEqual(self.levels.count("error"), 1)
        self.fake.role.secret_ids.add("secret-id-1")
        await self.pass_time(300)
        self.assertEqual(await self.look_up(store), {"key": "value-a"})

    async def test_fails_at_once(self) -> None:
        """While a login is put off, look-ups fail at once with its problem; later they try."""
        self.fake.troubles[""] = SEALED
        store = await self.running(self.store(random=1.0))
        failing = gatherResults([self.look_up_problem(store) for _ in range(1000)])
        messages = await self.passing(failing)
        self.assertEqual(len(set(messages)), 1)
        self.assertIn("Vault is sealed", messages[0])
        failing = gatherResults([self.look_up_problem(store) for _ in range(1000)])
        self.assertIn("Vault is sealed", (await failing)[0])
        # One login, tried four times.
        self.assertEqual(self.fake.counts["login"], 4)
        self.fake.troubles.clear()
        await self.pass_time(1.0)
        self.assertEqual(await self.look_up(store), {"key": "value-a"})

    async def test_trouble_with_renewals(self) -> None:
        """Renewals that fail are tried again; the token serves until its end, then a login does."""
        store = await self.running(self.store())
        self.fake.troubles["renew"] = SEALED
        await self.pass_time(0.95 * HOUR)
        self.assertGreater(self.fake.counts["renew"], 5)
        self.assertEqual(await self.look_up(store), {"key": "value-a"})
        self.assertEqual((self.fake.counts["login"], self.levels.count("error")), (1, 1))
        await self.pass_time(0.06 * HOUR + 300)
        self.assertEqual(self.fake.counts["login"], 2)
        self.assertEqual(await self.look_up(store), {"key": "value-a"})

    async def test_renewal_recovers(self) -> None:
        """One that works again leaves nothing behind."""
        store = await self.running(self.store())
        self.fake.passing["renew"] = [SEALED]
        await self.pass_time(0.7 * HOUR)
        self.assertEqual((self.fake.counts["renew"], self.fake.counts["login"]), (2, 1))
        self.assertGreater(store.expires_at or 0, self.now() + 0.9 * HOUR)

    async def test_renewal_refused(self) -> None:
        """Where Vault refuses to renew, it logs in."""
        self.fake.role.default = False
        await self.running(self.store())
        await self.pass_time(0.66 * HOUR)
        self.assertEqual((self.fake.counts["renew"], self.fake.counts["login"]), (1, 2))

    async def test_logins_fail_near_the_maximum(self) -> None:
        """A login that fails while the token lives leaves the token in use, and is tried again."""
        self.fake.role.max_ttl = 1.5 * HOUR
        store = await self.running(self.store())
        self.fake.troubles["login"] = SEALED
        await self.pass_time(1.2 * HOUR)
        self.assertEqual(await self.look_up(store), {"key": "value-a"})
        self.assertEqual(self.levels.count("error"), 1)
        await self.pass_time(HOUR)
        self.assertIn("sealed", await self.passing(self.look_up_problem(store)))
        self.assertEqual(store.expires_at, self.started_at + 1.5 * HOUR)
        self.fake.troubles.clear()
        await self.pass_time(300)
        self.assertEqual(await self.look_up(store), {"key": "value-a"})

    async def test_look_up_before_start(self) -> None:
        """A look-up logs in by itself where that has not been done."""
        store = self.store()
        self.assertEqual(await self.look_up(store), {"key": "value-a"})
        self.assertEqual(self.fake.counts["login"], 1)

    async def test_secrets(self) -> None:
        """The secret id and the tokens are known, so that they can be masked; none is logged."""
        store = await self.running(self.store())
        self.fake.revoke()
        await self.look_up(store)
        secrets = {secret.reveal() for secret in store.secrets()}
        self.assertEqual(secrets, {"secret-id-1", *self.fake.seen})
        for secret in secrets:
            self.assertFalse([line for line in self.said if secret in line])

    async def test_echo(self) -> None:
        """A server that echoes what it was sent does not bring it into a message."""
        environ = self.fake.environment()
        self.fake.troubles["login"] = refusal(400, "no such secret-id-1 " + "x" * 10_000)
        message = await self.problem(self.store(environ))
        self.assertIn("no such ***", message)
        self.assertLess(len(message), 400)
        self.assertNotIn("secret-id-1", "".join(self.said))

    async def test_stop(self) -> None:
        """After a stop there is no timer, and what Vault still answers is ignored."""
        store = self.store()
        store.start()
        looked = self.look_up_problem(store)
        store.stop()
        self.assertIn("daemon is stopping", await looked)
        await self.idle()
        await self.no_timers(store)
        self.assertIsNone(store.expires_at)
        self.assertIn("daemon is stopping", await self.problem(store))
