"""Tests of `restic_reporter.config.web_config_file`: the file of ``--web-config``."""

import os
from typing import Any

from restic_reporter.model.errors import ConfigError
from restic_reporter.web.security.web_config import RateLimit, WebConfig, weakening
from tests.doubles.web_config_case import HASH, SECRET, WebConfigCase


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
