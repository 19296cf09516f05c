"""Tests of `restic_reporter.secret_stores.vault.settings`."""

import os

from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.redaction.secret import Secret
from restic_reporter.secret_stores.vault.settings import VaultSettings, parse_settings

TOKEN = {"VAULT_ADDR": "https://vault.example:8200", "VAULT_TOKEN": "hvs.marker-token"}


def parse(**environ: str) -> VaultSettings:
    """The settings with a token, and with ``environ`` besides."""
    settings = parse_settings({**TOKEN, **environ})
    assert settings is not None
    return settings


class ParseTests(SynchronousTestCase):
    """`parse_settings`."""

    def problem(self, environ: dict[str, str]) -> str:
        """The message of a failure, in which there is no secret."""
        message = str(self.assertRaises(ValueError, parse_settings, environ))
        self.assertNotIn("marker", message)
        return message

    def test_no_vault(self) -> None:
        """Without an address there is no Vault, whatever else is set."""
        self.assertIsNone(parse_settings({}))
        self.assertIsNone(parse_settings({**TOKEN, "VAULT_ADDR": " "}))

    def test_nothing_to_log_in_with(self) -> None:
        """An address without credentials is refused; the message names what is missing."""
        address = {"VAULT_ADDR": "http://vault"}
        self.assertIn("neither VAULT_TOKEN nor VAULT_ROLE_ID", self.problem(address))
        self.assertIn(
            "VAULT_SECRET_ID is not", self.problem({**address, "VAULT_ROLE_ID": "marker"})
        )
        self.assertIn(
            "VAULT_ROLE_ID is not", self.problem({**address, "VAULT_SECRET_ID": "marker"})
        )
        self.assertIn("VAULT_TOKEN", self.problem({**address, "VAULT_TOKEN": ""}))

    def test_credentials(self) -> None:
        """Token and AppRole are taken, both where both are set."""
        settings = parse(VAULT_ROLE_ID="role", VAULT_SECRET_ID="secret")
        assert settings.token is not None and settings.app_role is not None
        self.assertEqual(settings.token.reveal(), "hvs.marker-token")
        self.assertEqual(settings.app_role.role_id, "role")
        self.assertEqual(settings.app_role.secret_id, Secret("secret"))
        self.assertIsNone(parse().app_role)
        self.assertIsNone(parse(VAULT_ROLE_ID="half").app_role)

    def test_repr(self) -> None:
        """What is printed of them shows no secret."""
        settings = parse(
            VAULT_ROLE_ID="role",
            VAULT_SECRET_ID="marker-secret",
            HTTPS_PROXY="http://user:marker-proxy@proxy:3128",
        )
        self.assertNotIn("marker", f"{settings!r}{settings}")
        revealed = {secret.reveal() for secret in settings.secrets()}
        self.assertLessEqual({"hvs.marker-token", "marker-secret", "marker-proxy"}, revealed)

    def test_address(self) -> None:
        """Only a plain http(s) URL is an address; a path in it and slashes at its end may be."""
        self.assertEqual(parse(VAULT_ADDR=" http://[::1]:8200/ ").address, "http://[::1]:8200")
        self.assertEqual(parse(VAULT_ADDR="https://proxy/vault").address, "https://proxy/vault")
        for wrong in (
            "vault:8200",
            "ftp://vault",
            "https://",
            "https://vault:port",
            "https://vault:99999",
            "https://user:marker@vault",
            "https://marker@vault",
            "https://vault/?token=marker",
            "https://vault/#marker",
            "unix:///run/vault.sock",
            "https://va ult",
            "https://va\nult",
            "https://[::1",
        ):
            self.assertIn("VAULT_ADDR", self.problem({**TOKEN, "VAULT_ADDR": wrong}))

    def test_token_that_is_no_header(self) -> None:
        """White space around a token is dropped, and characters that no header has are refused."""
        self.assertEqual(parse(VAULT_TOKEN="hvs.x\n").token, Secret("hvs.x"))
        for wrong in ("marker\nX-Other: 1", "marker\x00", "marker-ä", "marker-\udcff"):
            self.assertIn("VAULT_TOKEN", self.problem({**TOKEN, "VAULT_TOKEN": wrong}))

    def test_skip_verify(self) -> None:
        """VAULT_SKIP_VERIFY has Go's spellings of true and false."""
        for text in ("1", "t", "T", "TRUE", "true", "True"):
            self.assertTrue(parse(VAULT_SKIP_VERIFY=text).skip_verify)
        for text in ("", "0", "f", "F", "FALSE", "false", "False"):
            self.assertFalse(parse(VAULT_SKIP_VERIFY=text).skip_verify)
        self.assertIn("VAULT_SKIP_VERIFY", self.problem({**TOKEN, "VAULT_SKIP_VERIFY": "yes"}))

    def test_optional_ones(self) -> None:
        """What is not set, or empty, is None."""
        for settings in (parse(), parse(VAULT_NAMESPACE="", VAULT_CACERT="")):
            self.assertEqual((settings.namespace, settings.cacert, settings.proxy), (None,) * 3)
        settings = parse(VAULT_NAMESPACE="team/a", VAULT_CACERT="/ca.pem")
        self.assertEqual((settings.namespace, settings.cacert), ("team/a", "/ca.pem"))

    def test_relative_path(self) -> None:
        """A relative path is resolved at once, as twistd changes directory later."""
        self.assertEqual(parse(VAULT_CACERT="ca.pem").cacert, os.path.abspath("ca.pem"))


