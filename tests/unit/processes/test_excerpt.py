"""Tests of `restic_reporter.processes.excerpt`."""

from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.processes.excerpt import Excerpt


class ExcerptTests(SynchronousTestCase):
    """What is kept of a long text."""

    def excerpt(self, text: str, size: int) -> str:
        """What an `Excerpt` of 20 bytes at each end keeps of ``text``, fed in pieces."""
        excerpt = Excerpt(20)
        data = text.encode()
        for start in range(0, len(data), size):
            excerpt.add(data[start : start + size])
        return excerpt.text()

    def test_short(self) -> None:
        """A text that fits is kept whole, with an end or without, in pieces of any size."""
        for text in ("", "one", "one\ntwo\n", "x" * 40, "é" * 20):
            for size in (1, 3, 100):
                self.assertEqual(self.excerpt(text, size), text)

    def test_long(self) -> None:
        """Of a longer one whole lines are kept at the beginning and at the end."""
        text = "".join(f"line {number}\n" for number in range(100))
        for size in (1, 7, 1000):
            self.assertEqual(self.excerpt(text, size), "line 0\nline 1\n\n[…]\nline 98\nline 99\n")

    def test_long_lines(self) -> None:
        """A line that is too long for both ends shows in neither."""
        for size in (1, 7, 1000):
            self.assertEqual(self.excerpt("s" * 100, size), "\n[…]\n")
            self.assertEqual(self.excerpt("a\n" + "s" * 100, size), "a\n\n[…]\n")
            self.assertEqual(self.excerpt("s" * 100 + "\nz", size), "\n[…]\nz")

    def test_undecodable(self) -> None:
        """Bytes that are no UTF-8 become replacement characters."""
        excerpt = Excerpt()
        excerpt.add(b"a\xffb")
        self.assertEqual(excerpt.text(), "a\ufffdb")
