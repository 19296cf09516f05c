"""Tests of `restic_reporter.config.load`: the forms of the document, and its defaults."""

from typing import Any

from restic_reporter.model.repository import Repository
from restic_reporter.model.settings import BackendSettings
from restic_reporter.redaction.secret import Secret
from tests.doubles.config_case import GOOD, ConfigCase


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

    def test_one_entry(self) -> None:
        """An entry without a list around it is told as such."""
        for entry in (GOOD, {"repo": "/p"}):
            self.assertEqual(
                self.problems(entry),
                ["c.json: is one entry; must be a list of entries: [{…}], or in YAML - repo: …"],
            )

    def test_unknown_key(self) -> None:
        """An unknown key beside the list is named with the nearest known one."""
        self.assertEqual(
            self.problems({"repositories": [GOOD], "default": {}}),
            ["c.json: unknown key 'default'; did you mean 'defaults'?"],
        )

    def test_no_repository(self) -> None:
        """Without an enabled repository there is a warning, and no error."""
        documents: tuple[Any, ...] = ([], [{"disabled": True}], {"repositories": []})
        for document in documents:
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
        plain = self.with_defaults(defaults, repo="/p")
        self.assertEqual(plain.settings, BackendSettings())
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
