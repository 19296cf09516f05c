"""Tests of the Vault store against a Vault that lies, refuses or is not there."""

import gzip
from pathlib import Path

from twisted.internet.defer import gatherResults

from tests.doubles.fake_vault import FakeVault, refusal
from tests.doubles.fake_vault_http import (
    Answer,
    Reply,
    answer_as,
    hang,
    page,
    reset,
)
from tests.doubles.hostile import BROKEN
from tests.doubles.vault_case import VaultCase


class NonsenseTests(VaultCase):
    """A Vault that is none, or is in trouble."""

    async def told(self, kind: str, trouble: Reply) -> str:
        """What a look-up says."""
        self.fake.troubles = {kind: trouble}
        store = self.store()
        message = await self.passing(self.look_up_problem(store))
        store.stop()
        return message

    async def test_statuses(self) -> None:
        """What says that Vault cannot serve now is out of reach, with Vault's own words."""
        for status in (412, 429, 472, 473, 500, 502, 503):
            for kind in ("login", "read"):
                told = await self.told(kind, refusal(status, "some words"))
                self.assertIn(f"status {status}: some words", told)

    async def test_no_vault(self) -> None:
        """Answers that no Vault gives are an error, and nothing of them is shown."""
        odd: list[Reply] = [
            page,
            answer_as(b""),
            answer_as(b"[]"),
            answer_as(b"null"),
            answer_as(b'"marker"'),
            answer_as(b"{}"),
            answer_as(b"[" * 100_000),
            answer_as(b"\xff\xfe"),
            answer_as(b'{"data": "marker", "auth": "marker"}'),
            answer_as(b'{"data": {"data": null, "metadata": {}}, "auth": {}}'),
            answer_as(b"marker", status="404 Not Found"),
            answer_as(b'["marker"]', status="403 Forbidden"),
            answer_as(b'{"errors": "marker"}', status="400 Bad"),
            answer_as(b"", status="204 No Content"),
            answer_as(b"", status="101 Switching Protocols"),
        ]
        for kind in ("login", "read"):
            for trouble in odd:
                told = await self.told(kind, trouble)
                self.assertIn("Vault at http", told)
                self.assertNotIn("marker", told)

    async def test_odd_logins(self) -> None:
        """A login whose answer has no usable token or lease is none."""
        good = {"client_token": "hvs.x", "lease_duration": 1, "renewable": True}
        for wrong in (
            {"client_token": ""},
            {"client_token": 5},
            {"client_token": "a\nb"},
            {"lease_duration": -1},
            {"lease_duration": "1h"},
            {"lease_duration": True},
            {"lease_duration": None},
        ):
            told = await self.told("login", Answer(200, {"auth": {**good, **wrong}}))
            self.assertIn("not a Vault response", told)
        nan = answer_as(b'{"auth":{"client_token":"x","lease_duration":NaN,"renewable":true}}')
        self.assertIn("not a Vault response", await self.told("login", nan))

    async def test_broken(self) -> None:
        """A connection that breaks is an error; of a read, only when it does so again."""
        for trouble in (reset, BROKEN["a body"]):
            for kind in ("login", "read"):
                self.assertRegex(
                    await self.told(kind, trouble), "connection closed|truncated response"
                )
        self.fake.troubles.clear()
        self.fake.passing["read"] = [reset, reset]
        looked = await self.passing(self.look_up(self.store()))
        self.assertEqual(looked, {"key": "value-a"})

    async def test_not_there(self) -> None:
        """Where nobody listens, a thousand look-ups fail quickly, with the reason."""
        store = await self.running(self.store())
        self.fake.close()
        failed = gatherResults([self.look_up_problem(store) for _ in range(1000)])
        self.assertIn("Connection refused", (await self.passing(failed))[0])

    async def test_unknown_name(self) -> None:
        """A name that cannot be resolved is said to be."""
        environ = {**self.fake.environment(), "VAULT_ADDR": "http://nowhere.invalid"}
        self.assertIn("DNS lookup failed", await self.problem(self.store(environ)))

    async def test_compressed(self) -> None:
        """A compressed answer, which could be a bomb, is refused unread."""
        bomb = answer_as(gzip.compress(b" " * 10_000_000), "Content-Encoding: gzip")
        self.fake.troubles["login"] = bomb
        self.assertIn("Content-Encoding", await self.problem(self.store()))
        self.assertIn("accept-encoding", self.fake.requests[0].headers)
        self.assertEqual(self.fake.requests[0].headers["accept-encoding"], "identity")


