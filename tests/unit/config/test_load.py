"""Tests of `restic_reporter.config.load`: what a good config becomes."""

import json
import os

from restic_reporter.backends.rest_settings import RestCredentials, RestSettings
from restic_reporter.config import load as load_module
from restic_reporter.config import load_config
from restic_reporter.config.keys import checks
from restic_reporter.config.sources import password_text
from restic_reporter.model.errors import ConfigError
from restic_reporter.model.repository import Config, PasswordCommand, Repository
from restic_reporter.redaction.secret import Secret
from tests.doubles.certificates import Authority
from tests.doubles.config_case import GOOD, MARKER, ConfigCase


class EntryTests(ConfigCase):
    """A good entry."""

    def test_least(self) -> None:
        """An entry needs no more than a repository and a password."""
        self.assertEqual(
            self.one(),
            Repository(1, "/p", "local", Secret("local:/p"), Secret("x")),
        )

    def test_all_keys(self) -> None:
        """Every other key finds its place."""
        one = self.one(key_hint="abc", reader="auto", timeout=2.5, cron="0 3 * * *", env={"A": "b"})
        self.assertEqual((one.key_hint, one.reader, one.timeout), ("abc", "auto", 2.5))
        self.assertEqual(dict(one.env), {"A": Secret("b")})
        assert one.cron is not None
        self.assertEqual(one.cron.text, "0 3 * * *")

    def test_options(self) -> None:
        """Options are taken as the texts that restic would read, and make another entry."""
        options = {"s3.list-objects-v1": True, "s3.connections": 5, "sftp.args": " -i x "}
        one = self.one(options=options)
        expected = {"s3.list-objects-v1": "true", "s3.connections": "5", "sftp.args": "-i x"}
        self.assertEqual(one.options, expected)
        self.assertEqual(self.one().options, {})
        self.assertNotEqual(one, self.one())

    def test_every_key_is_known(self) -> None:
        """The keys are those of the documentation, no more and no fewer."""
        self.assertEqual(
            sorted(checks(["vault"], self.context().owners)),
            [
                "b2_account_id", "b2_api_url", "b2_key", "b2_vault_material", "cacert", "check",
                "copies", "cron", "disabled", "env", "expect", "grace", "group_by", "key_hint",
                "max_age", "options", "password", "password_command", "password_file", "ping_url",
                "reader", "repo", "rest_password", "rest_username", "rest_vault_material",
                "retired", "s3_access_key_id", "s3_secret_access_key", "s3_session_token",
                "s3_vault_material", "schedule", "size_cron", "timeout", "tls_client_cert",
                "vault_material",
            ],
        )  # fmt: skip

    def test_label_masks_the_password(self) -> None:
        """The label is the repository as it is written, but for the password."""
        for repo, label in (
            ("rest:http://user:pass@host/", "rest:http://user:***@host/"),
            ("rest:http://user:p@ss:w@host:80/a@b", "rest:http://user:***@host:80/a@b"),
            ("rest:http://me@x.org:pass@host/", "rest:http://me@x.org:***@host/"),
            ("rest:http://user:@host/", "rest:http://user:***@host/"),
            ("rest:http://user@host:80", "rest:http://user@host:80"),
            ("swift://user:p@:ss@host//srv", "swift://user:***@host//srv"),
            ("s3:https://host/bucket", "s3:https://host/bucket"),
        ):
            one = self.one(repo=repo)
            self.assertEqual(one.url, label)
            self.assertEqual(one.location, Secret(repo))

    def test_url_credentials(self) -> None:
        """Credentials in the URL are the REST server's, decoded."""
        one = self.one(repo="rest:http://us%20er:p%2Fw@h/")
        assert isinstance(one.settings, RestSettings)
        self.assertEqual(one.settings.credentials, RestCredentials("us er", Secret("p/w")))

    def test_rest_keys(self) -> None:
        """User name and password keys are put into the URL, encoded, and not into the label."""
        one = self.one(repo="rest:https://h/a", rest_username="m@x", rest_password="p:/@%ü")
        assert isinstance(one.settings, RestSettings)
        self.assertEqual(one.location, Secret("rest:https://m%40x:p%3A%2F%40%25%C3%BC@h/a"))
        self.assertEqual(one.settings.credentials, RestCredentials("m@x", Secret("p:/@%ü")))
        self.assertEqual(one.url, "rest:https://h/a")

    def test_unix_socket(self) -> None:
        """A server at a Unix socket is reached through it."""
        one = self.one(repo="rest:http+unix:///run/rest.sock:/a")
        self.assertEqual(one.transport.unix_socket, "/run/rest.sock")

    def test_plugin_scheme(self) -> None:
        """A plugin's scheme is taken."""
        (one,) = self.build([{**GOOD, "repo": "mine:x"}], ("mine",)).repositories
        self.assertEqual(one.scheme, "mine")

    def test_moving_is_no_change(self) -> None:
        """An entry that only moved in the file is the same repository."""
        before = self.build([GOOD, {**GOOD, "repo": "/q"}]).repositories
        after = self.build([{**GOOD, "repo": "/q"}, GOOD]).repositories
        self.assertEqual(before, after[::-1])
        self.assertEqual([one.position for one in after], [1, 2])

    def test_certificates(self) -> None:
        """Certificate files are read and checked at load, and their paths made absolute."""
        authority = Authority.make()
        client = authority.issue()
        self.write("ca.pem", authority.pem)
        self.write("client.pem", client)
        one = self.one(repo="rest:https://h/", cacert="ca.pem", tls_client_cert="client.pem")
        self.assertEqual(one.transport.ca_certificates, authority.pem)
        self.assertEqual(one.transport.client_certificate, client)
        self.assertEqual(one.ca_certificate_path, str(self.directory / "ca.pem"))
        self.assertEqual(one.client_certificate_path, str(self.directory / "client.pem"))

    def test_secrets_do_not_show(self) -> None:
        """The repr of a config shows no secret."""
        shown = repr(
            self.build(
                [
                    {"repo": f"rest:http://u:{MARKER}@h/", "password": MARKER},
                    {"repo": "/a", "password_command": f"echo {MARKER}", "env": {"A": MARKER}},
                ]
            )
        )
        self.assertNotIn(MARKER, shown)


