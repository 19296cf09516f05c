"""Tests of the Vault store over TLS."""

from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint

from tests.doubles.certificates import Authority, self_signed
from tests.doubles.fake_vault_http import hang
from tests.doubles.hostile import FLOODS, SLOW, HostileServer
from tests.doubles.vault_case import VaultCase


class TLSTests(VaultCase):
    """A Vault with a certificate of our own authority."""

    def setUp(self) -> None:
        """A fake with TLS."""
        super().setUp()
        self.authority = Authority.make()
        self.fake = self.made_fake(pem=self.authority.issue())
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def ca(self, pem: bytes) -> str:
        """A file for VAULT_CACERT."""
        path = self.folder / "ca.pem"
        path.write_bytes(pem)
        return str(path)

    def environment(self, **more: str) -> dict[str, str]:
        """What leads to the fake, with more."""
        return {**self.fake.environment(), **more}

    async def test_cacert(self) -> None:
        """The authority in VAULT_CACERT is trusted."""
        store = self.store(self.environment(VAULT_CACERT=self.ca(self.authority.pem)))
        self.assertEqual(await self.look_up(store), {"key": "value-a"})

    async def test_others(self) -> None:
        """No other is, and nothing is sent to a server that nobody vouches for."""
        right = self.ca(self.authority.pem)
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            self.patch_environment(name, right)
        wrong = str(self.folder / "wrong.pem")
        Path(wrong).write_bytes(Authority.make("another").pem)
        for environ in (self.environment(), self.environment(VAULT_CACERT=wrong)):
            message = await self.problem(self.store(environ))
            self.assertIn("TLS failed: certificate signed by an unknown authority", message)
        self.assertEqual(self.fake.requests, [])

    async def test_wrong_host(self) -> None:
        """A certificate for another host is refused, and so is one that has expired."""
        environ = {"VAULT_CACERT": self.ca(self.authority.pem)}
        for pem, problem in (
            (self.authority.issue("other.example"), "certificate for another host"),
            (self.authority.issue(expired=True), "certificate expired"),
        ):
            self.fake = self.made_fake(pem=pem)
            message = await self.problem(self.store(self.environment(**environ)))
            self.assertIn(f"TLS failed: {problem}", message)
            self.assertEqual(self.fake.requests, [])

    async def test_skip_verify(self) -> None:
        """With VAULT_SKIP_VERIFY anybody is trusted, and a warning says so once."""
        self.fake = self.made_fake(pem=self_signed("other.example"))
        store = await self.running(self.store(self.environment(VAULT_SKIP_VERIFY="true")))
        self.assertEqual(await self.look_up(store), {"key": "value-a"})
        self.assertEqual(self.levels.count("warn"), 1)
        self.assertEqual(self.flushWarnings(), [])

    async def test_plain_http(self) -> None:
        """A server that does not speak TLS is an error, and so is one that does unasked."""
        plain = self.made_fake()
        environ = self.environment(VAULT_ADDR=plain.address.replace("http:", "https:"))
        self.assertIn("does not speak TLS on this port", await self.problem(self.store(environ)))
        environ = self.environment(VAULT_ADDR=self.fake.address.replace("https:", "http:"))
        self.assertIn("Vault at http", await self.problem(self.store(environ)))

    async def test_hostile(self) -> None:
        """What hangs or floods within TLS ends like any other, and so does a handshake."""
        environ = self.environment(VAULT_CACERT=self.ca(self.authority.pem))
        for trouble in (hang, SLOW["a body in drips"]):
            self.fake.troubles["login"] = trouble
            logins = self.fake.counts["login"]
            failed = self.look_up_problem(store := self.store(environ, timeout=15.0))
            await self.until(lambda: self.fake.counts["login"] > logins)  # noqa: B023
            self.clock.advance(15)
            self.assertIn("timed out", await failed)
            await self.idle()
            store.stop()
        self.fake.troubles["login"] = FLOODS["a body"]
        self.assertIn("exceeds", await self.problem(self.store(environ)))
        connected: Deferred[object] = Deferred()
        silent = HostileServer(lambda connection: None, connected.callback)
        await silent.listen(TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1"))
        self.addCleanup(silent.stop)
        environ["VAULT_ADDR"] = f"https://127.0.0.1:{silent.port}"
        failed = self.look_up_problem(self.store(environ, timeout=15.0))
        await connected
        self.clock.advance(15)
        self.assertIn("timed out", await failed)
        await silent.all_closed()
