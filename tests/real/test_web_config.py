"""Prometheus's own judgement of a file for ``--web-config``, next to ours."""

import subprocess
from typing import Any

import bcrypt
import yaml
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.config.web_config_file import WebConfigFile
from restic_reporter.model.errors import ConfigError
from restic_reporter.web.security.tls import CIPHERS, CLIENT_AUTH, CURVES, TLS13_CIPHERS, VERSIONS
from tests.doubles.certificates import Authority, key_pem
from tests.doubles.programs import PATIENCE, Folder
from tests.doubles.tls_site_case import CAN_SET_CURVES
from tests.doubles.tools import tool

HASH = bcrypt.hashpw(b"sesame", bcrypt.gensalt(4)).decode()
CERTIFICATE = {"cert_file": "server.pem", "key_file": "server.pem"}


class PromtoolTests(SynchronousTestCase):
    """``promtool check web-config``, which does not know ``rate_limit`` yet."""

    def setUp(self) -> None:
        """A folder with a certificate."""
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        authority = Authority.make()
        self.folder.write("server.pem", authority.issue().decode())
        self.folder.write("ca.pem", authority.pem.decode())
        self.folder.write("other.pem", key_pem(authority.key).decode())

    def verdicts(self, document: Any) -> tuple[bool, bool]:
        """Whether promtool takes a document, and whether we do."""
        text = document if isinstance(document, str) else yaml.dump(document)
        path = self.folder.write("web.yml", text)
        done = subprocess.run(
            [tool("promtool"), "check", "web-config", str(path)],
            capture_output=True,
            timeout=PATIENCE,
        )
        try:
            WebConfigFile("web.yml", str(self.folder.path)).load()
        except ConfigError:
            return done.returncode == 0, False
        return done.returncode == 0, True

    def tls(self, **more: Any) -> Any:
        """A document with a certificate."""
        return {"tls_server_config": {**CERTIFICATE, **more}}

    def test_good(self) -> None:
        """Both take these."""
        documents: tuple[Any, ...] = (
            "",
            "{}",
            self.tls(),
            *(self.tls(client_auth_type=one) for one in CLIENT_AUTH),
            *(self.tls(min_version=one) for one in VERSIONS),
            self.tls(max_version="TLS12"),
            self.tls(cipher_suites=[*CIPHERS, *TLS13_CIPHERS]),
            self.tls(prefer_server_cipher_suites=False),
            *([self.tls(curve_preferences=list(CURVES))] if CAN_SET_CURVES else []),
            self.tls(client_ca_file="ca.pem", client_auth_type="RequireAndVerifyClientCert"),
            self.tls(client_allowed_sans=["a"], client_auth_type="RequireAnyClientCert"),
            {"http_server_config": {"http2": False, "headers": {"X-Frame-Options": "deny"}}},
            "http_server_config: {http2: yes, headers: {X-XSS-Protection: ''}}",
            {"basic_auth_users": {"a": HASH, 1: HASH.replace("$2b$", "$2y$")}},
            "tls_server_config:\nbasic_auth_users:\n",
        )
        for document in documents:
            self.assertEqual(self.verdicts(document), (True, True), document)

    def test_bad(self) -> None:
        """Both refuse these."""
        documents: tuple[Any, ...] = (
            "[]",
            "a: b: c",
            {"basic_auth_user": {}},
            {"tls_server_config": {"cert_file": "server.pem"}},
            {"tls_server_config": {"key_file": "server.pem"}},
            {"tls_server_config": {"client_auth_type": "NoClientCert"}},
            self.tls(cert_file="none.pem"),
            self.tls(key_file="other.pem"),
            self.tls(client_ca_file="ca.pem"),
            self.tls(client_auth_type="Some"),
            self.tls(min_version="TLS1.2"),
            self.tls(cipher_suites=["RSA"]),
            self.tls(curve_preferences=["P256"]),
            self.tls(cert_fil="x"),
            {"http_server_config": {"headers": {"Server": "x"}}},
            {"http_server_config": {"headers": {"X-Frame-Options": ""}}},
            {"http_server_config": {"http2": "maybe"}},
            {"basic_auth_users": {"a": "sesame"}},
            {"basic_auth_users": {"a": None}},
        )
        for document in documents:
            self.assertEqual(self.verdicts(document), (False, False), document)
