"""Tests of `restic_reporter.redaction.secret`."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.redaction.secret import (
    Secret,
    redact_url,
)


class SecretTests(SynchronousTestCase):
    """`Secret`."""

    def test_hidden(self) -> None:
        """No usual way to print it shows it."""
        secret = Secret("sesame")
        for shown in (str(secret), repr(secret), f"{secret}", f"{secret!r}", "%s" % secret,  # noqa: UP031
                      str([secret]), f"{{'a': {secret}}}"):  # fmt: skip
            self.assertNotIn("sesame", shown)
            self.assertIn("***", shown)
        self.assertEqual(secret.reveal(), "sesame")

    def test_equality(self) -> None:
        """Two are equal when their values are."""
        self.assertEqual(Secret("a"), Secret("a"))
        self.assertNotEqual(Secret("a"), Secret("b"))
        self.assertEqual(hash(Secret("a")), hash(Secret("a")))


class RedactURLTests(SynchronousTestCase):
    """`redact_url`."""

    def test_urls(self) -> None:
        """The password of every URL in a text is masked, all else stays."""
        for text, shown in (
            ("rest:http://user:pass@host/", "rest:http://user:***@host/"),
            ("rest:http://user:p@ss@host/", "rest:http://user:***@host/"),
            ("rest:http://user:p:a:ss@host/", "rest:http://user:***@host/"),
            ("rest:http://user@example.org:pass@host/", "rest:http://user@example.org:***@host/"),
            ("rest:http://:pass@host/", "rest:http://:***@host/"),
            ("rest:http://user:@host/", "rest:http://user:***@host/"),
            ("sftp://user:pass@host:22//srv", "sftp://user:***@host:22//srv"),
            ("http://user@host:8000/a", "http://user@host:8000/a"),
            ("http://host:8000/a@b", "http://host:8000/a@b"),
            ("sftp:user@host:/srv", "sftp:user@host:/srv"),
            ("/local/a:b@c", "/local/a:b@c"),
            (
                'Get "http://a:x@h/1": then "http://b:y@h/2"',
                'Get "http://a:***@h/1": then "http://b:***@h/2"',
            ),
        ):
            self.assertEqual(redact_url(text), shown)

    @settings(deadline=None)
    @given(
        st.text(st.characters(exclude_characters="/:")),
        st.text(st.characters(exclude_characters="/")),
    )
    def test_any_credentials(self, user: str, password: str) -> None:
        """Whatever user name and password a URL can hold, the password is masked."""
        self.assertEqual(
            redact_url(f"rest:https://{user}:{password}@host:80/a"),
            f"rest:https://{user}:***@host:80/a",
        )
