"""Tests of `restic_reporter.restic_format.json_members`."""

import json
import tracemalloc
from collections.abc import Iterable, Iterator
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.restic_format.json_members import (
    PARTS_LIMIT,
    SMALL,
    TEXT_LIMIT,
    Ambiguous,
    MemberScanner,
    decoder,
    parse_members,
)
from restic_reporter.restic_format.snapshot_json import parse_snapshot

# Brackets, quotes and backslashes in strings are what could lead astray.
TEXTS = st.text(st.sampled_from('[]{}"\\ü,:n\n')) | st.text()
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)
NESTED_TEXTS = st.recursive(
    TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=6,
)
# Members that are wanted, and that others are not.
MEMBERS = frozenset(("id", "time", "hostname", "username"))

NAMES = st.sampled_from(sorted(MEMBERS)) | TEXTS
# Of pairs, not of a map, so that names come twice.
PAIRS = st.lists(st.tuples(NAMES, VALUES), max_size=6)

Layout = dict[str, Any]
LAYOUTS: Any = st.fixed_dictionaries(
    {"indent": st.sampled_from([None, 0, 1]), "ensure_ascii": st.booleans()}
)


def written(pairs: Iterable[tuple[str, Any]], layout: Layout) -> str:
    """An object with these members, in their order."""
    blank = "" if layout["indent"] is None else " \n"
    members = (
        f"{json.dumps(name, **layout)}{blank}:{blank}{json.dumps(value, **layout)}"
        for name, value in pairs
    )
    return f"{{{blank}{f'{blank},{blank}'.join(members)}{blank}}}"


def pieces_of(text: Any, size: int) -> Iterator[Any]:
    """``text`` in pieces of this size."""
    return (text[start : start + size] for start in range(0, len(text), size))


def scan(text: str, size: int = 2**16, wanted: Iterable[str] = MEMBERS) -> tuple[Any, str]:
    """What a scanner makes of ``text`` in pieces of this size, and what follows it."""
    scanner, rest = MemberScanner(frozenset(wanted)), ""
    for piece in pieces_of(text, size):
        rest += scanner.feed(piece) or ""
    return scanner.result(), rest


