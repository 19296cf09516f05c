"""Tests for `restic_reporter.model.anomalies`."""

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.model.anomalies import files, ratios
from restic_reporter.model.snapshots import NO_RATIOS, NO_SUMMARY, Ratios, Summary

USUAL = Summary(
    duration=60.0,
    processed_bytes=1000,
    added_bytes=100,
    new_files=10,
    changed_files=20,
    unmodified_files=70,
)

counts = st.none() | st.integers(0, 2**53)
summaries = st.builds(Summary, st.none(), counts, counts, counts, counts, counts)


def sizes(*values: int | None) -> list[Summary]:
    """Return snapshots of which only the size is known."""
    return [Summary(processed_bytes=value) for value in values]


class RatiosTests(SynchronousTestCase):
    """The newest snapshot against those before it."""

    def test_as_usual(self) -> None:
        """A snapshot like those before it has 1 everywhere."""
        self.assertEqual(ratios(USUAL, [USUAL] * 10), Ratios(1.0, 1.0, 1.0, 1.0))

    def test_each_value(self) -> None:
        """Each ratio is of its own value; that of the files is of all of them."""
        newest = Summary(
            processed_bytes=500,
            added_bytes=400,
            new_files=40,
            changed_files=60,
            unmodified_files=0,
        )
        self.assertEqual(ratios(newest, [USUAL] * 10), Ratios(0.5, 4.0, 1.0, 3.0))

    def test_nothing_left(self) -> None:
        """An empty source is 0, which is a value."""
        empty = Summary(0.0, 0, 0, 0, 0, 0)
        self.assertEqual(ratios(empty, [USUAL] * 10), Ratios(0.0, 0.0, 0.0, 0.0))

    def test_median(self) -> None:
        """Odd snapshots before it do not count, as the median does not follow them."""
        before = sizes(100, 0, 99999, 101, 102)
        self.assertEqual(ratios(sizes(202)[0], before).processed_bytes, 2.0)

    def test_even_median(self) -> None:
        """The median of an even number is the mean of the two in the middle."""
        before = sizes(1, 2, 3, 5, 6, 7)
        self.assertEqual(ratios(sizes(8)[0], before).processed_bytes, 2.0)

    def test_ten_before(self) -> None:
        """Only the newest ten count."""
        before = sizes(*[10] * 10, *[1000] * 30)
        self.assertEqual(ratios(sizes(10)[0], before).processed_bytes, 1.0)

    def test_too_few(self) -> None:
        """There are no ratios before the sixth snapshot."""
        self.assertEqual(ratios(USUAL, [USUAL] * 4), NO_RATIOS)
        self.assertNotEqual(ratios(USUAL, [USUAL] * 5), NO_RATIOS)

    def test_without_statistics(self) -> None:
        """A snapshot without statistics has no ratios, and is not compared with."""
        self.assertEqual(ratios(NO_SUMMARY, [USUAL] * 10), NO_RATIOS)
        self.assertEqual(ratios(USUAL, [USUAL] * 4 + [NO_SUMMARY] * 6), NO_RATIOS)
        before = [USUAL] * 5 + [NO_SUMMARY] * 5
        self.assertEqual(ratios(USUAL, before), Ratios(1.0, 1.0, 1.0, 1.0))

    def test_value_by_value(self) -> None:
        """A value that is missing takes only its own ratio away."""
        before = [evolve(USUAL, changed_files=None)] * 10
        self.assertEqual(ratios(USUAL, before), Ratios(1.0, 1.0, None, None))

    def test_median_of_zero(self) -> None:
        """Nothing can be divided by 0: where usually nothing changes, there is no ratio."""
        before = [evolve(USUAL, changed_files=0, added_bytes=0)] * 10
        self.assertEqual(ratios(USUAL, before), Ratios(1.0, None, 1.25, None))

    @given(summaries, st.lists(summaries, max_size=14))
    def test_never_fails(self, newest: Summary, before: list[Summary]) -> None:
        """Any values give ratios that are positive, 0 or absent."""
        found = ratios(newest, before)
        for value in (found.processed_bytes, found.added_bytes, found.files, found.changed_files):
            self.assertTrue(value is None or value >= 0)


class FilesTests(SynchronousTestCase):
    """The number of files."""

    def test_sum(self) -> None:
        """All states count."""
        self.assertEqual(files(USUAL), 100)

    def test_unknown(self) -> None:
        """It is unknown if one of them is."""
        for name in ("new_files", "changed_files", "unmodified_files"):
            self.assertIsNone(files(evolve(USUAL, **{name: None})))
