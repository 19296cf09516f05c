"""Tests of `docsite.extension`: what the site makes of a page."""

from twisted.trial.unittest import SynchronousTestCase

from docsite.extension import for_the_site, language_of, with_navigation
from tests.doubles.programs import ROOT


class ExtensionTests(SynchronousTestCase):
    """Pages are plain Markdown; the site shows more."""

    def test_only_on_the_site(self) -> None:
        """The text of a comment for the site shows there; other comments stay comments."""
        page = "One\n<!-- site\nTwo\n-->\nThree\n<!-- Four -->\n"
        self.assertEqual(for_the_site(page), "One\nTwo\nThree\n<!-- Four -->\n")

    def test_only_on_a_forge(self) -> None:
        """A line for forges does not show on the site."""
        page = "One\n\nTwo [a](a.md). <!-- forge -->\n\nThree\n"
        self.assertEqual(for_the_site(page), "One\n\nThree\n")

    def test_names_of_tests(self) -> None:
        """A long name of a test may be broken behind its class."""
        shown = for_the_site("[a.b](x) [ATests.test_b](x.py)")
        self.assertEqual(shown, "[a.b](x) [ATests.\u200btest_b](x.py)")

    def test_include(self) -> None:
        """A file above docs/ shows with its links, and without its title."""
        shown = for_the_site("<!-- site\ninclude ../CHANGELOG.md\n-->\n")
        changelog = (ROOT / "CHANGELOG.md").read_text()
        self.assertEqual(shown.count("\n## "), changelog.count("\n## "))
        self.assertNotIn("# Changelog\n", shown)
        self.assertIn("](migrating.md)", shown)

    def test_links_above(self) -> None:
        """Links above docs/ lead to pages, to copies of files, or nowhere; others stay."""
        for link, shown in (
            ("[a](../CHANGELOG.md#x)", "[a](changelog.md#x)"),
            ("[a](../README.md)", "[a](index.md)"),
            ("[a](../tox.ini)", "[a](../tox.ini)"),
            ("[`a/`](../monitoring)", "`a/`"),
            ("[a](../examples/backend-snapdir/README.md)", "a"),
            ("[a](howto.md#passwords)", "[a](secrets.md#passwords)"),
            ("[a](howto.md#copies)", "[a](prometheus.md#copies)"),
            ("[a](insight.md#copies)", "[a](copies.md)"),
            ("[a](reference.md#x) [b](https://example.org/../c)",) * 2,
        ):
            self.assertEqual(for_the_site(link), shown)

    def test_navigation(self) -> None:
        """The lists of pages become chapters of the navigation, and stay."""
        page = "# T\n\n## Begin\n\n- [A](a.md): x\n- [B](b.md)\n\n## End\n\ntext\n"
        tree = "```{toctree}\n:hidden:\n:caption: Begin\n\nA <a>\nB <b>\n```\n"
        shown = "# T\n\n## Begin\n\n- [A](a.md): x\n- [B](b.md)\n\n" + tree + "\n## End\n\ntext\n"
        self.assertEqual(with_navigation(page), shown)

    def test_languages(self) -> None:
        """A block of code has the language of its first words, if one is sure."""
        for code, language in (
            ('[\n  {\n    "repo"', "json"),
            ('{"repo": 1}', "json"),
            ("# /etc/x.service\n[Unit]\nA=b", "ini"),
            ("scrape_configs:\n  - job_name: x", "yaml"),
            ("- alert: X\n  expr: y", "yaml"),
            ('"""A module."""', "python"),
            ("@frozen\nclass A:", "python"),
            ("restic-reporter run --config x", "bash"),
            ('backup_days_age{url="x"} 1', "text"),
            ("cd /etc/x\nA=b restic-reporter run", "bash"),
            ("scripts/test", "bash"),
            (". venv/bin/activate", "text"),
            ("time() - backup_newest_timestamp", "text"),
            ("twistd [options]", "bash"),
            ("config not reloaded: x", "text"),
            ("C = R + k", "text"),
            ("SCHEME   LISTED BY", "text"),
        ):
            self.assertEqual(language_of(code), language, code)
