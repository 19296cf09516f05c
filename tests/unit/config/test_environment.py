"""Tests of `restic_reporter.config.environment`."""

import re
from typing import ClassVar

from restic_reporter.config.environment import EnvironmentConfig, is_true
from restic_reporter.config.load import load_config
from restic_reporter.config.secrets_of_config import masks_of
from restic_reporter.model.errors import ConfigError
from restic_reporter.model.repository import PasswordCommand, Repository
from restic_reporter.redaction.secret import Secret
from tests.doubles.config_case import MARKER, ConfigCase

PASSWORD = {"RESTIC_PASSWORD": "x"}


class EnvironmentCase(ConfigCase):
    """Configs from variables."""

    def loaded(self, **environ: str) -> Repository:
        """The one repository in the environment."""
        (found,) = load_config(
            EnvironmentConfig(environ), self.context(environ=environ)
        ).repositories
        return found

    def wrong(self, **environ: str) -> str:
        """The one thing that is wrong with it."""
        error = self.assertRaises(ConfigError, self.loaded, **environ)
        (problem,) = error.problems
        self.assertTrue(problem.startswith("environment: "), problem)
        return str(problem).removeprefix("environment: ")


class DocumentTests(EnvironmentCase):
    """The entry."""

    def test_found(self) -> None:
        """There is a config where a repository is named; an empty variable is none."""
        for name in ("RESTIC_REPOSITORY", "RESTIC_REPOSITORY_FILE", "RESTIC_REPO_URL"):
            self.assertTrue(EnvironmentConfig({name: "x"}).names_repository)
            self.assertFalse(EnvironmentConfig({name: ""}).names_repository)
        self.assertEqual(
            self.wrong(**PASSWORD, LISTEN_PORT="8001"),
            "no config.json here; set RESTIC_REPOSITORY, or name a file by --config",
        )

    def test_old_names(self) -> None:
        """Names of restic-exporter before 1.5 count where the present ones are missing."""
        self.write("file", "from file\n")
        old = {"RESTIC_REPO_URL": "/old", "RESTIC_REPO_PASSWORD": "old"}
        for given, url, password in (
            (old, "/old", "old"),
            ({**old, "RESTIC_REPO_PASSWORD_FILE": "file"}, "/old", "from file"),
            ({**old, "RESTIC_REPOSITORY": "/new", "RESTIC_PASSWORD": "new"}, "/new", "new"),
            ({**old, "RESTIC_REPOSITORY": "", "RESTIC_PASSWORD": "new"}, "/old", "new"),
        ):
            found = self.loaded(**given)
            self.assertEqual((found.url, found.password), (url, Secret(password)))

    def test_passwords(self) -> None:
        """Each of restic's ways to give the password; of several the one that restic takes."""
        self.write("file", "from file\n")
        repo = {"RESTIC_REPOSITORY": "/p"}
        file = {"RESTIC_PASSWORD_FILE": "file"}
        command = {"RESTIC_PASSWORD_COMMAND": "pass show 'my repo'"}
        empty = {"RESTIC_PASSWORD_FILE": "", "RESTIC_PASSWORD_COMMAND": ""}
        for given, expected in (
            (PASSWORD, Secret("x")),
            ({**PASSWORD, **empty}, Secret("x")),
            ({**PASSWORD, **file}, Secret("from file")),
            (command, PasswordCommand(("pass", "show", "my repo"))),
            ({**PASSWORD, **command}, PasswordCommand(("pass", "show", "my repo"))),
        ):
            self.assertEqual(self.loaded(**repo, **given).password, expected)
        self.assertEqual(
            self.wrong(**repo, RESTIC_PASSWORD=""),
            "no password; set RESTIC_PASSWORD_COMMAND, RESTIC_PASSWORD_FILE or RESTIC_PASSWORD",
        )
        self.assertEqual(
            self.wrong(**repo, **file, **command),
            "RESTIC_PASSWORD_FILE and RESTIC_PASSWORD_COMMAND: only one of them may be given",
        )

    def test_repository_file(self) -> None:
        """The location may be in a file, which is read again at each load."""
        given = {**PASSWORD, "RESTIC_REPOSITORY_FILE": "repo"}
        self.assertIn("RESTIC_REPOSITORY_FILE: cannot read 'repo': No such", self.wrong(**given))
        self.write("repo", "  \n")
        self.assertEqual(self.wrong(**given), "RESTIC_REPOSITORY_FILE: 'repo': is empty")
        self.write("repo", f"rest:http://me:{MARKER}@h/a\n")
        repository = self.loaded(**given, RESTIC_REST_PASSWORD="other")
        self.assertEqual(repository.url, "rest:http://me:***@h/a")
        self.assertIn("both RESTIC_REPOSITORY and", self.wrong(**given, RESTIC_REPOSITORY="/p"))

    def test_names_in_problems(self) -> None:
        """A problem names the variable, not the key of an entry."""
        repo = {"RESTIC_REPOSITORY": "/p"}
        for given, problem in (
            ({"RESTIC_PASSWORD_FILE": "none"}, "RESTIC_PASSWORD_FILE: cannot read 'none': No such"),
            ({**PASSWORD, "RESTIC_CACERT": "none"}, "RESTIC_CACERT: cannot read 'none'"),
            (
                {**PASSWORD, "RESTIC_REPOSITORY": "https://h/a"},
                "RESTIC_REPOSITORY: unknown scheme 'https'; did you mean 'rest:https://…'?",
            ),
        ):
            self.assertTrue(self.wrong(**{**repo, **given}).startswith(problem))

    def test_schemes(self) -> None:
        """A repository gets the variables of its own storage, and no others."""
        every = {
            **PASSWORD,
            "AWS_ACCESS_KEY_ID": "aws-id",
            "AWS_SECRET_ACCESS_KEY": "aws-key",
            "RESTIC_AWS_ASSUME_ROLE_ARN": "aws-role",
            "SSH_AUTH_SOCK": "agent",
            "B2_ACCOUNT_ID": "b2-id",
            "B2_ACCOUNT_KEY": "b2-key",
            "RESTIC_REST_USERNAME": "rest-user",
            "RESTIC_REST_PASSWORD": "rest-key",
            "AZURE_ACCOUNT_KEY": "azure-key",
            "GOOGLE_PROJECT_ID": "google",
            "OS_PASSWORD": "os",
            "ST_KEY": "st",
            "RCLONE_CONFIG_PASS": "sesame",
            "HOME": "/root",
        }
        for repo, own, values in (
            ("/p", set(), set()),
            ("rest:http://h/a", set(), {"rest-user", "rest-key"}),
            ("rest:http://u:p@h/a", set(), set()),
            (
                "s3:h/bucket",
                {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "RESTIC_AWS_ASSUME_ROLE_ARN"},
                {"aws-id", "aws-key", "aws-role"},
            ),
            ("sftp:h:/p", {"SSH_AUTH_SOCK"}, {"agent"}),
            ("b2:bucket:", set(), {"b2-id", "b2-key"}),
            ("azure:c:/", {"AZURE_ACCOUNT_KEY"}, {"azure-key"}),
            ("gs:b:/", {"GOOGLE_PROJECT_ID"}, {"google"}),
            ("swift:c:/", {"OS_PASSWORD", "ST_KEY"}, {"os", "st"}),
            ("rclone:r:p", {"RCLONE_CONFIG_PASS"}, {"sesame"}),
        ):
            repository = self.loaded(**every, RESTIC_REPOSITORY=repo)
            self.assertEqual(set(repository.env), own, repo)
            secrets = [*repository.secrets(), *repository.settings.environment.values()]
            words = {word for one in secrets for word in re.findall(r"[\w-]+", one.reveal())}
            given = {
                text for name, text in every.items() if name not in ("RESTIC_PASSWORD", "HOME")
            }
            self.assertEqual(words & given, values, repo)

    def test_masked(self) -> None:
        """Each secret is masked in output, and shows in no representation."""
        for repo, name in (
            ("/p", "RESTIC_PASSWORD"),
            ("rest:http://h/a", "RESTIC_REST_PASSWORD"),
            ("b2:bucket:", "B2_ACCOUNT_KEY"),
            ("s3:h/bucket", "AWS_SECRET_ACCESS_KEY"),
            ("azure:c:/", "AZURE_ACCOUNT_KEY"),
        ):
            users = {"RESTIC_REST_USERNAME": "u", "B2_ACCOUNT_ID": "i", "AWS_ACCESS_KEY_ID": "i"}
            environ = {**PASSWORD, **users, "RESTIC_REPOSITORY": repo, name: MARKER}
            source = EnvironmentConfig(environ)
            config = load_config(source, self.context(environ=environ))
            self.assertNotIn(MARKER, masks_of(config).redact(f"bad {MARKER}"), repo)
            self.assertNotIn(MARKER, f"{config!r} {source!r}")

    def test_other_keys(self) -> None:
        """The key's hint and the certificates have variables of restic's own too."""
        found = self.loaded(**PASSWORD, RESTIC_REPOSITORY="/p", RESTIC_KEY_HINT="abc")
        self.assertEqual(found.key_hint, "abc")


