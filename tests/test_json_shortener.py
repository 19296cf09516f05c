"""Tests of `restic_reporter.json_shortener`."""

import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter import json_shortener
from restic_reporter.json_array import JSONArrayParser, NotAnArrayError
from restic_reporter.json_shortener import (
    BRACKETS_LIMIT,
    MEMBERS_LIMIT,
    SHORTEN_AT,
    Shortener,
    ValueTooLargeError,
    has_many_members,
    shortened,
)

# Brackets, quotes and backslashes in strings are what could lead astray.
TEXTS = st.text(st.sampled_from('[]{}"\\ü,:n')) | st.text()
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)
MAPS = st.dictionaries(TEXTS, VALUES, max_size=6)


def pieces_of(text: str, size: int) -> Iterator[str]:
    """``text`` in pieces of this size."""
    return (text[start : start + size] for start in range(0, len(text), size))


def short(text: str, size: int) -> tuple[str, str | None]:
    """What `Shortener` gives for ``text`` in pieces of this size."""
    shortener, out, rest = Shortener(), "", None
    for piece in pieces_of(text, size):
        if rest is not None:
            rest += piece
            continue
        more, rest = shortener.feed(piece)
        out += more
    return out, rest


class ShortenerTests(SynchronousTestCase):
    """`Shortener`."""

    @given(MAPS, st.integers(1, 9), st.booleans(), st.sampled_from([None, 1]))
    @settings(deadline=None)
    def test_as_it_is(
        self, value: dict[str, Any], size: int, ascii_only: bool, indent: int | None
    ) -> None:
        """What is not long stays as it is, in whatever pieces it comes."""
        text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
        self.assertEqual(short(text, size), (text, ""))
        self.assertEqual(short(text + ', "more"]', size), (text, ', "more"]'))

    @given(MAPS, st.integers(1, 9), st.booleans())
    @settings(deadline=None)
    def test_long_members(self, value: dict[str, Any], size: int, ascii_only: bool) -> None:
        """Members that are lists or maps and too long become null, and no others."""
        text = json.dumps(value, ensure_ascii=ascii_only)
        self.patch(json_shortener, "_KEPT_LIMIT", 1)
        expected = {
            key: None if isinstance(one, list | dict) else one for key, one in value.items()
        }
        out, rest = short(text, size)
        self.assertEqual((json.loads(out), rest), (expected, ""))

    def test_room(self) -> None:
        """The short ones are kept though a long one comes first, as far as all fit."""
        value = {"paths": ["/x" * 20] * 1000, "tags": ["a"], "summary": {"n": 1}}
        out, _ = short(json.dumps(value), 1000)
        self.assertEqual(json.loads(out), {**value, "paths": None})
        many = {str(number): ["x" * 1000] for number in range(100)}
        out, _ = short(json.dumps(many), 1000)
        kept = [one for one in json.loads(out).values() if one is not None]
        self.assertTrue(10 <= len(kept) <= 16, len(kept))

    def test_limits(self) -> None:
        """More brackets or characters than a snapshot can have end it."""
        many = '{"a":[' + "[]," * BRACKETS_LIMIT
        self.assertRaises(ValueTooLargeError, short, many, 1000)
        self.patch(json_shortener, "VALUE_LIMIT", 10_000)
        self.assertRaises(ValueTooLargeError, short, '{"a":["' + "x" * 10_001, 1000)

    def test_memory(self) -> None:
        """What is left out is not held."""
        shortener = Shortener()
        shortener.feed('{"paths":["')
        piece = "x" * 2**16
        tracemalloc.start()
        try:
            for _ in range(300):
                shortener.feed(piece)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        self.assertLess(most, 2**20)