class RedirectTests(VaultCase):
    """A Vault that sends us elsewhere."""

    async def test_not_followed(self) -> None:
        """Nothing is sent to where a redirect leads; the message names the place."""
        trap = self.made_fake()
        for status in (301, 302, 303, 307, 308):
            for kind in ("login", "mounts", "read"):
                place = f"{trap.address}/v1/x?token=marker"
                self.fake.troubles = {kind: Answer(status, {}, {"Location": place})}
                message = await self.problem(self.store())
                self.assertIn(f"redirect ({status}) to '{trap.address}'", message)
                self.assertNotIn("marker", message)
        self.assertEqual(trap.requests, [])

    async def test_odd_places(self) -> None:
        """Whatever stands in Location, the message is a plain one."""
        for place in ("", "/v1/other", "http://[", "//", "http://x:port/"):
            self.fake.troubles["login"] = Answer(307, {}, {"Location": place})
            self.assertIn("redirect (307) to", await self.problem(self.store()))


class SurroundingsTests(VaultCase):
    """What lies about in files and variables, and is not meant for us."""

    async def test_ignored(self) -> None:
        """Neither ~/.vault-token nor .netrc nor variables of the libraries play a part."""
        home = Path(self.mktemp())
        home.mkdir()
        (home / ".vault-token").write_text("hvs.marker")
        (home / ".netrc").write_text("machine 127.0.0.1 login marker password marker\n")
        (home / ".netrc").chmod(0o600)
        dead = FakeVault()
        dead.close()
        for name, value in {
            "HOME": str(home),
            "NETRC": str(home / ".netrc"),
            "VAULT_TOKEN": "hvs.marker",
            "VAULT_ADDR": dead.address,
            "VAULT_NAMESPACE": "marker",
            "VAULT_CLIENT_CERT": "/marker",
            "HTTP_PROXY": dead.address,
            "http_proxy": dead.address,
            "ALL_PROXY": dead.address,
        }.items():
            self.patch_environment(name, value)
        self.assertEqual(await self.look_up(self.store()), {"key": "value-a"})
        for request in self.fake.requests:
            self.assertNotIn("marker", repr(request))
            self.assertNotIn("authorization", request.headers)
        self.assertNotIn("x-vault-token", self.fake.requests[0].headers)


class MendedTests(VaultCase):
    """A Vault that is in reach again."""

    async def test_soon(self) -> None:
        """However long it was not, the next look-up finds it, but for seconds after a failure."""
        for kind in ("login", "read"):
            self.fake.troubles = {kind: refusal(503, "Vault is sealed")}
            store = await self.running(self.store(random=1.0))
            for _ in range(20):
                await self.passing(self.look_up_problem(store))
                await self.pass_time(30)
            counted = self.fake.counts[kind]
            many = gatherResults([self.look_up_problem(store) for _ in range(20)])
            self.assertIn("sealed", (await self.passing(many))[0])
            # Eight at one time, each tried four times.
            self.assertLessEqual(self.fake.counts[kind] - counted, 32)
            self.fake.troubles.clear()
            await self.pass_time(2)
            self.assertEqual(await self.look_up(store), {"key": "value-a"})
            store.stop()

    async def test_by_hand(self) -> None:
        """After an order by hand the next look-up asks at once, whatever failed a moment ago."""
        for kind in ("login", "read"):
            self.fake.troubles = {kind: refusal(503, "Vault is sealed")}
            store = await self.running(self.store(random=1.0))
            await self.passing(self.look_up_problem(store))
            self.fake.troubles.clear()
            self.assertIn("sealed", await self.problem(store))
            store.forget_failures()
            self.assertEqual(await self.look_up(store), {"key": "value-a"})
            store.stop()

    async def test_by_hand_meanwhile(self) -> None:
        """What was asked before an order, and fails after it, does not count either."""
        for kind in ("login", "read"):
            self.fake.troubles = {kind: hang}
            store = self.store(random=1.0)
            before = self.fake.counts[kind]
            hanging = self.look_up_problem(store)
            await self.until(lambda: self.fake.counts[kind] > before)  # noqa: B023
            self.clock.advance(1)
            store.forget_failures()
            self.fake.troubles.clear()
            self.clock.advance(14)
            # The one that waits for a login waits for another.
            waited = await hanging.addErrback(lambda _: "answered")
            self.assertEqual("answered" in waited, kind == "login", waited)
            self.assertEqual(await self.look_up(store), {"key": "value-a"})
            store.stop()