class MemberScannerTests(SynchronousTestCase):
    """`MemberScanner`."""

    @settings(deadline=None)
    @given(PAIRS, LAYOUTS, st.integers(1, 12), st.sets(NAMES))
    @example([("id", "\\"), ("id", [])], {"indent": None, "ensure_ascii": True}, 1, set())
    def test_same_as_decoder(
        self, pairs: list[tuple[str, Any]], layout: Layout, size: int, more: set[str]
    ) -> None:
        """In whatever pieces an object comes, its members are those that the decoder gives."""
        text, wanted = written(pairs, layout), MEMBERS | more
        whole = decoder.decode(text)
        expected = {name: value for name, value in whole.items() if name in wanted}
        for follows in ("", ', "more"]'):
            found, rest = scan(text + follows, size, wanted)
            # repr: NaN is not equal to itself.
            self.assertEqual((repr(found), rest), (repr(expected), follows))
            self.assertIs(type(found), type(whole))
        self.assertEqual(parse_snapshot(found), parse_snapshot(whole))

    @settings(deadline=None)
    @given(VALUES, LAYOUTS, st.integers(1, 12))
    def test_other_values(self, value: Any, layout: Layout, size: int) -> None:
        """The end of any value is found; only an object has members."""
        text = json.dumps(value, **layout)
        found, rest = scan(text + ",", size)
        self.assertEqual((found is not None, rest), (isinstance(value, dict), ","))

    @settings(deadline=None)
    @given(
        st.lists(st.tuples(NAMES, NESTED_TEXTS), max_size=6),
        st.integers(1, 200),
        st.sampled_from('[]{}",:\\\n'),
        st.integers(1, 12),
    )
    def test_broken(
        self, pairs: list[tuple[str, Any]], place: int, character: str, size: int
    ) -> None:
        """With one character changed it is refused where the decoder refuses it, but for words."""
        text = written(pairs, {"indent": None, "ensure_ascii": True})
        text = text[:place] + character + text[place + 1 :]
        try:
            whole, end = decoder.raw_decode(text)
        except ValueError:
            self.assertRaises(ValueError, scan, text, size)
        else:
            found, rest = scan(text + ",", size)
            expected = type(whole) if isinstance(whole, dict) else type(None)
            self.assertEqual((type(found), rest), (expected, text[end:] + ","))

    def test_parts(self) -> None:
        """A flood of lists, maps or members is refused soon, and wherever it is."""
        for flood in ('{"a":[' + "[]," * 2**20, "[" * 2**20, '{"a":0,' + '"b":0,' * 2**20):
            taken = 0

            def pieces(text: str) -> Iterator[str]:
                nonlocal taken
                for piece in pieces_of(text, 2**12):
                    taken += 1
                    yield piece

            scanner = MemberScanner(MEMBERS)
            with self.assertRaises(ValueError):
                for piece in pieces(flood):
                    scanner.feed(piece)
            self.assertLess(taken, 4)

    def test_scalars(self) -> None:
        """There may be any number of texts and numbers: that many paths are usual."""
        for value in (["/x"] * 10**5, [1.5e-3] * 10**5, dict.fromkeys(map(str, range(10**5)))):
            text = json.dumps({"paths": value, "id": "x", "summary": value})
            for size in (1000, 2**16):
                self.assertEqual(scan(text, size), ({"id": "x"}, ""))

    def test_long_wanted(self) -> None:
        """A wanted member that is too long is None; what follows it is read."""
        for value, kept in (
            ("h" * (TEXT_LIMIT - 2), True),
            ("h" * TEXT_LIMIT, False),
            ([0] * (SMALL // 4), True),
            ([0] * SMALL, False),
        ):
            found, _ = scan(json.dumps({"hostname": value, "id": "x"}), 2**12)
            self.assertEqual(found, {"hostname": value if kept else None, "id": "x"})

    def test_deep(self) -> None:
        """Nesting takes no stack; a wanted member that nobody can build is None."""
        deep = "[" * (PARTS_LIMIT - 10) + "]" * (PARTS_LIMIT - 10)
        self.assertEqual(scan(f'{{"a":{deep},"id":"x"}}'), ({"id": "x"}, ""))
        deep = "[" * (PARTS_LIMIT + 1)
        self.assertRaises(ValueError, scan, f'{{"a":{deep}')

    def test_memory(self) -> None:
        """What is skipped is not held, nor what is too long, nor names."""
        for start, piece in (
            ('{"paths":["', "x" * 2**16),
            ('{"paths":["', "/x\\n" * 2**14),
            ('{"hostname":["', "x" * 2**16),
            ('{"paths":[0', ",0" * 2**15),
            ('{"paths":', " " * 2**16),
        ):
            scanner = MemberScanner(MEMBERS)
            scanner.feed(start)
            tracemalloc.start()
            try:
                for _ in range(300):
                    scanner.feed(piece)
                kept, most = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            self.assertLess(kept, 2**17)
            # The regular expression's own stack is a part of it.
            self.assertLess(most, 8 * 2**20)

    def test_long_names(self) -> None:
        """A name, number or word that is too long is refused, a name in what is skipped is not."""
        name = "n" * 2**17
        self.assertEqual(scan(f'{{"a":{{"{name}":1}},"id":"x"}}', 5000), ({"id": "x"}, ""))
        for text in (f'{{"{name}', f'{{"a":{name}', f'{{"a":{"1" * 5000},'):
            self.assertRaises(ValueError, scan, text, 1000)

    def test_linear(self) -> None:
        """However small the pieces, no text is copied again and again."""
        for text in ('{"a":"' + "x" * 10**5, '{"id":"' + "x" * 10**5, '{"a":[' + '"x",' * 10**5):
            scanner, copied = MemberScanner(MEMBERS), 0
            for piece in pieces_of(text, 50):
                tracemalloc.start()
                try:
                    scanner.feed(piece)
                    copied = max(copied, tracemalloc.get_traced_memory()[1])
                finally:
                    tracemalloc.stop()
            self.assertLess(copied, 20_000)


class ParseMembersTests(SynchronousTestCase):
    """`parse_members`."""

    @settings(deadline=None)
    @given(PAIRS, st.integers(1, 40), st.booleans())
    def test_any_length(self, pairs: list[tuple[str, Any]], size: int, first: bool) -> None:
        """The same snapshot comes of a short text and of a long one, in whatever pieces."""
        layout = {"indent": None, "ensure_ascii": True}
        paths = ("paths", ["/some/path"] * SMALL)
        short = written([*pairs, ("paths", [])], layout).encode()
        long = written([paths, *pairs] if first else [*pairs, paths], layout).encode()
        expected = parse_snapshot(decoder.decode(short.decode()))
        whole = parse_snapshot(parse_members(pieces_of(short, size), MEMBERS))
        self.assertEqual(whole, expected)
        pieces = pieces_of(long, size * 1000)
        self.assertEqual(parse_snapshot(parse_members(pieces, MEMBERS)), expected)

    def test_duplicates(self) -> None:
        """A name that comes twice is noticed, escaped or not, wanted or not."""
        for twice in ('"id":1,"\\u0069d":1', '"a":1,"a":2'):
            for paths in ("[]", json.dumps(["/x"] * SMALL)):
                text = f'{{{twice},"paths":{paths}}}'.encode()
                self.assertIsInstance(parse_members([text], MEMBERS), Ambiguous)

    def test_invalid_utf8(self) -> None:
        """Two names that differ only in bytes that are no UTF-8 stay two."""
        paths = json.dumps(["/x"] * SMALL).encode()
        for byte in (b"\xff", b"\xfe"):
            for pieces in (1000, 1001):
                text = b'{"paths":%b,"hostname":"%b"}' % (paths, byte)
                found = parse_members(pieces_of(text, pieces), MEMBERS)
                self.assertEqual(found, {"hostname": byte.decode("utf-8", "surrogateescape")})

    def test_more_behind(self) -> None:
        """Something else behind a value spoils it, wherever its piece begins."""
        for text in (b"{}", json.dumps({"a": ["x"] * SMALL}).encode()):
            self.assertEqual(parse_members([b" ", text, b" ", b"\n"], ()), {})
            for pieces in ([text + b"x"], [text, b" ", b"{}"]):
                self.assertRaises(ValueError, parse_members, pieces, ())

    def test_deep(self) -> None:
        """Nesting beyond what Python can build is skipped in a short value too."""
        for paths in (b"[]", json.dumps(["/x"] * SMALL).encode()):
            deep = b"[" * 900 + b"]" * 900
            text = b'{"a":%b,"id":"x","paths":%b}' % (deep, paths)
            self.assertEqual(parse_members([text], MEMBERS)["id"], "x")

    def test_takes_all(self) -> None:
        """All pieces are taken, whatever they are, so that their own error comes out."""

        def pieces(start: bytes) -> Iterator[bytes]:
            yield start
            for _ in range(9):
                yield b"0," * 2**16
            raise ZeroDivisionError

        for start in (b"[", b'"', b"0", b" ", b"\xff"):
            self.assertRaises(ZeroDivisionError, parse_members, pieces(start), MEMBERS)