class ProxyTests(SynchronousTestCase):
    """The proxy that `parse_settings` finds."""

    def proxy(self, **environ: str) -> str | None:
        """Its URL."""
        proxy = parse(**environ).proxy
        return None if proxy is None else proxy.reveal()

    def test_https(self) -> None:
        """HTTPS_PROXY is for https addresses alone: another way the proxy would see the token."""
        self.assertEqual(self.proxy(HTTPS_PROXY="http://proxy:3128"), "http://proxy:3128")
        self.assertEqual(self.proxy(https_proxy="proxy:3128"), "http://proxy:3128")
        self.assertIsNone(self.proxy(HTTP_PROXY="http://proxy:3128", ALL_PROXY="http://proxy"))
        plain = {"VAULT_ADDR": "http://vault", "HTTP_PROXY": "http://p", "HTTPS_PROXY": "http://p"}
        self.assertIsNone(self.proxy(**plain))

    def test_exceptions(self) -> None:
        """NO_PROXY, and this machine, are reached directly."""
        for exceptions in (
            "*",
            "vault.example",
            "example",
            ".example",
            "*.example",
            "a, vault.EXAMPLE ,b",
            "vault.example:8200",
        ):
            self.assertIsNone(self.proxy(HTTPS_PROXY="proxy", NO_PROXY=exceptions), exceptions)
        for exceptions in ("", ",", "ample", "vault.example:1", "x.vault.example", "10.0.0.0/8"):
            self.assertIsNotNone(self.proxy(HTTPS_PROXY="proxy", NO_PROXY=exceptions), exceptions)
        for host in ("localhost", "127.0.0.2", "[::1]"):
            self.assertIsNone(self.proxy(VAULT_ADDR=f"https://{host}", HTTPS_PROXY="proxy"))
        within = {"VAULT_ADDR": "https://10.1.2.3", "HTTPS_PROXY": "proxy"}
        self.assertIsNone(self.proxy(**within, NO_PROXY="10.0.0.0/8"))
        self.assertIsNotNone(self.proxy(**within, NO_PROXY="10.2.0.0/16,x/8"))

    def test_unusable(self) -> None:
        """A proxy of a kind that we cannot use is refused, and its password not shown."""
        for wrong in ("socks5://user:marker@proxy", "http://", "http://proxy:port"):
            error = self.assertRaises(ValueError, parse, HTTPS_PROXY=wrong)
            self.assertIn("HTTPS_PROXY", str(error))
            self.assertNotIn("marker", str(error))
