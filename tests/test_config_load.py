"""Tests of `restic_reporter.config.load`: what an entry becomes, and what is wrong with it."""

import json
import os
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.config import Config, ConfigError, PasswordCommand, Repository, load_config
from restic_reporter.config import load as load_module
from restic_reporter.config.keys import CHECKS, LATER
from restic_reporter.config.load import build_config, password_text
from restic_reporter.secret import Secret

from .certificates import Authority

GOOD = {"repo": "/p", "password": "x"}
MARKER = "hunter2marker"


class ConfigCase(SynchronousTestCase):
    """Helpers for configs in a folder of their own."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()

    def write(self, name: str, content: bytes | str) -> None:
        """Write a file into the folder."""
        raw = content if isinstance(content, bytes) else content.encode()
        (self.directory / name).write_bytes(raw)

    def build(self, document: Any, schemes: tuple[str, ...] = ()) -> Config:
        """The config in a document."""
        return build_config(document, "c.json", str(self.directory), schemes)

    def one(self, **entry: Any) -> Repository:
        """The repository of one good entry."""
        (repository,) = self.build([{**GOOD, **entry}]).repositories
        return repository

    def problems(self, document: Any) -> list[str]:
        """All that is wrong with a document."""
        return list(self.assertRaises(ConfigError, self.build, document).problems)

    def problem(self, entry: Any) -> str:
        """The one thing that is wrong with an entry."""
        (problem,) = self.problems([entry])
        self.assertTrue(problem.startswith("c.json: entry 1: "), problem)
        return problem.removeprefix("c.json: entry 1: ")


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

    def test_every_key_is_known(self) -> None:
        """The keys are those of the documentation, no more and no fewer."""
        self.assertEqual(
            set(CHECKS),
            set(
                "disabled repo password password_file password_command vault_material"
                " b2_account_id b2_key b2_vault_material rest_vault_material b2_api_url"
                " rest_username rest_password cacert key_hint tls_client_cert env reader timeout"
                " cron max_age expect retired".split()
            ),
        )

    def test_label_masks_the_password(self) -> None:
        """The label is the repository as it is written, but for the password."""
        for repo, label in (
            ("rest:http://user:pass@host/", "rest:http://user:***@host/"),
            ("rest:http://user:p@ss:w@host:80/a@b", "rest:http://user:***@host:80/a@b"),
            ("rest:http://me@x.org:pass@host/", "rest:http://me@x.org:***@host/"),
            ("rest:http://user:@host/", "rest:http://user:***@host/"),
            ("rest:http://user@host:80", "rest:http://user@host:80"),
            ("sftp://user:p@:ss@host//srv", "sftp://user:***@host//srv"),
            ("s3:https://host/bucket", "s3:https://host/bucket"),
        ):
            one = self.one(repo=repo)
            self.assertEqual(one.url, label)
            self.assertEqual(one.location, Secret(repo))

    def test_url_credentials(self) -> None:
        """Credentials in the URL are the REST server's, decoded."""
        one = self.one(repo="rest:http://us%20er:p%2Fw@h/")
        assert one.credentials is not None
        self.assertEqual(one.credentials.username, "us er")
        self.assertEqual(one.credentials.password, Secret("p/w"))

    def test_rest_keys(self) -> None:
        """User name and password keys are put into the URL, encoded, and not into the label."""
        one = self.one(repo="rest:https://h/a", rest_username="m@x", rest_password="p:/@%ü")
        assert one.credentials is not None
        self.assertEqual(one.location, Secret("rest:https://m%40x:p%3A%2F%40%25%C3%BC@h/a"))
        self.assertEqual(one.credentials.password, Secret("p:/@%ü"))
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
        """A password file without end is not read to its end."""
        self.assertIn(
            "has more than", self.problem({"repo": "/p", "password_file": "/dev/zero"})
        )

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


