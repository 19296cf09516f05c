"""Tests of `restic_reporter.model.labels`."""

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.metrics.exposition import label_text
from restic_reporter.model.labels import MAX_LENGTH, sanitise, with_hash

ANY_TEXT = st.text(st.characters(exclude_categories=()))


class SanitiseTests(SynchronousTestCase):
    """`sanitise`."""

    def test_ordinary(self) -> None:
        """Ordinary names stay, whatever their script."""
        for text in ("", "web-1", "Jörg", "\u00a0", "日本", "\N{GRINNING FACE}", 'a"\\b'):
            self.assertEqual(sanitise(text), text)

    def test_unprintable(self) -> None:
        """Control characters and half surrogates become U+FFFD, one each."""
        self.assertEqual(
            sanitise("a\n\x00\x7f\x85\x9fb\ud800\udfff"), f"a{chr(0xFFFD) * 5}b{chr(0xFFFD) * 2}"
        )

    def test_long(self) -> None:
        """Up to 255 characters stay; beyond, the text is cut and ends in a hash."""
        self.assertEqual(sanitise("x" * 255), "x" * 255)
        shown = sanitise("x" * 256)
        self.assertEqual(len(shown), MAX_LENGTH)
        self.assertRegex(shown, r"\Ax{246}~[0-9a-f]{8}\Z")

    def test_long_ones_stay_two(self) -> None:
        """Two long texts that differ at the end, or in a control character, differ still."""
        self.assertNotEqual(sanitise("x" * 10_000 + "a"), sanitise("x" * 10_000 + "b"))
        self.assertNotEqual(sanitise("x" * 300 + "\x01"), sanitise("x" * 300 + "\x02"))

    def test_stable(self) -> None:
        """The hash is the same in every process: a label must not change at a restart."""
        self.assertEqual(with_hash("a", "b"), "a~3e23e816")

    @settings(deadline=None)
    @given(ANY_TEXT)
    def test_parses_back(self, text: str) -> None:
        """Any text becomes a label that both of Prometheus's formats give back."""
        label = sanitise(text)
        line = f"# TYPE a gauge\na{{{label_text({'x': label, 'y': 'z'})}}} 1\n"
        line.encode()
        for parse, page in ((parse_text, line), (parse_openmetrics, f"{line}# EOF\n")):
            (family,) = parse(page)
            self.assertEqual(family.samples[0].labels, {"x": label, "y": "z"})
