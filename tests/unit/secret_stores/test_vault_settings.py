"""Tests of `restic_reporter.secret_stores.vault.settings`."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.model.repository import Transport
from restic_reporter.redaction.secret import Secret
from restic_reporter.secret_stores.vault.settings import VaultSettings, parse_settings
from tests.doubles.certificates import Authority

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
        self.assertIn(
            "without credentials; set VAULT_TOKEN, or VAULT_ROLE_ID", self.problem(address)
        )
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
        )
        self.assertNotIn("marker", f"{settings!r}{settings}")
        revealed = {secret.reveal() for secret in settings.secrets()}
        self.assertEqual({"hvs.marker-token", "marker-secret"}, revealed)

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
            self.assertFalse(parse(VAULT_SKIP_VERIFY=text).transport.verify)
        for text in ("", "0", "f", "F", "FALSE", "false", "False"):
            self.assertTrue(parse(VAULT_SKIP_VERIFY=text).transport.verify)
        self.assertIn("VAULT_SKIP_VERIFY", self.problem({**TOKEN, "VAULT_SKIP_VERIFY": "yes"}))

    def test_optional_ones(self) -> None:
        """What is not set, or empty, is None."""
        for settings in (parse(), parse(VAULT_NAMESPACE="", VAULT_CACERT="")):
            self.assertEqual((settings.namespace, settings.transport), (None, Transport()))
        self.assertEqual(parse(VAULT_NAMESPACE="team/a").namespace, "team/a")

    def test_certificates(self) -> None:
        """VAULT_CACERT is read at once; a file that cannot be used is named, and why."""
        path = Path(self.mktemp())
        self.assertIn(
            f"VAULT_CACERT: cannot read '{path}': No such file",
            self.problem({**TOKEN, "VAULT_CACERT": str(path)}),
        )
        path.write_bytes(b"no certificate")
        self.assertIn(
            f"VAULT_CACERT: no valid certificate in '{path}'",
            self.problem({**TOKEN, "VAULT_CACERT": str(path)}),
        )
        pem = Authority.make().pem
        path.write_bytes(pem)
        settings = parse(VAULT_CACERT=str(path))
        self.assertEqual(settings.transport, Transport(ca_certificates=pem))