class ProblemTests(ConfigCase):
    """What is refused, and how that is said."""

    def test_types(self) -> None:
        """A value of the wrong type is named by its key, with what it must be."""
        for key, value, expected in (
            ("disabled", "true", "must be true or false, not a string"),
            ("disabled", 1, "must be true or false, not a number"),
            ("repo", 5, "must be a string: put it in quotes"),
            ("repo", None, "must be a string, not null"),
            ("repo", "", "must not be empty"),
            ("password", ["x"], "must be a string, not a list"),
            ("password", True, "must be a string, not true or false"),
            ("password", "\ud800", "must not contain half a surrogate pair"),
            ("password_file", "", "must not be empty"),
            ("password_command", "a\0", "must not contain a NUL"),
            ("rest_username", "", "must not be empty"),
            ("rest_password", {}, "must be a string, not a map"),
            ("cacert", 1.5, "must be a string: put it in quotes"),
            ("tls_client_cert", [], "must be a string, not a list"),
            ("key_hint", 12345678, "must be a string: put it in quotes"),
            ("env", [], "must be a map of strings, not a list"),
            ("env", {"A": 1}, "A: must be a string: put it in quotes"),
            ("env", {"A": "\0"}, "A: must not contain a NUL"),
            ("env", {"A=": "x"}, "'A=' cannot be the name of an environment variable"),
            ("env", {"": "x"}, "'' cannot be the name of an environment variable"),
            ("env", {5: "x"}, "5 cannot be the name of an environment variable"),
            ("env", {"RESTIC_REPOSITORY": "x"}, "RESTIC_REPOSITORY is set by restic-reporter"),
            ("reader", "Restic", "must be one of auto, restic"),
            ("reader", ["restic"], "must be one of auto, restic"),
            ("timeout", "5", "must be a number of seconds, not a string"),
            ("timeout", True, "must be a number of seconds, not true or false"),
            ("timeout", 0, "must be a number of seconds above 0"),
            ("timeout", -1, "must be a number of seconds above 0"),
            ("timeout", float("nan"), "must be a number of seconds above 0"),
            ("timeout", float("inf"), "must be a number of seconds above 0"),
            ("timeout", 10**400, "must be a number of seconds above 0"),
            ("cron", 5, "must be a string: put it in quotes"),
        ):
            # Disabled, so that what follows from a missing value adds nothing.
            entry = {**GOOD, key: value} if key == "disabled" else {"disabled": True, key: value}
            (problem,) = self.problems([entry])
            self.assertIn(f"c.json: entry 1: {key}: {expected}", problem)

    def test_unknown_key(self) -> None:
        """An unknown key is named, with the nearest known one if one is near."""
        self.assertEqual(
            self.problem({**GOOD, "pasword_file": "x"}),
            "unknown key 'pasword_file'; did you mean 'password_file'?",
        )
        self.assertIn("known keys: disabled, repo", self.problem({**GOOD, "xyzzy": 1}))
        self.assertIn("unknown key 5", self.problem({**GOOD, 5: 1}))

    def test_repeated_key(self) -> None:
        """A key that JSON has twice is named with its entry, as is one of `env`."""
        self.write("c.json", '[{}, {"repo": "/p", "repo": "/q", "password": "x"}]')
        error = self.assertRaises(ConfigError, load_config, "c.json", str(self.directory))
        self.assertIn("c.json: entry 2: repo: stands twice", error.problems)
        self.write("c.json", '[{"repo": "/p", "password": "x", "env": {"A": "1", "A": "2"}}]')
        error = self.assertRaises(ConfigError, load_config, "c.json", str(self.directory))
        self.assertEqual(error.problems, ("c.json: entry 1: env: 'A' stands twice",))
        self.write("c.json", '{"repositories": [], "repositories": []}')
        error = self.assertRaises(ConfigError, load_config, "c.json", str(self.directory))
        self.assertEqual(error.problems, ("c.json: the key 'repositories' stands twice",))

    def test_later_keys(self) -> None:
        """Keys that this version has nothing for are refused by name."""
        for key in LATER:
            self.assertIn(
                f"c.json: entry 1: {key}: is not available in this version",
                self.problems([{**GOOD, key: "x"}]),
            )
        self.assertEqual(
            self.problem({**GOOD, "reader": "native"}),
            "reader: 'native' is not available in this version",
        )

    def test_disabled(self) -> None:
        """A disabled entry may hold what this version refuses, and need not be complete."""
        entry = {"disabled": True, "reader": "native", **dict.fromkeys(LATER, "x")}
        self.assertEqual(self.build([entry, GOOD]).repositories[0].position, 2)
        self.assertEqual(self.build([{"disabled": True}]).repositories, ())

    def test_disabled_is_checked(self) -> None:
        """A mistyped key is found in a disabled entry too."""
        self.assertIn("unknown key 'repoo'", self.problem({"disabled": True, "repoo": "/p"}))

    def test_repo(self) -> None:
        """A missing or unusable repository is said of the key `repo`."""
        self.assertEqual(self.problem({"password": "x"}), "the key 'repo' is missing")
        for repo in ("foo:bar", "/a\nb", "rest:ftp://h/", "rest:http://h:0/"):
            self.assertTrue(self.problem({**GOOD, "repo": repo}).startswith("repo: "), repo)

    def test_cron(self) -> None:
        """An impossible schedule is said of the key `cron`."""
        self.assertTrue(self.problem({**GOOD, "cron": "0 0 30 2 *"}).startswith("cron: "))

    def test_rest_keys(self) -> None:
        """REST credentials are complete, stand once, and belong to a REST server."""
        rest = {**GOOD, "repo": "rest:http://h/"}
        self.assertEqual(
            self.problem({**rest, "rest_username": "u"}), "the key 'rest_password' is missing"
        )
        self.assertEqual(
            self.problem({**rest, "rest_password": "p"}), "the key 'rest_username' is missing"
        )
        own = {"rest_username": "u", "rest_password": "p"}
        self.assertIn("only for a rest: repository", self.problem({**GOOD, **own}))
        self.assertIn(
            "has credentials already", self.problem({**GOOD, "repo": "rest:http://u@h/", **own})
        )
        self.assertIn("colon", self.problem({**rest, **own, "rest_username": "a:b"}))

    def test_certificates(self) -> None:
        """A certificate file that cannot be read or used is said of its key, with its path."""
        self.write("bad.pem", f"-----BEGIN CERTIFICATE-----\n{MARKER}\n")
        self.write("ca.pem", Authority.make().pem)
        rest = {**GOOD, "repo": "rest:https://h/"}
        for key, path in (
            ("cacert", "bad.pem"),
            ("cacert", "none.pem"),
            ("cacert", "a\ud800"),
            ("tls_client_cert", "bad.pem"),
            ("tls_client_cert", "ca.pem"),
        ):
            problem = self.problem({**rest, key: path})
            self.assertTrue(problem.startswith(f"{key}: "), problem)
            self.assertNotIn(MARKER, problem)

    def test_same_label(self) -> None:
        """Two enabled entries with one label are refused, naming both."""
        (problem,) = self.problems([GOOD, {"disabled": True}, GOOD])
        self.assertIn("c.json: entry 3: repo: has the same label as entry 1", problem)

    def test_same_label_by_masking(self) -> None:
        """Two that differ only in the password have one label."""
        entries = [{**GOOD, "repo": f"rest:http://u:{MARKER}{n}@h/"} for n in range(2)]
        (problem,) = self.problems(entries)
        self.assertIn("rest:http://u:***@h/", problem)
        self.assertNotIn(MARKER, problem)

    def test_labels_as_written(self) -> None:
        """Labels are compared as they are written, among enabled entries."""
        entries = [GOOD, {**GOOD, "repo": "local:/p"}, {**GOOD, "disabled": True}]
        self.assertEqual(len(self.build(entries).repositories), 2)

    def test_all_at_once(self) -> None:
        """All that is wrong is told in one go, each with its entry."""
        problems = self.problems(
            {
                "repositories": [
                    {"repo": "/p", "password": 1, "timeout": 0, "cron": "x", "oops": 1},
                    "text",
                    GOOD,
                    {**GOOD, "b2_key": "x"},
                ],
                "defaults": {"reader": 1},
                "other": 1,
            }
        )
        self.assertEqual(
            [problem.split(": ")[1:3] for problem in problems],
            [
                ["unknown key 'other'; known keys", "repositories, defaults"],
                ["defaults", "reader"],
                ["entry 1", "password"],
                ["entry 1", "timeout"],
                ["entry 1", "unknown key 'oops'; known keys"],
                ["entry 1", "cron"],
                ["entry 2", "must be a map"],
                ["entry 3", "repo"],
                ["entry 4", "b2_key"],
                ["entry 4", "repo"],
            ],
        )

    @settings(max_examples=150, deadline=None)
    @given(st.data())
    def test_no_secret_in_a_problem(self, data: st.DataObject) -> None:
        """Whatever is wrong around a secret, no message shows it."""
        repos = (
            "/p", "rest:http://u:{}@h/", "rest:http://u:{}@h:0/", "rest:http://u:x/{}@h/",
            "rest:http://m@x:{}@h/", "rest:http://u:{}^@h/", "resd:http://u:{}@h/",
            "rest:u:{}@h", "rest:http://u:{}\n@h/", " sftp://u:{}@h/", "sftp://u:{}@h/",
        )  # fmt: skip
        secrets: Any = st.sampled_from([MARKER, [MARKER], {MARKER: MARKER}, {"a": MARKER}, 5])
        entry = st.fixed_dictionaries(
            {"repo": st.sampled_from(repos).map(lambda text: text.format(MARKER))},
            optional={
                "password": secrets,
                "password_command": st.sampled_from([f"echo '{MARKER}", [MARKER]]),
                "rest_username": st.sampled_from(["u", "a:b", 5]),
                "rest_password": secrets,
                "vault_material": st.just("x"),
                "b2_key": secrets,
                "env": st.sampled_from(
                    [MARKER, [MARKER], {"A": [MARKER]}, {"A": MARKER + "\0"}, {"=": MARKER}]
                ),
                "disabled": st.sampled_from([False, MARKER]),
                "timeout": st.sampled_from([1, MARKER]),
                "reader": st.sampled_from(["restic", MARKER]),
            },
        )
        entries = data.draw(st.lists(entry, min_size=1, max_size=3))
        document: Any = entries
        if data.draw(st.booleans()):
            document = {"repositories": entries, "defaults": data.draw(entry)}
        try:
            self.assertNotIn(MARKER, repr(self.build(document)))
        except ConfigError as error:
            self.assertNotIn(MARKER, str(error))


