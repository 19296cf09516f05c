"""Tests of what `restic_reporter.config` makes of ``b2:`` repositories."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.backends.b2.settings import (
    B2Credentials,
    B2Location,
    B2Settings,
    parse_api_url,
    parse_b2,
)
from restic_reporter.config.context import ConfigContext
from restic_reporter.config.load import build_config
from restic_reporter.model.errors import ConfigError
from restic_reporter.model.repository import Repository
from tests.doubles.config_case import installed

GOOD = {"repo": "b2:some-bucket:path", "password": "x", "b2_account_id": "id", "b2_key": "hidden"}


def load(environ: dict[str, str], **keys: Any) -> Repository:
    """The repository of `GOOD` with other ``keys``; None takes one away."""
    entry = {key: value for key, value in {**GOOD, **keys}.items() if value is not None}
    context = ConfigContext("/", installed(), environ=environ)
    (repository,) = build_config([entry], "config.json", context).repositories
    return repository


def key(environ: dict[str, str], **keys: Any) -> B2Credentials:
    """Its application key."""
    settings = load(environ, **keys).settings
    assert isinstance(settings, B2Settings) and settings.credentials is not None
    return settings.credentials


class CredentialsTests(SynchronousTestCase):
    """Where the application key comes from."""

    def test_entry(self) -> None:
        """The entry's own key counts before that of the environment."""
        environ = {"B2_ACCOUNT_ID": "other", "B2_ACCOUNT_KEY": "other"}
        b2 = key(environ, b2_api_url="https://b2.example.com/")
        self.assertEqual((b2.key_id, b2.key.reveal()), ("id", "hidden"))
        self.assertEqual(b2.api_url, "https://b2.example.com")

    def test_environment(self) -> None:
        """An entry without a key takes that of its own variables, or else the daemon's."""
        environ = {"B2_ACCOUNT_ID": "daemon's", "B2_ACCOUNT_KEY": "x"}
        b2 = key(environ, b2_account_id=None, b2_key=None)
        self.assertEqual(b2.key_id, "daemon's")
        own = {"B2_ACCOUNT_ID": "own", "B2_ACCOUNT_KEY": "x"}
        b2 = key(environ, b2_account_id=None, b2_key=None, env=own)
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