class OptionsTests(EnvironmentCase):
    """Options, and variables that cannot be honoured."""

    said: ClassVar = dict.fromkeys(("NO_CHECK", "NO_GLOBAL_STATS", "NO_LEGACY_STATS"), "1")

    def options(self, **environ: str) -> dict[str, str]:
        """The options that they give."""
        return EnvironmentConfig(environ).options()

    def test_address(self) -> None:
        """Address and port are one option; what is missing is as ours has it."""
        for address, port, bind in (
            ("", "8001", ":8001"),
            ("0.0.0.0", "8001", "0.0.0.0:8001"),
            ("::1", "", "[::1]:9121"),
            ("localhost", "", "localhost:9121"),
            (" localhost ", " 8001 ", "localhost:8001"),
        ):
            found = self.options(LISTEN_ADDRESS=address, LISTEN_PORT=port)
            self.assertEqual(found, {"bind": bind})

    def test_levels(self) -> None:
        """The levels of Python's log have names of ours."""
        for given, level in (("DEBUG", "debug"), ("WARNING", "warn"), ("critical", "error")):
            self.assertEqual(self.options(LOG_LEVEL=given), {"log-level": level})

    def test_others(self) -> None:
        """Interval and cache are options too; an empty value is none, blanks around it are not."""
        self.assertEqual(
            self.options(REFRESH_INTERVAL=" 60 ", RESTIC_CACHE_DIR="/c", LOG_LEVEL=""),
            {"cron": "60", "cache-dir": "/c"},
        )

    def test_bools(self) -> None:
        """All but a few words are true."""
        for word in ("", "0", "F", "false", " False "):
            self.assertFalse(is_true({"A": word}, "A"), word)
        for word in ("1", "true", "no", "yes"):
            self.assertTrue(is_true({"A": word}, "A"), word)
        self.assertFalse(is_true({}, "A"))

    def warned(self, environ: dict[str, str], compat: bool = False) -> list[str]:
        """The variables that a line each is about."""
        lines = EnvironmentConfig(environ).warnings(compat)
        return [line.partition(" ")[0].partition("=")[0] for line in lines]

    def test_ignored(self) -> None:
        """A variable that asks for what is not done is told, in a line of its own."""
        skipped = ("NO_CHECK", "NO_GLOBAL_STATS", "NO_LEGACY_STATS")
        asked = ("NO_LOCKS", "EXIT_ON_ERROR", "INSECURE_TLS", "RESTIC_HOST")
        for name in skipped:
            self.assertEqual(self.warned({name: "false"}), [name])
            self.assertEqual(self.warned({name: "true"}), [])
        for name in asked:
            self.assertEqual(self.warned({name: "true"}), [name])
            self.assertEqual(self.warned({name: "false"}), [])
        every = {**dict.fromkeys(skipped, "0"), **dict.fromkeys(asked, "1")}
        self.assertEqual(self.warned(every), [*skipped, *asked])
        self.assertEqual(self.warned(dict.fromkeys((*skipped, *asked), "")), [])

    def test_paths(self) -> None:
        """Paths are only shown with the metrics that have a label for them."""
        self.assertEqual(self.warned({"INCLUDE_PATHS": "1"}), ["INCLUDE_PATHS"])
        self.assertEqual(self.warned({**self.said, "INCLUDE_PATHS": "1"}, compat=True), [])

    def test_missing(self) -> None:
        """What that program does by default is told with its metrics, unless it is not wanted."""
        self.assertEqual(self.warned({}), [])
        self.assertEqual(self.warned({}, compat=True), list(self.said))
        self.assertEqual(self.warned(self.said, compat=True), [])