class DocumentFormTests(ConfigCase):
    """The two forms of a document, and the defaults."""

    def test_map(self) -> None:
        """A map with `repositories` is the same as the list."""
        self.assertEqual(self.build({"repositories": [GOOD]}), self.build([GOOD]))

    def test_neither(self) -> None:
        """Anything else is refused."""
        for document in (None, "x", 5, True):
            self.assertIn("must be a list of entries, or a map", self.problems(document)[0])
        self.assertEqual(self.problems({}), ["c.json: the key 'repositories' is missing"])
        self.assertEqual(
            self.problems({"repositories": {}}),
            ["c.json: the key 'repositories' must be a list of entries"],
        )
        self.assertEqual(
            self.problems({"repositories": [GOOD], "defaults": []}),
            ["c.json: defaults: must be a map of keys of an entry"],
        )

    def test_unknown_key(self) -> None:
        """An unknown key beside the list is named with the nearest known one."""
        self.assertEqual(
            self.problems({"repositories": [GOOD], "default": {}}),
            ["c.json: unknown key 'default'; did you mean 'defaults'?"],
        )

    def test_no_repository(self) -> None:
        """Without an enabled repository there is a warning, and no error."""
        for document in ([], [{"disabled": True}], {"repositories": []}):
            config = self.build(document)
            self.assertEqual(config.repositories, ())
            self.assertEqual(config.warnings, ("c.json: no repository is enabled",))
        self.assertEqual(self.build([GOOD]).warnings, ())

    def with_defaults(self, defaults: Any, **entry: Any) -> Repository:
        """The repository of an entry with these defaults."""
        document = {"repositories": [entry], "defaults": defaults}
        (repository,) = self.build(document).repositories
        return repository

    def test_defaults(self) -> None:
        """A default is used where the entry lacks the key."""
        defaults = {"password": "d", "timeout": 5, "cron": "0 1 * * *"}
        one = self.with_defaults(defaults, repo="/p", timeout=6)
        self.assertEqual((one.password, one.timeout), (Secret("d"), 6))
        assert one.cron is not None
        self.assertEqual(one.cron.text, "0 1 * * *")

    def test_own_password_source(self) -> None:
        """An entry's own password source stands in place of the default's, whatever its kind."""
        for defaults in ({"password_command": "x"}, {"password_file": "none"}, {"password": "d"}):
            one = self.with_defaults(defaults, repo="/p", password="own")
            self.assertEqual(one.password, Secret("own"))

    def test_two_default_sources(self) -> None:
        """Two password sources among the defaults are one too many for who uses them."""
        document = {
            "repositories": [{"repo": "/p"}, GOOD | {"repo": "/q"}],
            "defaults": {"password": "x", "password_command": "y"},
        }
        (problem,) = self.problems(document)
        self.assertIn("entry 1: password and password_command", problem)

    def test_rest_credentials(self) -> None:
        """A default user name goes with the entry's own password."""
        one = self.with_defaults(
            {"password": "x", "rest_username": "u", "rest_password": "d"},
            repo="rest:http://h/",
            rest_password="own",
        )
        self.assertEqual(one.location, Secret("rest:http://u:own@h/"))

    def test_rest_credentials_elsewhere(self) -> None:
        """Default REST credentials do no harm where they have no meaning or the URL has some."""
        defaults = {"password": "x", "rest_username": "u", "rest_password": "p"}
        self.assertIsNone(self.with_defaults(defaults, repo="/p").credentials)
        one = self.with_defaults(defaults, repo="rest:http://a:b@h/")
        self.assertEqual(one.location, Secret("rest:http://a:b@h/"))

    def test_enabled_again(self) -> None:
        """An entry can be enabled against the defaults."""
        one = self.with_defaults({"disabled": True}, repo="/p", password="x", disabled=False)
        self.assertEqual(one.url, "/p")

    def test_defaults_are_checked_once(self) -> None:
        """A wrong default is told once, not for each entry."""
        document = {"repositories": [GOOD, GOOD | {"repo": "/q"}], "defaults": {"timeout": "x"}}
        (problem,) = self.problems(document)
        self.assertIn("c.json: defaults: timeout: ", problem)


class FileTests(ConfigCase):
    """The config file itself."""

    def load(self, name: str) -> Config:
        """The config in a file of the folder."""
        return load_config(name, str(self.directory))

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
        """A file without end is not read to its end."""
        self.patch(load_module, "_MAX_CONFIG", 1000)
        self.assertIn("has more than", str(self.assertRaises(ConfigError, self.load, "/dev/zero")))

    def test_yaml_date(self) -> None:
        """A password that YAML takes for a date gets the advice to quote it."""
        self.write("c.yaml", "- repo: /p\n  password: 2026-01-02\n")
        error = self.assertRaises(ConfigError, self.load, "c.yaml")
        self.assertEqual(
            str(error), "c.yaml: entry 1: password: must be a string: put it in quotes"
        )