class PasswordTests(ConfigCase):
    """Where the repository's password comes from."""

    def test_empty(self) -> None:
        """An empty password is taken where it is written as such."""
        self.assertEqual(self.one(password="").password, Secret(""))

    def test_none(self) -> None:
        """An entry without any source names those that there are."""
        problem = self.problem({"repo": "/p"})
        self.assertIn("password is missing", problem)
        self.assertIn("password_file, password_command", problem)

    def test_two(self) -> None:
        """Two sources are one too many, and both are named."""
        problem = self.problem({**GOOD, "password_command": "pass x"})
        self.assertEqual(problem, "password and password_command: only one of them may be given")

    def test_wrong_type_is_one_problem(self) -> None:
        """A source of the wrong type is not reported as missing too."""
        self.assertEqual(
            self.problem({"repo": "/p", "password": 5}),
            "password: must be a string: put it in quotes",
        )

    def test_file(self) -> None:
        """A password file is read relative to the config's folder."""
        self.write("password", "se cret\n")
        (one,) = self.build([{"repo": "/p", "password_file": "password"}]).repositories
        self.assertEqual(one.password, Secret("se cret"))

    def test_file_missing(self) -> None:
        """A password file that is not there, or is a folder, is named."""
        self.assertEqual(
            self.problem({"repo": "/p", "password_file": "none"}),
            "password_file: cannot read 'none': No such file or directory",
        )
        self.assertIn("Is a directory", self.problem({"repo": "/p", "password_file": "."}))

    def test_file_empty(self) -> None:
        """An empty password file is an error that says how to mean it."""
        self.write("password", " \n")
        self.assertIn(
            "is empty; an empty password must be written",
            self.problem({"repo": "/p", "password_file": "password"}),
        )

    def test_file_too_large(self) -> None:
        """A password file that is much too large is not read to its end."""
        with open(self.directory / "large", "wb") as file:
            file.truncate(2**40)
        self.assertIn("has more than", self.problem({"repo": "/p", "password_file": "large"}))

    def test_file_to_wait_for(self) -> None:
        """Only a regular file is read: nobody waits for who may write into a FIFO."""
        os.mkfifo(self.directory / "fifo")
        for key in ("password_file", "cacert", "tls_client_cert"):
            for path, kind in (("fifo", "a FIFO"), ("/dev/zero", "a device"), ("/dev/tty", "")):
                entry = {"repo": "/p", key: path}
                if key != "password_file":
                    entry["password"] = "x"
                problem = self.problem(entry)
                self.assertIn(f"{key}: ", problem)
                self.assertIn(kind, problem)

    def test_passed_on(self) -> None:
        """A pipe that was passed on as a descriptor is read to its end."""
        end, pipe = os.pipe()
        self.addCleanup(os.close, end)
        os.write(pipe, b"from a pipe")
        os.close(pipe)
        self.write("c.json", json.dumps([{"repo": "/p", "password_file": f"/dev/fd/{end}"}]))
        [repository] = load_config("c.json", self.context()).repositories
        self.assertEqual(repository.password, Secret("from a pipe"))

    def test_text(self) -> None:
        """White space around is dropped and byte order marks understood, as restic does it."""
        for content, text in (
            (b" a b \r\n", "a b"),
            ("\u2003\xa0ü\x85".encode(), "ü"),
            (b"\x1cx\x1f", "\x1cx\x1f"),
            (b"\xef\xbb\xbfx\n", "x"),
            ("x\n".encode("utf-16"), "x"),
            (b"\xfe\xff\x00x", "x"),
        ):
            self.assertEqual(password_text(content), text)

    def test_no_text(self) -> None:
        """What is no text is refused without showing it."""
        for content in (b"secret\xff", b"\xff\xfex"):
            error = self.assertRaises(ValueError, password_text, content)
            self.assertEqual(str(error), "is not UTF-8 text")

    def test_command(self) -> None:
        """A command is split into words like a shell does it, and not run at load."""
        entry = {"repo": "/p", "password_command": """pass show 'a b' "c d" e\\ f"""}
        (one,) = self.build([entry]).repositories
        self.assertEqual(one.password, PasswordCommand(("pass", "show", "a b", "c d", "e f")))

    def test_bad_command(self) -> None:
        """A command with an open quote, or without a program, is refused without showing it."""
        problem = self.problem({"repo": "/p", "password_command": f"echo '{MARKER}"})
        self.assertIn("password_command: cannot be split into words", problem)
        self.assertNotIn(MARKER, problem)
        self.assertIn("names no program", self.problem({"repo": "/p", "password_command": " "}))


