"""Tests of `restic_reporter.restic_format.json_array`."""

import json
import tracemalloc
from collections.abc import Collection
from itertools import pairwise
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.restic_format import json_array
from restic_reporter.restic_format.json_array import JSONArrayParser, NotAnArrayError
from restic_reporter.restic_format.json_members import SMALL, Ambiguous, decoder

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


def parse(*pieces: bytes, wanted: Collection[str] = ()) -> list[Any]:
    """All values of an array that comes in these pieces."""
    parser = JSONArrayParser(wanted)
    values = [value for piece in pieces for value in parser.feed(piece)]
    return [*values, *parser.close()]


class ParserTests(SynchronousTestCase):
    """`JSONArrayParser`."""

    def test_values_come_as_they_are_complete(self) -> None:
        """A value is given as soon as what follows it has begun."""
        parser = JSONArrayParser()
        self.assertEqual(list(parser.feed(b'[{"a": 1')), [])
        self.assertEqual(list(parser.feed(b'}, {"b"')), [{"a": 1}])
        self.assertEqual(list(parser.feed(b": 2}]")), [{"b": 2}])
        self.assertEqual(list(parser.close()), [])

    def test_empty(self) -> None:
        """An empty array has no values."""
        for text in (b"[]", b" [ ] ", b"\n[\n]\n"):
            self.assertEqual(parse(text), [])

    def test_number_in_two_pieces(self) -> None:
        """A number that comes in two pieces is one number."""
        for first, second, value in (
            (b"[1", b"2]", 12),
            (b"[1.", b"5]", 1.5),
            (b"[1e", b"2]", 100.0),
            (b"[1E+", b"2]", 100.0),
            (b"[-", b"1]", -1),
        ):
            self.assertEqual(parse(first, second), [value])

    def test_ambiguous(self) -> None:
        """An object with a key given twice is marked, at whatever depth."""
        (value,) = parse(b'[{"a": {"b": 1, "b": 2}, "c": {"b": 1}}]')
        self.assertNotIsInstance(value, Ambiguous)
        self.assertIsInstance(value["a"], Ambiguous)
        self.assertNotIsInstance(value["c"], Ambiguous)

    def test_no_utf8(self) -> None:
        """Bytes that are no UTF-8 are kept apart, not refused."""
        first, second = parse(b'["\xff", "\xfe"]')
        self.assertNotEqual(first, second)

    def test_no_array(self) -> None:
        """What is no array is refused."""
        for text in (
            b"{}", b"null", b"x", b"Fatal: no", b"[1}", b"[,]", b"[1,]", b"[1,,2]", b"[1] x",
            b"[] []", b"[1 2]", b"[nonsense            ]", b'[{"a" 1, "b": 2, "c": 3}]',
            b'["\n                  "]', b"[1e]", b"[1.]",
        ):  # fmt: skip
            self.assertRaises(NotAnArrayError, parse, text)
            self.assertRaises(NotAnArrayError, parse, *(bytes([byte]) for byte in text))

    def test_cut_short(self) -> None:
        """An array that ends too early is refused at its end, never before."""
        text = json.dumps([{"a": [1, "x\n\u00fc\u2028"], "b": None}, 1.5, True]).encode()
        for end in range(len(text)):
            parser = JSONArrayParser()
            list(parser.feed(text[:end]))
            self.assertRaises(NotAnArrayError, list, parser.close())

    def test_early_refusal(self) -> None:
        """What can never become right is refused long before its end."""
        parser = JSONArrayParser()
        self.assertRaises(NotAnArrayError, list, parser.feed(b'[{"a" oops' + b" " * 1000))

    def test_deep(self) -> None:
        """Nesting without end is refused."""
        self.assertRaises(NotAnArrayError, parse, b"[" * 200_000)
        self.assertRaises(NotAnArrayError, parse, b"[" + b'{"a":' * 200_000)

    def test_huge_number(self) -> None:
        """A number that Python refuses to read is refused like anything else unusable."""
        self.assertRaises(NotAnArrayError, parse, b"[" + b"1" * 5000 + b"]")

    def test_long(self) -> None:
        """Of a long object the wanted members come, between short values that come whole."""
        paths = [f"/home/user/some/path/{number}" for number in range(60_000)]
        long = {"time": "t", "paths": paths, "id": "x", "tags": ["a"]}
        short = {"paths": ["/a"], "id": "y"}
        expected = [short, {"id": "x"}, short, {"id": "x"}, None, None, 5]
        text = json.dumps([short, long, short, long, paths, "x" * 10**5, 5]).encode()
        for size in (999, 2**13, 2**16, len(text)):
            pieces = (text[start : start + size] for start in range(0, len(text), size))
            self.assertEqual(parse(*pieces, wanted=("id",)), expected)

    def test_same_in_any_pieces(self) -> None:
        """Whether an object counts as long depends on its length alone."""
        for size in range(SMALL - 20, SMALL + 5):
            text = json.dumps([{"a": "x" * size, "id": 1}, {"id": 2}]).encode()
            whole = len(text) - len('[, {"id": 2}]') <= SMALL
            for pieces in ([text], [text[:100], text[100:]], [text[:-12], text[-12:]]):
                first, second = parse(*pieces, wanted=("id",))
                self.assertEqual(
                    (set(first), second), ({"a", "id"} if whole else {"id"}, {"id": 2})
                )

    def test_memory(self) -> None:
        """A value that does not end is not held."""
        for start, piece in ((b'["', b"x" * 2**13), (b'[{"a":[0', b",1" * 2**12)):
            parser = JSONArrayParser()
            list(parser.feed(start))
            tracemalloc.start()
            try:
                for _ in range(1000):
                    list(parser.feed(piece))
                _, most = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            self.assertLess(most, 2**20)

    def test_parts(self) -> None:
        """A flood of lists, maps or members in a long value is refused."""
        for flood in (b'[{"a":[' + b"[]," * 2**20, b"[" * 2**20, b"[{" + b'"a":0,' * 2**20):
            self.assertRaises(NotAnArrayError, parse, flood)

    def test_nonsense_in_long(self) -> None:
        """A long value that makes no sense is refused."""
        filler = '"' + "x" * 2**17 + '"'
        for text in (
            f'[{{"a":tru,"b":{filler}}}]',
            f'[{{"b":{filler},"a":[1}}}}]',
            f'[{{"a":{filler}',
        ):
            self.assertRaises(NotAnArrayError, parse, text.encode())

    def test_large_in_small_pieces(self) -> None:
        """A value in small pieces is tried again only each time its length has doubled."""
        attempts: list[int] = []

        class Counting:
            def raw_decode(self, text: str, position: int) -> tuple[Any, int]:
                attempts.append(len(text))
                return decoder.raw_decode(text, position)

        self.patch(json_array, "decoder", Counting())
        text = json.dumps([{"a": "word" * 200_000, "id": 1}]).encode()
        pieces = [text[start : start + 50] for start in range(0, len(text), 50)]
        self.assertEqual(parse(*pieces, wanted=("id",)), [{"id": 1}])
        self.assertLess(len(attempts), 20)

    @settings(deadline=None)
    @given(st.lists(VALUES, max_size=5), st.lists(st.integers(0, 400)), st.sampled_from([None, 3]))
    @example([1e300, 5e-324, -0.0], list(range(100)), None)
    def test_any_slices(self, values: list[Any], cuts: list[int], indent: int | None) -> None:
        """In whatever slices an array comes, its values are those that `json.loads` gives."""
        for ascii_only in (True, False):
            text = json.dumps(values, indent=indent, ensure_ascii=ascii_only)
            data = text.encode()
            ends = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
            pieces = [data[start:end] for start, end in pairwise(ends)]
            self.assertEqual(parse(*pieces), json.loads(data))
            self.assertEqual(parse(*(bytes([byte]) for byte in data)), json.loads(data))
