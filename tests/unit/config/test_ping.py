"""Tests of `restic_reporter.config.ping`."""

from restic_reporter.config.secrets_of_config import masks_of
from tests.doubles.config_case import GOOD, MARKER, ConfigCase

TOKEN = "3f2b7a1c-9d8e-4c5b-8a7f-0e1d2c3b4a59"


class PingURLTests(ConfigCase):
    """The key ``ping_url``."""

    def test_good(self) -> None:
        """A URL with path and query is kept as it is, for one entry or all of them."""
        for url in (
            f"https://hc-ping.com/{TOKEN}",
            "http://127.0.0.1:8000/ping/slug/?token=x&a=%20b",
            "http://[::1]:80/p?a=b",
            "http://example.org",
            "https://bücher.example/ä?ö",
        ):
            found = self.one(ping_url=url).ping_url
            assert found is not None
            self.assertEqual(found.reveal(), url)
            both = {"defaults": {"ping_url": url}, "repositories": [GOOD, {**GOOD, "repo": "/q"}]}
            self.assertEqual([one.ping_url for one in self.build(both).repositories], [found] * 2)
        self.assertIsNone(self.one().ping_url)

    def test_problems(self) -> None:
        """Anything else is an error that does not show the value."""
        for value, problem in (
            (5, "must be a string, not a number"),
            (None, "must be a string, not null"),
            ("", "must be a URL without blanks"),
            (f"https://h/{MARKER} b", "must be a URL without blanks"),
            (f"https://h/{MARKER}\n", "must be a URL without blanks"),
            (f"https://h/{MARKER}\ud800", "must be a URL without blanks"),
            (f"https://h/{MARKER}#start", "must not have a fragment ('#')"),
            (MARKER, "not an http or https URL with a host"),
            (f"//h/{MARKER}", "not an http or https URL with a host"),
            (f"ftp://h/{MARKER}", "not an http or https URL with a host"),
            (f"https:///{MARKER}", "not an http or https URL with a host"),
            (f"https://{MARKER}@h/", "URL must not contain credentials"),
            (f"https://me:{MARKER}@h/", "URL must not contain credentials"),
            (f"https://h:x/{MARKER}", "invalid URL"),
            (f"https://a..b/{MARKER}", "invalid host name"),
            (f"https://[::1]/?a={MARKER}:b", "use a host name in place of the IPv6 address"),
        ):
            self.assertEqual(self.problem({**GOOD, "ping_url": value}), f"ping_url: {problem}")

    def test_secret(self) -> None:
        """It is masked as a whole, without its host, and by each part that is long enough."""
        config = self.build(
            [{**GOOD, "ping_url": f"https://hc.example.org/ping/{TOKEN}?token={MARKER}{MARKER}"}]
        )
        masks = masks_of(config)
        (repository,) = config.repositories
        self.assertNotIn(TOKEN, f"{config!r} {repository!r}")
        for text in (
            f"https://hc.example.org/ping/{TOKEN}?token={MARKER}{MARKER}",
            f"/ping/{TOKEN}?token={MARKER}{MARKER}",
            TOKEN,
            MARKER * 2,
        ):
            self.assertEqual(masks.redact(f"<{text}>"), "<***>")
        for text in ("a ping", "hc.example.org:443", "token"):
            self.assertEqual(masks.redact(text), text)
        shown = masks_of(self.build([{**GOOD, "ping_url": "https://h/p"}])).redact(
            "GET https://h/p"
        )
        self.assertEqual(shown, "GET ***")
