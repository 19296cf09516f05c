"""Tests of `restic_reporter.secret_stores.vault.token_keeper` with a token of the user's."""

from restic_reporter.secret_stores.vault import VaultStore
from tests.doubles.fake_vault import Token, refusal
from tests.doubles.vault_case import DAY, VaultCase

HOUR = 3600.0


class OwnTokenTests(VaultCase):
    """A token from ``VAULT_TOKEN``."""

    async def started(self, ttl: float, **properties: object) -> tuple[VaultStore, Token]:
        """A store with such a token."""
        token = self.fake.issue(ttl, **properties)
        return await self.running(self.store(self.fake.environment(token))), token

    async def test_renewals(self) -> None:
        """It is renewed like any other."""
        store, _ = await self.started(HOUR)
        await self.pass_time(13 * HOUR)
        self.assertEqual(self.fake.counts["renew"], 20)
        self.assertEqual(await self.look_up(store), {"key": "value-a"})
        self.assertEqual(self.levels, ["info"] + ["debug"] * 20)

    async def test_mid_life(self) -> None:
        """One that is old already is renewed at once."""
        token = self.fake.issue(30 * DAY)
        self.clock.advance(29 * DAY)
        store = await self.running(self.store(self.fake.environment(token)))
        await self.pass_time(0)
        self.assertEqual(self.fake.counts["renew"], 1)
        self.assertEqual(store.expires_at, self.now() + 30 * DAY)

    async def test_root(self) -> None:
        """A root token is never renewed, and has no end."""
        store, _ = await self.started(0)
        self.assertIsNone(store.expires_at)
        self.assertEqual(await self.look_up(store), {"key": "value-a"})
        await self.no_timers(store)

    async def test_end(self) -> None:
        """One that cannot be renewed draws warnings well before its end, and an error at it."""
        store, _ = await self.started(30 * DAY, renewable=False)
        self.assertEqual(store.expires_at, self.started_at + 30 * DAY)
        self.assertEqual(self.levels.count("warn"), 1)
        self.assertTrue([line for line in self.said if "VAULT_TOKEN expires at 20" in line])
        await self.pass_time(29 * DAY - 60)
        self.assertEqual(self.levels.count("warn"), 1)
        await self.pass_time(120)
        self.assertEqual(self.levels.count("warn"), 2)
        await self.pass_time(DAY - HOUR)
        self.assertEqual(self.levels.count("warn"), 3)
        self.assertNotIn("error", self.levels)
        self.assertEqual(await self.look_up(store), {"key": "value-a"})
        await self.pass_time(2 * HOUR)
        self.assertIn("VAULT_TOKEN expired", "".join(self.said))
        self.assertLessEqual(self.levels.count("error"), 2)
        self.assertLess(store.expires_at or 0, self.now())
        self.assertIn("VAULT_TOKEN may have expired", await self.problem(store))

    async def test_maximum(self) -> None:
        """One whose lease shrinks draws a warning then."""
        await self.started(10 * DAY, max_ttl=30 * DAY)
        await self.pass_time(25.9 * DAY)
        self.assertNotIn("warn", self.levels)
        await self.pass_time(0.2 * DAY)
        self.assertEqual(self.levels.count("warn"), 1)
        await self.pass_time(3.89 * DAY)
        self.assertEqual(self.levels.count("warn"), 3)
        self.assertLess(self.fake.counts["renew"], 30)

    async def test_known_maximum(self) -> None:
        """Where Vault tells the maximum, the warning comes at once."""
        await self.started(10 * DAY, explicit_max_ttl=30 * DAY)
        self.assertEqual(self.levels.count("warn"), 1)

    async def test_wrong(self) -> None:
        """One that Vault does not know is told once, and look-ups say so."""
        store = await self.running(self.store({**self.fake.environment(Token("x", 1, 0, 0))}))
        self.assertEqual(self.levels, ["error"])
        self.assertIn("VAULT_TOKEN rejected", self.said[0])
        self.assertIn("VAULT_TOKEN may have expired", await self.problem(store))
        await self.pass_time(HOUR)
        self.assertEqual(self.levels.count("error"), 1)
        self.assertLessEqual(self.fake.counts["look"], 30)

    async def test_no_leave_to_look(self) -> None:
        """One that may not look at itself is used all the same."""
        store, _ = await self.started(HOUR, default=False)
        self.assertEqual(await self.look_up(store), {"key": "value-a"})

    async def test_revoked(self) -> None:
        """A look-up that is refused finds out that it was revoked."""
        store, _ = await self.started(HOUR)
        self.fake.revoke()
        self.assertIn("VAULT_TOKEN may have expired", await self.problem(store))
        self.assertIn("error", self.levels)
        self.assertEqual(store.expires_at, self.now())

    async def test_prolonged_by_somebody(self) -> None:
        """One that cannot be renewed by us, and is by somebody else, goes on."""
        store, token = await self.started(10 * DAY, default=True)
        self.fake.troubles["renew"] = refusal(403, "permission denied")
        await self.pass_time(7 * DAY)
        self.assertEqual(self.levels.count("warn"), 1)
        token.ends += 10 * DAY
        await self.pass_time(4 * DAY)
        self.assertEqual(store.expires_at, self.started_at + 20 * DAY)
        self.assertNotIn("error", self.levels)

    async def test_with_an_approle(self) -> None:
        """Where there is an AppRole too, it takes over when the token is of no more use."""
        for properties in ({"ends": 0}, {"renewable": False}, {"max_ttl": 1.2 * HOUR}):
            token = self.fake.issue(HOUR)
            for name, value in properties.items():
                setattr(token, name, value)
            both = {**self.fake.environment(token), **self.fake.environment()}
            logins = self.fake.counts["login"]
            store = await self.running(self.store(both))
            await self.pass_time(1.5 * HOUR)
            self.assertEqual(self.fake.counts["login"], logins + 1, properties)
            self.assertEqual(await self.look_up(store), {"key": "value-a"})
            store.stop()
        self.assertNotIn("error", self.levels)