class FileTests(ConfigCase):
    """The config file itself."""

    def load(self, name: str) -> Config:
        """The config in a file of the folder."""
        return load_config(name, self.context())

    def test_json_and_yaml(self) -> None:
        """JSON and YAML say the same."""
        self.write("c.json", json.dumps([GOOD]))
        self.write("c.yaml", "- repo: /p\n  password: x\n")
        self.assertEqual(self.load("c.json").repositories, self.load("c.yaml").repositories)

    def test_unreadable(self) -> None:
        """A file that is not there, is a folder, or has no possible name is named."""
        os.mkdir(self.directory / "folder")
        for name in ("none.json", "folder", "a\0b"):
            error = self.assertRaises(ConfigError, self.load, name)
            self.assertTrue(str(error).startswith(f"{name}: "))

    def test_too_large(self) -> None:
        """A file that is too large is not read to its end; nor is what has no end."""
        self.patch(load_module, "_MAX_CONFIG", 1000)
        self.write("c.json", " " * 1001)
        self.assertIn("has more than", str(self.assertRaises(ConfigError, self.load, "c.json")))
        self.assertIn("regular file", str(self.assertRaises(ConfigError, self.load, "/dev/zero")))

    def test_many_problems(self) -> None:
        """The first fifty problems are told, and how many more there are."""
        self.write("c.json", json.dumps([{}] * 10_000))
        problems = self.assertRaises(ConfigError, self.load, "c.json").problems
        self.assertEqual(problems[0], "c.json: entry 1: the key 'repo' is missing")
        self.assertEqual(problems[50:], ("c.json: … and 9,950 more problems",))

    def test_yaml_number(self) -> None:
        """A password that YAML takes for a number gets the advice to quote it."""
        self.write("c.yaml", "- repo: /p\n  password: 20260102\n")
        error = self.assertRaises(ConfigError, self.load, "c.yaml")
        self.assertEqual(
            str(error), "c.yaml: entry 1: password: must be a string: put it in quotes"
        )