class ShortenedTests(SynchronousTestCase):
    """`shortened`."""

    @given(MAPS, st.integers(1, 9))
    @settings(deadline=None)
    def test_pieces(self, value: dict[str, Any], size: int) -> None:
        """In whatever pieces it comes, whether it is shortened or not, it is the same value."""
        for at in (0, SHORTEN_AT):
            self.patch(json_shortener, "SHORTEN_AT", at)
            data = json.dumps(value, ensure_ascii=False).encode() + b" \n"
            pieces = [data[start : start + size] for start in range(0, len(data), size)]
            self.assertEqual(json.loads(shortened(pieces)), value)

    def test_more_behind(self) -> None:
        """Something else behind a long value spoils it, wherever its piece begins."""
        text = json.dumps({"a": ["x" * 100] * 2000}).encode()
        self.assertEqual(json.loads(shortened([text, b" ", b"\n"])), {"a": None})
        for pieces in ([text + b"x"], [text, b" ", b"{}"]):
            self.assertRaises(ValueError, json.loads, shortened(pieces))

    def test_no_map(self) -> None:
        """A long list or text is refused, after all of it was taken."""
        taken: list[int] = []

        def pieces(start: bytes) -> Iterator[bytes]:
            yield start
            for number in range(9):
                taken.append(number)
                yield b"0," * 2**16

        for start in (b"[", b'"', b"0", b" "):
            self.assertRaises(ValueError, shortened, pieces(start))
        self.assertEqual(len(taken), 4 * 9)

    def test_long_text(self) -> None:
        """A text of megabytes is kept; too much of it is refused."""
        value = {"hostname": "h" * 2**21}
        self.assertEqual(json.loads(shortened([json.dumps(value).encode()])), value)
        self.assertRaises(ValueTooLargeError, shortened, [b'{"hostname":"' + b"h" * 2**23])

    def test_members(self) -> None:
        """A flood of members is seen before they are built."""
        flood = "{" + ",".join(f'"{number}":0' for number in range(20_000)) + "}"
        self.assertTrue(has_many_members(shortened([flood.encode()])))
        self.assertFalse(has_many_members(json.dumps({"hostname": "h" * 2**17})))
        self.assertGreater(20_000, MEMBERS_LIMIT)


class StreamTests(SynchronousTestCase):
    """Long values in a list that restic prints."""

    def parse(self, text: str, size: int = 2**14) -> list[Any]:
        """The values in ``text``."""
        self.parser = JSONArrayParser()
        values: list[Any] = []
        for piece in pieces_of(text, size):
            values += self.parser.feed(piece.encode())
        return values + list(self.parser.close())

    def test_between(self) -> None:
        """A long value between short ones is shortened, and they are not."""
        paths = [f"/home/user/some/path/{number}" for number in range(60_000)]
        long = {"time": "t", "paths": paths, "id": "x", "tags": ["a"]}
        one = {"paths": ["/a"], "id": "y"}
        expected = [one, {**long, "paths": None}, one, {**long, "paths": None}]
        text = json.dumps([one, long, one, long])
        for size in (999, 2**16):
            self.assertEqual(self.parse(text, size), expected)
            self.assertGreater(self.parser.left_out, 2_000_000)
            self.assertLess(len(text) - self.parser.left_out, 2 * 10**4)

    def test_members(self) -> None:
        """A flood of members comes as None, and the others as they are."""
        flood = "{" + ",".join(f'"{number}":0' for number in range(20_000)) + "}"
        self.assertEqual(
            self.parse(f'[{{"id":1}},{flood},{{"id":2}}]'), [{"id": 1}, None, {"id": 2}]
        )

    def test_brackets(self) -> None:
        """A flood of brackets ends it, in the value where it is."""
        self.assertRaises(ValueTooLargeError, self.parse, '[{"a":[' + "[]," * 2**20)
        self.assertRaises(NotAnArrayError, self.parse, "[" * 2**20)

    def test_nonsense(self) -> None:
        """A long value that makes no sense is refused."""
        filler = '"' + "x" * 2**17 + '"'
        for text in (f'[{{"a":tru,"b":{filler}}}]', f'[{{"a":{filler},"b":tru}}]'):
            self.assertRaises(NotAnArrayError, self.parse, text)
        self.assertRaises(NotAnArrayError, self.parse, f'[{{"a":{filler}')
