"""Tests of `restic_reporter.config.web_config_file`: the file of ``--web-config``."""

import os
from pathlib import Path
from typing import Any

import bcrypt
import yaml
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.config.web_config_file import WebConfigFile
from restic_reporter.model.errors import ConfigError
from restic_reporter.web.security.web_config import RateLimit, WebConfig, weakening
from tests.doubles.certificates import Authority, key_pem

HASH = bcrypt.hashpw(b"sesame", bcrypt.gensalt(4)).decode()
SECRET = "c2VzYW1lb3Blbm5vdw"


class WebConfigCase(SynchronousTestCase):
    """A folder with a certificate, its key and a CA."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.authority = Authority.make()
        self.write("server.pem", self.authority.issue("localhost"))
        self.write("ca.pem", self.authority.pem)
        self.file = WebConfigFile("web.yml", str(self.folder))

    def write(self, name: str, content: bytes | str, mode: int = 0o600) -> Path:
        """Make a file."""
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)
        return path

    def load(self, document: Any) -> WebConfig:
        """The config in a document, or in text."""
        self.write("web.yml", document if isinstance(document, str) else yaml.dump(document))
        return self.file.load()

    def problems(self, document: Any) -> list[str]:
        """All that is wrong with a document."""
        error = self.assertRaises(ConfigError, self.load, document)
        for problem in error.problems:
            self.assertTrue(problem.startswith("web.yml: "), problem)
            self.assertNotIn(SECRET, problem)
        return [problem.removeprefix("web.yml: ") for problem in error.problems]

    def tls(self, **more: Any) -> Any:
        """A document with a good certificate."""
        files = {"cert_file": "server.pem", "key_file": "server.pem"}
        return {"tls_server_config": {**files, **more}}

    def tls_problem(self, **more: Any) -> str:
        """The one thing that is wrong with a section for TLS."""
        (problem,) = self.problems(self.tls(**more))
        self.assertTrue(problem.startswith("tls_server_config: "), problem)
        return problem.removeprefix("tls_server_config: ")


class SectionsTests(WebConfigCase):
    """All but TLS."""

    def test_empty(self) -> None:
        """An empty file secures nothing, as with exporter-toolkit."""
        for text in ("", "# nothing\n", "{}", "tls_server_config:\nbasic_auth_users:\n"):
            self.assertEqual(self.load(text), WebConfig(), text)

    def test_all(self) -> None:
        """Every section finds its place."""
        config = self.load(
            {
                "http_server_config": {
                    "http2": False,
                    "headers": {
                        "X-Frame-Options": "deny",
                        "Content-Security-Policy": "default-src 'none'",
                        "X-XSS-Protection": "",
                    },
                },
                "basic_auth_users": {"prom": HASH, 1001: HASH},
                "rate_limit": {"interval": "1m30s", "burst": 3},
            }
        )
        self.assertIsNone(config.tls)
        self.assertEqual(config.users, {"prom": HASH.encode(), "1001": HASH.encode()})
        self.assertEqual(
            config.headers,
            {b"X-Frame-Options": b"deny", b"Content-Security-Policy": b"default-src 'none'"},
        )
        self.assertEqual(config.rate_limit, RateLimit(90.0, 3))
        self.assertNotIn(HASH[7:], repr(config))

    def test_unknown_keys(self) -> None:
        """An unknown key is refused at every level, with the nearest known one."""
        self.assertEqual(
            self.problems(
                {
                    "basic_auth_user": {},
                    "tls_server_config": {"cert_fil": "x"},
                    "http_server_config": {"http3": True, "headers": {"X-Frame-Option": "deny"}},
                    "rate_limit": {"interva": "1s"},
                }
            ),
            [
                "unknown key 'basic_auth_user'; did you mean 'basic_auth_users'?",
                "tls_server_config: unknown key 'cert_fil'; did you mean 'cert_file'?",
                "http_server_config: unknown key 'http3'; did you mean 'http2'?",
                "http_server_config: headers: unknown key 'X-Frame-Option';"
                " did you mean 'X-Frame-Options'?",
                "rate_limit: unknown key 'interva'; did you mean 'interval'?",
            ],
        )

    def test_not_maps(self) -> None:
        """A file or section that is no map is refused."""
        self.assertEqual(self.problems("[]"), ["must be a map of keys"])
        self.assertEqual(
            self.problems({"basic_auth_users": [HASH]}),
            ["basic_auth_users: must be a map of keys"],
        )
        (problem,) = self.problems("a: b: c")
        self.assertIn("line 1, column", problem)

    def test_users(self) -> None:
        """A user needs a bcrypt hash that can be checked in time; the message has no hash."""
        must = "must be a bcrypt hash, as htpasswd -nBC 10 '' prints it"
        for value in (
            "sesame",
            "",
            None,
            1,
            f"$1$10${SECRET}",
            HASH[:-1],
            HASH.replace("2b", "2z"),
        ):
            self.assertEqual(
                self.problems({"basic_auth_users": {"prom": value}}),
                [f"basic_auth_users: prom: {must}"],
            )
        for cost in ("03", "19", "31"):
            self.assertEqual(
                self.problems({"basic_auth_users": {"prom": HASH.replace("$04$", f"${cost}$")}}),
                ["basic_auth_users: prom: bcrypt cost must be 4 to 18; use 10"],
            )
        for kind in "axy":
            self.load({"basic_auth_users": {"prom": HASH.replace("$2b$", f"$2{kind}$")}})

    def test_headers(self) -> None:
        """Values of headers are those that exporter-toolkit allows, on one line."""
        for name, value, problem in (
            ("X-Frame-Options", "DENY", "unknown value 'DENY'; use deny or sameorigin"),
            ("X-Content-Type-Options", "", "unknown value ''; use nosniff"),
            ("Strict-Transport-Security", "a\r\nb", "must be one line of text"),
            ("X-XSS-Protection", 1, "must be one line of text"),
        ):
            self.assertEqual(
                self.problems({"http_server_config": {"headers": {name: value}}}),
                [f"http_server_config: headers: {name}: {problem}"],
            )

    def test_booleans(self) -> None:
        """YAML 1.1 has more words for true and false, and so has exporter-toolkit."""
        for word in ("yes", "On", "false", "n"):
            self.load(f"http_server_config: {{http2: {word}}}")
        self.assertEqual(
            self.problems("http_server_config: {http2: maybe}"),
            ["http_server_config: http2: must be true or false"],
        )

    def test_rate_limit(self) -> None:
        """An interval of 0 is no limit; other intervals are durations, and need a burst."""
        for interval in ("0", "'0'", "0s"):
            self.assertIsNone(self.load(f"rate_limit: {{interval: {interval}}}").rate_limit)
        self.assertEqual(
            self.load("rate_limit: {interval: .5ms, burst: 1}").rate_limit, RateLimit(0.0005, 1)
        )
        bad: tuple[Any, ...] = (1, "1", "1 s", "-1s", "s", "", True)
        for interval in bad:
            self.assertEqual(
                self.problems({"rate_limit": {"interval": interval, "burst": 1}}),
                [
                    "rate_limit: interval: must be a duration such as '1s' or '100ms',"
                    f" not {interval!r}"
                ],
            )
        self.assertEqual(
            self.problems({"rate_limit": {"interval": "1s"}}),
            ["rate_limit: burst: must be at least 1, to let requests in"],
        )
        self.assertEqual(
            self.problems({"rate_limit": {"interval": "1s", "burst": -1}})[0],
            "rate_limit: burst: must be a whole number, at least 0",
        )

    def test_unreadable(self) -> None:
        """A file that cannot be read is named."""
        self.assertEqual(
            self.assertRaises(ConfigError, self.file.load).problems,
            ("web.yml: cannot be read: No such file or directory",),
        )
        os.mkfifo(self.folder / "web.yml")
        self.assertIn("is a FIFO", str(self.assertRaises(ConfigError, self.file.load)))

    def test_readable_by_all(self) -> None:
        """Files with secrets that every user can read are worth a warning."""
        document = {**self.tls(), "basic_auth_users": {"prom": HASH}}
        self.assertEqual(self.load(document).warnings, ())
        for name in ("web.yml", "server.pem"):
            (self.folder / name).chmod(0o644)
        users, key = self.file.load().warnings
        self.assertRegex(users, r"^web\.yml: is readable by every user \(.*\) and has a secret")
        self.assertRegex(key, r"^web\.yml: key_file: 'server.pem' is readable by every user")


class TLSSectionTests(WebConfigCase):
    """The section for TLS."""

    def test_files(self) -> None:
        """Certificate and key are files, relative to the folder of the web config, or text."""
        self.assertIsInstance(self.load(self.tls()).tls, SSL.Context)
        pem = self.authority.issue().decode()
        config = self.load({"tls_server_config": {"cert": pem, "key": pem}})
        self.assertIsInstance(config.tls, SSL.Context)

    def test_off(self) -> None:
        """Keys that turn nothing on are no TLS."""
        self.assertIsNone(self.load("tls_server_config: {min_version: TLS13}").tls)

    def test_half(self) -> None:
        """A certificate needs its key, and a client CA both, and a policy."""
        for section, missing in (
            ({"cert_file": "server.pem"}, ["key"]),
            ({"key": "x"}, ["cert"]),
            ({"client_auth_type": "NoClientCert"}, ["cert", "key"]),
        ):
            self.assertEqual(
                self.problems({"tls_server_config": section}),
                [
                    f"tls_server_config: {key}_file: is missing; TLS needs it, or {key}"
                    for key in missing
                ],
            )
        self.assertEqual(
            self.tls_problem(client_ca_file="ca.pem"),
            "client_auth_type: must be set, as there is a client CA",
        )

    def test_unreadable(self) -> None:
        """A file that cannot be read is named as it is written."""
        self.assertEqual(
            self.tls_problem(cert_file="none.pem"),
            "cert_file: 'none.pem' cannot be read: No such file or directory",
        )

    def test_bad_pem(self) -> None:
        """Bad certificates and keys are named, without their content."""
        self.write("text", f"nothing {SECRET}")
        self.write("block", f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----\n")
        self.write("encrypted", key_pem(self.authority.key, b"sesame"))
        self.write("other", key_pem(self.authority.key))
        for key, name, problem in (
            ("cert_file", "text", "no valid certificate in this PEM"),
            ("cert_file", "other", "no valid certificate in this PEM"),
            ("key_file", "text", "no private key in this PEM"),
            ("key_file", "block", "invalid private key, or of an unknown type"),
            ("key_file", "encrypted", "private key is encrypted; decrypt it"),
            ("key_file", "other", "private key does not match the first certificate"),
        ):
            self.assertEqual(self.tls_problem(**{key: name}), f"{key}: {name!r}: {problem}")
        self.assertEqual(
            self.tls_problem(client_ca=SECRET, client_auth_type="RequireAndVerifyClientCert"),
            "client_ca: no valid certificate in this PEM",
        )

    def test_names(self) -> None:
        """Unknown versions, suites, curves and policies are refused, with the nearest one."""
        for key, value, problem in (
            ("min_version", "TLS1.2", "unknown value 'TLS1.2'; did you mean 'TLS12'?"),
            ("min_version", ["TLS12"], "unknown value ['TLS12']; did you mean 'TLS12'?"),
            (
                "cipher_suites",
                ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA"],
                "unknown value 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA';"
                " did you mean 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256'?",
            ),
            ("curve_preferences", ["P256"], "unknown value 'P256'; did you mean 'CurveP256'?"),
            ("curve_preferences", "CurveP256", "must be a list"),
            (
                "client_auth_type",
                "RequireAndVerify",
                "unknown value 'RequireAndVerify'; did you mean 'RequireAndVerifyClientCert'?",
            ),
            ("client_allowed_sans", [1], "must be a string"),
            ("cert_file", 1, "must be a string"),
        ):
            problems = self.problems(self.tls(**{key: value}))
            self.assertEqual(problems[0], f"tls_server_config: {key}: {problem}")

    def test_versions(self) -> None:
        """Versions must leave one, and cipher suites too."""
        self.assertEqual(
            self.tls_problem(min_version="TLS13", max_version="TLS12"),
            "min_version: must not be above max_version 'TLS12'",
        )
        self.assertEqual(
            self.tls_problem(max_version="TLS12", cipher_suites=["TLS_AES_128_GCM_SHA256"]),
            "cipher_suites: has none for TLS12",
        )


class ChangedTests(WebConfigCase):
    """`WebConfigFile.changed`."""

    def changed(self) -> WebConfig | ConfigError | None:
        """What the second look finds; the first one waits for the end of the change."""
        self.assertIsNone(self.file.changed())
        return self.file.changed()

    def test_unchanged(self) -> None:
        """As long as nothing changes nothing is read."""
        self.load(self.tls())
        for _ in range(3):
            self.assertIsNone(self.file.changed())

    def test_file(self) -> None:
        """A changed file is read once, when it changes no more."""
        self.load("")
        self.write("web.yml", "rate_limit: {interval: 1s, burst: 2}")
        self.assertIsNone(self.file.changed())
        self.write("web.yml", "rate_limit: {interval: 1s, burst: 33}")
        config = self.changed()
        assert isinstance(config, WebConfig)
        self.assertEqual(config.rate_limit, RateLimit(1.0, 33))
        self.assertIsNone(self.file.changed())

    def test_named_files(self) -> None:
        """A renewed certificate is a change, by writing or by renaming."""
        self.load(self.tls(client_ca_file="ca.pem", client_auth_type="RequestClientCert"))
        for name, content in (
            ("server.pem", self.authority.issue()),
            ("ca.pem", self.authority.pem),
        ):
            self.write("new", content).rename(self.folder / name)
            self.assertIsInstance(self.changed(), WebConfig, name)

    def test_bad(self) -> None:
        """A bad change is an error, once; mending any of the files is a change again."""
        self.load(self.tls())
        (self.folder / "server.pem").unlink()
        error = self.changed()
        assert isinstance(error, ConfigError)
        self.assertIn("'server.pem' cannot be read", str(error))
        self.assertIsNone(self.file.changed())
        self.write("server.pem", self.authority.issue())
        self.assertIsInstance(self.changed(), WebConfig)


class WeakeningTests(WebConfigCase):
    """`weakening`."""

    def test_weakening(self) -> None:
        """What would open the server, or needs another kind of port, waits for a restart."""
        open_, tls = self.load(""), self.load(self.tls())
        users = self.load({"basic_auth_users": {"a": HASH}})
        others = self.load({"basic_auth_users": {"b": HASH}})
        for running, new, problem in (
            (open_, open_, None),
            (open_, users, None),
            (users, others, None),
            (tls, tls, None),
            (tls, open_, "tls_server_config: restart to turn TLS off"),
            (open_, tls, "tls_server_config: restart to turn TLS on"),
            (users, open_, "basic_auth_users: restart to serve without a password"),
        ):
            self.assertEqual(weakening(running, new), problem)
