"""Tests of `restic_reporter.config.keys` and `.load`: what is refused, and how that is said."""

from typing import Any

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from restic_reporter.config import load_config
from restic_reporter.config.load import build_config
from restic_reporter.model.errors import ConfigError
from restic_reporter.model.repository import Repository
from restic_reporter.model.settings import BrokenSettings
from restic_reporter.plugin import BackendMaker, Key, OwnKeys
from tests.doubles.certificates import Authority
from tests.doubles.config_case import GOOD, MARKER, ConfigCase


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
            ("env", {"A=": "x"}, "invalid name of an environment variable: 'A='"),
            ("env", {"": "x"}, "invalid name of an environment variable: ''"),
            ("env", {5: "x"}, "invalid name of an environment variable: 5"),
            ("env", {"RESTIC_REPOSITORY": "x"}, "RESTIC_REPOSITORY is set by restic-reporter"),
            ("options", [], "must be a map, not a list"),
            ("options", {"region": "x"}, "invalid name 'region'; must look like 's3.region'"),
            ("options", {"S3.region": "x"}, "invalid name 'S3.region'"),
            ("options", {"s3.region=": "x"}, "invalid name 's3.region='"),
            ("options", {5: "x"}, "invalid name 5"),
            ("options", {"s3.region": None}, "s3.region: must be a string, not null"),
            ("options", {"s3.region": "\0"}, "s3.region: contains an invalid character"),
            ("options", {"s3.secret-key": "x"}, "s3.secret-key: options show in the process list"),
            ("options", {"x.y": "http://u:p@h/"}, "x.y: options show in the process list"),
            ("reader", "Restic", "must be one of auto, restic"),
            ("reader", ["restic"], "must be one of auto, restic"),
            ("timeout", "5", "must be a number of seconds, not a string"),
            ("timeout", True, "must be a number of seconds, not true or false"),
            ("timeout", 0, "must be a number of seconds greater than 0"),
            ("timeout", -1, "must be a number of seconds greater than 0"),
            ("timeout", float("nan"), "must be a number of seconds greater than 0"),
            ("timeout", float("inf"), "must be a number of seconds greater than 0"),
            ("timeout", 10**400, "must be a number of seconds greater than 0"),
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
        error = self.assertRaises(ConfigError, load_config, "c.json", self.context())
        self.assertIn("c.json: entry 2: duplicate key 'repo'", error.problems)
        self.write("c.json", '[{"repo": "/p", "password": "x", "env": {"A": "1", "A": "2"}}]')
        error = self.assertRaises(ConfigError, load_config, "c.json", self.context())
        self.assertEqual(error.problems, ("c.json: entry 1: env: duplicate name 'A'",))
        self.write("c.json", '[{"repo": "/p", "password": "x", "options": {"a.b": "", "a.b": ""}}]')
        error = self.assertRaises(ConfigError, load_config, "c.json", self.context())
        self.assertEqual(error.problems, ("c.json: entry 1: options: duplicate name 'a.b'",))
        self.write("c.json", '{"repositories": [], "repositories": []}')
        error = self.assertRaises(ConfigError, load_config, "c.json", self.context())
        self.assertEqual(error.problems, ("c.json: duplicate key 'repositories'",))

    def test_disabled(self) -> None:
        """A disabled entry need not be complete."""
        entry = {"disabled": True, "grace": "1h"}
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
        self.assertIn("c.json: entry 3: repo: duplicates entry 1", problem)

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
                    {"repo": "/p", "password": 1, "timeout": 0, "cron": "x", "xyzzy": 1},
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
                ["entry 1", "unknown key 'xyzzy'; known keys"],
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


def bad_settings(own: OwnKeys) -> Any:
    """What a plugin should not give."""
    return own.values["odd_key"]


class PluginTests(ConfigCase):
    """Keys of backends of other packages."""

    def load(self, **maker: Any) -> Repository:
        """The repository of an entry with a key of such a backend."""
        odd = BackendMaker("odd", ("odd",), "no.where", **maker)
        context = evolve(self.context(), makers={"odd": odd})
        document = [{"repo": "odd:x", "password": "x", "odd_key": MARKER}]
        (repository,) = build_config(document, "c.json", context).repositories
        return repository

    def test_secret(self) -> None:
        """The value of a key that is marked as a secret is one."""
        one = self.load(keys=(Key("odd_key", secret=True),))
        self.assertEqual([secret.reveal() for secret in one.settings.secrets], [MARKER])
        self.assertNotIn(MARKER, repr(one))

    def test_bug(self) -> None:
        """A backend that cannot make its settings fails its own repositories, at each read."""
        for function in ("bad_settings", "no_such_function"):
            one = self.load(keys=(Key("odd_key"),), settings=f"{__name__}.{function}")
            assert isinstance(one.settings, BrokenSettings)
            self.assertIn("the backend 'odd' cannot read its keys: ", one.settings.problem)
            self.assertNotIn(MARKER, one.settings.problem)

    def test_scheme_of_a_broken_plugin(self) -> None:
        """A scheme that a broken plugin may serve is accepted, with the likely mend as warning."""
        context = self.context(broken=True)
        for repo, warning in (
            ("resd:http://h/", "unknown scheme 'resd', unless a broken plugin serves it; did you"
             " mean 'rest:…'?"),
            ("nas:/srv", "unknown scheme 'nas', unless a broken plugin serves it; did you mean"
             " 'sftp:nas:/srv'?"),
            (f"odd:/u:{MARKER}@h", None),
            ("rest:http://h/", None),
        ):  # fmt: skip
            config = build_config([{**GOOD, "repo": repo}], "c.json", context)
            expected = () if warning is None else (f"c.json: entry 1: repo: {warning}",)
            self.assertEqual(config.warnings, expected)
            self.assertEqual(len(config.repositories), 1)
        entry = {**GOOD, "repo": "https://h/"}
        error = self.assertRaises(ConfigError, build_config, [entry], "c.json", context)
        self.assertIn("repo: unknown scheme 'https'; did you mean 'rest:https://…'?", str(error))

    def test_undeclared(self) -> None:
        """A key that no backend declares is unknown."""
        error = self.assertRaises(ConfigError, self.load)
        self.assertIn("unknown key 'odd_key'", str(error))
