"""Tests of what `restic_reporter.config` makes of ``b2:`` repositories."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.config.load import build_config
from restic_reporter.config.location import B2Location, parse_api_url, parse_b2
from restic_reporter.model.errors import ConfigError
from restic_reporter.model.repository import Repository

GOOD = {"repo": "b2:some-bucket:path", "password": "x", "b2_account_id": "id", "b2_key": "hidden"}


def load(environ: dict[str, str], **keys: Any) -> Repository:
    """The repository of `GOOD` with other ``keys``; None takes one away."""
    entry = {key: value for key, value in {**GOOD, **keys}.items() if value is not None}
    (repository,) = build_config([entry], "config.json", "/", environ=environ).repositories
    return repository


class CredentialsTests(SynchronousTestCase):
    """Where the application key comes from."""

    def test_entry(self) -> None:
        """The entry's own key counts before that of the environment."""
        environ = {"B2_ACCOUNT_ID": "other", "B2_ACCOUNT_KEY": "other"}
        b2 = load(environ, b2_api_url="https://b2.example.com/").b2
        assert b2 is not None
        self.assertEqual((b2.key_id, b2.key.reveal()), ("id", "hidden"))
        self.assertEqual(b2.api_url, "https://b2.example.com")

    def test_environment(self) -> None:
        """An entry without a key takes that of its own variables, or else the daemon's."""
        environ = {"B2_ACCOUNT_ID": "daemon's", "B2_ACCOUNT_KEY": "x"}
        b2 = load(environ, b2_account_id=None, b2_key=None).b2
        assert b2 is not None
        self.assertEqual(b2.key_id, "daemon's")
        own = {"B2_ACCOUNT_ID": "own", "B2_ACCOUNT_KEY": "x"}
        b2 = load(environ, b2_account_id=None, b2_key=None, env=own).b2
        assert b2 is not None
        self.assertEqual(b2.key_id, "own")

    def test_key_is_hidden(self) -> None:
        """The key is one of the secrets that nothing printed may show."""
        repository = load({})
        self.assertNotIn("hidden", repr(repository))
        self.assertIn("hidden", [secret.reveal() for secret in repository.secrets()])

    def test_problems(self) -> None:
        """What is missing or out of place is named, and no secret."""
        for keys, problem in (
            ({"b2_key": None}, "the key 'b2_key' is missing"),
            ({"b2_account_id": None}, "the key 'b2_account_id' is missing"),
            ({"b2_key": None, "b2_account_id": None}, "B2_ACCOUNT_ID"),
            ({"b2_api_url": "https://u:hidden@host"}, "b2_api_url: must be an http://"),
            ({"b2_api_url": "hidden"}, "b2_api_url: must be an http://"),
            ({"repo": "b2:some-bucket/path"}, "repo: must look like b2:bucket:path"),
            ({"repo": "b2:bad"}, "repo: a bucket's name has 6 to 50"),
            ({"repo": "/path"}, "b2_account_id, b2_key: only for a b2: repository"),
        ):
            error = self.assertRaises(ConfigError, load, {}, **keys)
            self.assertIn(
                f"config.json: entry 1: {problem}" if ":" in problem else problem, str(error)
            )
            self.assertNotIn("hidden", str(error))


class LocationTests(SynchronousTestCase):
    """The bucket and the path within it."""

    def test_paths(self) -> None:
        """A path is cleaned as restic cleans it, and loses its leading slash."""
        for text, prefix in (
            ("", ""),
            (":", ""),
            (":/", ""),
            (":.", ""),
            (":a", "a"),
            (":/a/b/", "a/b"),
            (":a//b/./c/../d", "a/b/d"),
            ("://a", "a"),
            (":a:b", "a:b"),
            (":a b ", "a b "),
        ):
            self.assertEqual(parse_b2(f"b2:bucket{text}"), B2Location("bucket", prefix), text)

    def test_api_url(self) -> None:
        """A base URL may have a path, and loses the slash at its end."""
        self.assertEqual(parse_api_url("http://[::1]:80/x/"), "http://[::1]:80/x")
        for bad in ("ftp://x", "http://", "http://x?y", "http://x:99999"):
            self.assertRaises(ValueError, parse_api_url, bad)
