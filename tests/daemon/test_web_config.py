"""The whole daemon with ``--web-config`` and ``--enable-lifecycle``."""

import base64
import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import bcrypt
import yaml
from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.certificates import Authority
from tests.doubles.daemons import Daemon, Metrics
from tests.doubles.programs import PATIENCE, Folder, wait_until
from tests.doubles.prometheus import Prometheus
from tests.doubles.servers import EXAMPLE_PASSWORD, copy_example


def bcrypt_hash(password: str) -> str:
    """A hash that is quick to check."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


class WebConfigTestCase(SynchronousTestCase):
    """A folder with a repository and a certificate."""

    def setUp(self) -> None:
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        copy_example(self.folder.path / "repo")
        self.entry = {"repo": "repo", "password": EXAMPLE_PASSWORD, "reader": "native"}
        self.authority = Authority.make()
        self.folder.write("ca.pem", self.authority.pem.decode())
        self.folder.write("server.pem", self.authority.issue().decode(), 0o600)
        self.document: dict[str, Any] = {
            "tls_server_config": {"cert_file": "server.pem", "key_file": "server.pem"},
            "basic_auth_users": {"prom": bcrypt_hash("sesame")},
        }

    def configure(self, document: Any) -> Path:
        """Write the web config."""
        return self.folder.write("web.yml", yaml.dump(document), 0o600)

    def start(self, *options: str) -> Daemon:
        """A daemon with the web config that serves."""
        self.configure(self.document)
        daemon = Daemon(self.folder, [self.entry], "--web-config=web.yml", *options)
        self.daemon = daemon.serving()
        return self.daemon

    def ask(
        self, path: str, password: str = "sesame", method: str = "GET", **headers: str
    ) -> tuple[int, str]:
        """Status and body of a response over TLS."""
        trust = ssl.create_default_context(cafile=str(self.folder.path / "ca.pem"))
        credentials = base64.b64encode(f"prom:{password}".encode()).decode()
        request = urllib.request.Request(
            f"https://{self.daemon.address}{path}",
            method=method,
            headers={"Authorization": f"Basic {credentials}", **headers},
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE, context=trust) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def subject(self) -> str:
        """The name in the certificate that a new connection is given."""
        host, port = self.daemon.address.split(":")
        pem = ssl.get_server_certificate((host, int(port)), timeout=PATIENCE)
        names = x509.load_pem_x509_certificate(pem.encode()).subject
        return str(next(iter(names)).value)


class SecuredTests(WebConfigTestCase):
    """TLS and a password."""

    def test_prometheus(self) -> None:
        """A real Prometheus scrapes over TLS, with password and client certificate."""
        self.folder.write("client.pem", self.authority.issue("prometheus").decode())
        self.document["tls_server_config"].update(
            client_ca_file="ca.pem",
            client_auth_type="RequireAndVerifyClientCert",
            client_allowed_sans=["prometheus"],
        )
        daemon = self.start()
        prometheus = Prometheus(
            self.folder,
            daemon.address,
            more="  scheme: https\n"
            "  tls_config: {ca_file: ca.pem, cert_file: client.pem, key_file: client.pem}\n"
            "  basic_auth: {username: prom, password: sesame}\n",
        )
        wait_until(lambda: prometheus.query("up") == {(): 1.0})
        self.assertEqual(prometheus.query("backup_snapshot_count"), {(("url", "repo"),): 62.0})

    def test_password(self) -> None:
        """Every path needs the password; the log and the pages have none of it."""
        daemon = self.start()
        self.assertEqual(self.ask("/-/healthy"), (200, "OK\n"))
        for path in ("/-/healthy", "/metrics", "/none"):
            self.assertEqual(self.ask(path, "wrong")[0], 401)
        self.assertRegex(daemon.program.output, "listening on .* with TLS")
        for secret in ("sesame", "wrong", self.document["basic_auth_users"]["prom"]):
            self.assertNotIn(secret, daemon.program.output)

    def test_changes(self) -> None:
        """A renewed certificate and a new password are used without a restart; a bad change is
        logged once, and the last good config stays."""
        daemon = self.start()
        self.assertEqual(self.subject(), "127.0.0.1")
        new = self.folder.write("new.pem", self.authority.issue("renewed.example").decode(), 0o600)
        new.rename(self.folder.path / "server.pem")
        daemon.program.wait_for("web config reloaded: web.yml")
        self.assertEqual(self.subject(), "renewed.example")
        self.folder.write("server.pem", self.authority.issue().decode(), 0o600)
        self.document["basic_auth_users"]["prom"] = bcrypt_hash("new")
        self.configure(self.document)
        daemon.program.wait_for("web config reloaded: web.yml")
        self.assertEqual(self.ask("/-/ready")[0], 401)
        self.assertEqual(self.ask("/-/ready", "new")[0], 200)
        self.configure({**self.document, "basic_auth_user": {}})
        daemon.program.wait_for("web config not reloaded, keeping the running one: web.yml: unkn")
        self.assertEqual(self.ask("/-/ready", "new")[0], 200)
        self.configure({})
        daemon.program.wait_for("tls_server_config: restart to turn TLS off")
        self.assertEqual(self.ask("/-/ready", "new")[0], 200)

    def test_stop(self) -> None:
        """A stop with open connections is as quick as without TLS, and clean."""
        daemon = self.start()
        self.assertEqual(self.ask("/metrics")[0], 200)
        self.assertEqual(daemon.stop(), -2)
        self.assertNotIn("Traceback", daemon.program.output)

    def test_bad_at_start(self) -> None:
        """A bad file ends the start with status 1 and a message."""
        for document, problem in (
            ({"tls_server_conf": {}}, "unknown key 'tls_server_conf'; did you mean"),
            (
                {"tls_server_config": {"cert_file": "none.pem", "key_file": "server.pem"}},
                "tls_server_config: cert_file: 'none.pem' cannot be read: No such file",
            ),
        ):
            self.configure(document)
            daemon = Daemon(self.folder, [self.entry], "--web-config=web.yml")
            self.assertEqual(daemon.program.end(), 1)
            (line,) = daemon.program.lines
            self.assertTrue(
                line.startswith(f"restic-reporter: --web-config: web.yml: {problem}"), line
            )


class LifecycleTests(WebConfigTestCase):
    """``--enable-lifecycle``."""

    def test_disabled(self) -> None:
        """Without the option orders are refused."""
        self.start()
        for path in ("/-/reload", "/-/collect"):
            self.assertEqual(self.ask(path, method="POST")[0], 403)

    def test_orders(self) -> None:
        """A backup job reloads and collects, all or one, and sees how it went."""
        daemon = self.start("--enable-lifecycle")
        copy_example(self.folder.path / "other")
        daemon.configure([self.entry, {**self.entry, "repo": "other"}])
        self.assertEqual(self.ask("/-/reload", method="POST"), (200, "OK\n"))
        self.assertEqual(self.ask("/-/collect?url=other", method="POST")[0], 202)
        daemon.program.wait_for("collecting other now")
        daemon.program.wait_for("collected 1 repository")
        metrics = Metrics(self.ask("/metrics")[1])
        self.assertEqual(
            set(metrics.series("backup_snapshot_count")), {(("url", "other"),), (("url", "repo"),)}
        )
        self.assertEqual(self.ask("/-/collect", method="POST")[0], 202)
        daemon.program.wait_for("collected 2 repositories")
        self.assertEqual(self.ask("/-/collect?url=none", method="POST")[0], 404)
        self.assertEqual(self.ask("/-/collect", method="POST", Origin="http://evil")[0], 403)

    def test_bad_reload(self) -> None:
        """A reload that fails answers with the message, without secrets; the config stays."""
        daemon = self.start("--enable-lifecycle")
        secret = "hunter2marker"
        daemon.configure(json.dumps([{"repo": "repo", "password": secret, "pasword": secret}]))
        status, body = self.ask("/-/reload", method="POST")
        self.assertEqual(status, 500)
        self.assertEqual(
            body,
            "config not reloaded, keeping the running one: config.json: entry 1:"
            " unknown key 'pasword'; did you mean 'password'?\n",
        )
        self.assertNotIn(secret, daemon.program.output)
        self.assertEqual(
            Metrics(self.ask("/metrics")[1]).value("backup_config_last_reload_successful"), 0
        )
