"""Tests of the Vault store over TLS."""

import socket
from pathlib import Path

from tests.doubles.certificates import Authority, self_signed
from tests.doubles.connect_proxy import ConnectProxy
from tests.doubles.fake_vault_http import drip, flood, hang
from tests.doubles.vault_case import VaultCase

NAME = "vault.example.invalid"


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
        message = await self.problem(self.store(self.environment()))
        self.assertIn("its certificate is refused", message)
        wrong = self.ca(Authority.make("another").pem)
        message = await self.problem(self.store(self.environment(VAULT_CACERT=wrong)))
        self.assertIn("its certificate is refused", message)
        self.assertEqual(self.fake.requests, [])

    async def test_wrong_host(self) -> None:
        """A certificate for another host is refused, and so is one that has expired."""
        environ = {"VAULT_CACERT": self.ca(self.authority.pem)}
        for pem in (self.authority.issue("other.example"), self.authority.issue(expired=True)):
            self.fake = self.made_fake(pem=pem)
            message = await self.problem(self.store(self.environment(**environ)))
            self.assertIn("its certificate is refused", message)
            self.assertEqual(self.fake.requests, [])

    async def test_skip_verify(self) -> None:
        """With VAULT_SKIP_VERIFY anybody is trusted, and a warning says so once."""
        self.fake = self.made_fake(pem=self_signed("other.example"))
        store = await self.running(self.store(self.environment(VAULT_SKIP_VERIFY="true")))
        self.assertEqual(await self.look_up(store), {"key": "value-a"})
        self.assertEqual(self.levels.count("warn"), 1)
        self.assertEqual(self.flushWarnings(), [])

    async def test_unusable_cacert(self) -> None:
        """A file that cannot be used is named, and read again at the next try."""
        path = str((self.folder / "ca.pem").absolute())
        store = self.store(self.environment(VAULT_CACERT=path))
        message = await self.problem(store)
        self.assertIn(f"VAULT_CACERT {path!r} cannot be used: No such file", message)
        self.ca(b"no certificate")
        self.clock.advance(2)
        await self.idle(store)
        self.assertIn(f"VAULT_CACERT {path!r} cannot be used", await self.problem(store))
        self.ca(self.authority.pem)
        self.clock.advance(300)
        await self.idle(store)
        self.assertEqual(await self.look_up(store), {"key": "value-a"})

    async def test_plain_http(self) -> None:
        """A server that does not speak TLS is an error, and so is one that does unasked."""
        plain = self.made_fake()
        environ = self.environment(VAULT_ADDR=plain.address.replace("http:", "https:"))
        self.assertIn("TLS fails", await self.problem(self.store(environ)))
        environ = self.environment(VAULT_ADDR=self.fake.address.replace("https:", "http:"))
        self.assertIn("Vault at http", await self.problem(self.store(environ)))

    async def test_hostile(self) -> None:
        """What hangs or floods within TLS ends like any other, and so does a handshake."""
        environ = self.environment(VAULT_CACERT=self.ca(self.authority.pem))
        for trouble in (hang, drip(b"HTTP/1.1 200 OK\r\n\r\n", b" ")):
            self.fake.troubles["login"] = trouble
            logins = self.fake.counts["login"]
            failed = self.look_up_problem(store := self.store(environ, patience=15.0))
            await self.until(lambda: self.fake.counts["login"] > logins)  # noqa: B023
            self.clock.advance(15)
            self.assertIn("no answer within 15 s", await failed)
            await self.idle(store)
            store.stop()
        self.fake.troubles["login"] = flood(b"HTTP/1.1 200 OK\r\n\r\n")
        self.assertIn("more than", await self.problem(self.store(environ)))
        with socket.create_server(("127.0.0.1", 0)) as silent:
            environ["VAULT_ADDR"] = f"https://127.0.0.1:{silent.getsockname()[1]}"
            failed = self.look_up_problem(store := self.store(environ, patience=15.0))
            silent.accept()[0].recv(1)
            self.clock.advance(15)
            self.assertIn("no answer within 15 s", await failed)
            await self.idle(store)

    async def test_proxy(self) -> None:
        """HTTPS_PROXY leads to Vault through a tunnel, with TLS from end to end."""
        self.fake = self.made_fake(pem=self.authority.issue(NAME))
        proxy = ConnectProxy({f"{NAME}:8200": self.fake.server.port})
        self.addCleanup(proxy.close)
        environ = self.environment(
            VAULT_ADDR=f"https://{NAME}:8200",
            VAULT_CACERT=self.ca(self.authority.pem),
            HTTPS_PROXY=proxy.url.replace("//", "//user:marker@"),
        )
        self.assertEqual(await self.look_up(self.store(environ)), {"key": "value-a"})
        self.assertEqual(set(proxy.asked), {f"{NAME}:8200"})
        proxy.ports.clear()
        message = await self.problem(self.store(environ))
        self.assertNotIn("marker", message)
        self.assertIn("proxy", message)
