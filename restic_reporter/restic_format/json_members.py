"""
Reads the wanted members of a JSON object from text of any length while it arrives. Pure.

A snapshot of 60,000 paths is 5 MB of text. Only wanted members are built.
"""

import codecs
import json
import re
from collections.abc import Collection, Iterable
from contextlib import suppress
from typing import Any

from attrs import define, field

# Values with at most this many characters are built whole: the C decoder is the fastest.
SMALL = 2**13

# The most lists, maps and members of one long value: each takes a step of Python.
PARTS_LIMIT = 1000

# The most characters of one wanted text. Other wanted members may have `SMALL`.
TEXT_LIMIT = 2**22

_BLANKS = " \t\r\n"
_WHITE = rf"[{_BLANKS}]*+"
_CHARACTERS = r'[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*'
# A number or a name without quotes, not checked further. Python allows this many digits.
_WORD = "[-+.0-9A-Za-z]{1,4300}+"
_SCALAR = f'(?:"{_CHARACTERS}"|{_WORD})'

WHITE_SPACE = re.compile(_WHITE)
_TOKEN = re.compile(rf'"{_CHARACTERS}"|{_WORD}(?=[{_BLANKS},\]}}])|[\[\]{{}}:,]')
_CHARACTERS_ONLY = re.compile(_CHARACTERS)
# Incomplete tokens, which more text could complete.
_PART_OF_ESCAPE = re.compile(r"(?:\\(?:u[0-9a-fA-F]{0,3})?)?")
_PART_OF_WORD = re.compile(_WORD)

# The tokens allowed next, by their first character; 0 means numbers and words.
_VALUE, _ITEM, _FIRST_ITEM = '0"[{', '"0[{', '"0[{]'
_NAME, _FIRST_NAME, _COLON = '"', '"}', ":"
_NAMES = (_NAME, _FIRST_NAME)

# Many tokens in one step.
_ITEMS = re.compile(f"(?:{_SCALAR}{_WHITE},{_WHITE})*")
_MEMBERS = re.compile(f'(?:"{_CHARACTERS}"{_WHITE}:{_WHITE}{_SCALAR}{_WHITE},{_WHITE})*')
_RUNS = {_ITEM: _ITEMS, _FIRST_ITEM: _ITEMS, _NAME: _MEMBERS, _FIRST_NAME: _MEMBERS}


class Ambiguous(dict[str, Any]):
    """A JSON object with a duplicate key, which parsers read in different ways."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    return result if len(result) == len(pairs) else Ambiguous(result)


decoder = json.JSONDecoder(object_pairs_hook=_object)


def utf8_decoder() -> codecs.IncrementalDecoder:
    """
    Return a decoder for UTF-8 that arrives in pieces.

    Invalid bytes become lone surrogates, which the label sanitiser replaces: names that
    differ only there stay distinct.
    """
    return codecs.getincrementaldecoder("utf-8")("surrogateescape")


@define
class MemberScanner:
    """
    Scans one JSON value to its end, and builds the ``wanted`` members of an object.

    It checks the syntax of skipped values, except for numbers and words. It scans each
    character about twice, even if the pieces are small.
    """

    _wanted: Collection[str]
    _expected: str = _VALUE  # empty at the end
    _open: list[str] = field(factory=list)  # the brackets that are still to come
    _parts: int = 0
    _text: str = ""
    _position: int = 0
    _in_string: bool = False
    _names: set[int] = field(factory=set)  # hashes of all names, which may be long
    _members: dict[str, Any] | None = None
    _ambiguous: bool = False
    _wanted_name: str | None = None
    _kept: list[str] | None = None  # the text of the wanted member
    _start: int = 0  # of what is not kept yet
    _room: int = 0

    def feed(self, text: str) -> str | None:
        """
        Scan more text; return the text after the value, ``None`` before its end.

        :raises ValueError: it is not JSON, or has more than `PARTS_LIMIT` parts.
        """
        self._text += text
        while self._expected and self._step():
            pass
        self._keep()
        rest = self._text[self._position :]
        self._position = self._start = 0
        self._text = rest if self._expected else ""
        return None if self._expected else rest

    def result(self) -> dict[str, Any] | None:
        """
        Return the wanted members of an object (`Ambiguous` with a duplicate name), or ``None``.

        :raises ValueError: the value is incomplete.
        """
        if self._expected:
            raise ValueError("truncated value")
        if self._members is not None and self._ambiguous:
            return Ambiguous(self._members)
        return self._members

    def _step(self) -> bool:
        """Scan one token, or several of one kind; return false if it needs more text."""
        if self._in_string:
            return self._rest_of_string()
        self._skip()
        if self._position == len(self._text):
            return False
        first = self._text[self._position]
        kind = first if first in '"[]{}:,' else "0"
        if kind not in self._expected:
            raise ValueError(f"unexpected {first!r}")
        if self._wanted_name is not None and self._kept is None and kind in _VALUE:
            self._start, self._kept = self._position, []
            self._room = TEXT_LIMIT if kind == '"' else SMALL
        match = _TOKEN.match(self._text, self._position)
        if match is None:
            return self._part_of_token(kind)
        self._position = match.end()
        if kind == ":":
            self._expected = _VALUE
        elif kind == ",":
            self._expected = _ITEM if self._open[-1] == "]" else _NAME
        elif kind in "[{":
            self._opened(kind)
        elif kind in "]}":
            self._open.pop()
            self._value_ends()
        elif self._expected in _NAMES:
            self._named(match[0])
        else:
            self._value_ends()
        return True

    def _skip(self) -> None:
        """Skip white space and unwanted tokens."""
        self._position = end_of(WHITE_SPACE, self._text, self._position)
        run = _RUNS.get(self._expected)
        if run is not None and not self._is_in_object():
            end = end_of(run, self._text, self._position)
            if end > self._position:
                self._expected = _NAME if self._expected in _NAMES else _ITEM
                self._position = end

    def _is_in_object(self) -> bool:
        """Return whether the next token belongs to the object itself."""
        return len(self._open) == 1 and self._open[0] == "}"

    def _part_of_token(self, kind: str) -> bool:
        if kind == '"' and not (self._expected in _NAMES and self._is_in_object()):
            self._in_string = True
            self._position += 1
            return True
        if kind == '"':
            incomplete = len(self._text) - self._position <= SMALL
        else:
            incomplete = _PART_OF_WORD.fullmatch(self._text, self._position) is not None
        if not incomplete:
            raise ValueError("unknown word, or a number or name that is too long")
        return False

    def _rest_of_string(self) -> bool:
        self._position = end_of(_CHARACTERS_ONLY, self._text, self._position)
        if self._text.startswith('"', self._position):
            self._position += 1
            self._in_string = False
            if self._expected in _NAMES:
                self._expected = _COLON
            else:
                self._value_ends()
            return True
        if _PART_OF_ESCAPE.fullmatch(self._text, self._position) is None:
            raise ValueError("invalid character in a string")
        return False

    def _opened(self, kind: str) -> None:
        if not self._open and kind == "{":
            self._members = {}
        self._open.append("]" if kind == "[" else "}")
        self._expected = _FIRST_ITEM if kind == "[" else _FIRST_NAME
        self._count_part()

    def _named(self, token: str) -> None:
        self._expected = _COLON
        if self._is_in_object():
            self._count_part()
            name = decoder.decode(token)
            self._ambiguous = self._ambiguous or hash(name) in self._names
            self._names.add(hash(name))
            self._wanted_name = name if name in self._wanted else None

    def _count_part(self) -> None:
        self._parts += 1
        if self._parts > PARTS_LIMIT:
            raise ValueError(f"long value has more than {PARTS_LIMIT} parts")

    def _value_ends(self) -> None:
        if not self._open:
            self._expected = ""
            return
        self._expected = "," + self._open[-1]
        if self._wanted_name is not None and self._is_in_object():
            self._keep()
            self._build(self._wanted_name)
            self._wanted_name = self._kept = None

    def _keep(self) -> None:
        """Keep the text of a wanted member so far."""
        if self._kept is not None:
            self._room -= self._position - self._start
            self._kept.append(self._text[self._start : self._position])
            self._start = self._position
            if self._room < 0:
                self._kept.clear()

    def _build(self, name: str) -> None:
        value = None
        if self._kept:
            # A member that is nested too deeply counts as missing.
            with suppress(RecursionError):
                value = decoder.decode("".join(self._kept))
        if self._members is not None:
            self._members[name] = value


def parse_members(pieces: Iterable[bytes], wanted: Collection[str]) -> Any:
    """
    Parse the JSON value in ``pieces``; for a long one see `MemberScanner.result`.

    Reads all pieces first, so that their own errors come before those of the JSON.

    :raises ValueError: it is not JSON, or has too many parts.
    """
    pieces = iter(pieces)
    try:
        return _parse_members(pieces, wanted)
    except ValueError:
        for _ in pieces:
            pass
        raise


def _parse_members(pieces: Iterable[bytes], wanted: Collection[str]) -> Any:
    utf8, text = utf8_decoder(), ""
    scanner: MemberScanner | None = None
    for piece in pieces:
        text += utf8.decode(piece)
        if scanner is None and len(text) > SMALL:
            scanner = MemberScanner(wanted)
        if scanner is not None:
            _feed_last(scanner, text)
            text = ""
    text += utf8.decode(b"", True)
    if scanner is None:
        try:
            return decoder.decode(text)
        except RecursionError:
            scanner = MemberScanner(wanted)
    _feed_last(scanner, text)
    return scanner.result()


def _feed_last(scanner: MemberScanner, text: str) -> None:
    """Feed text that must end with the value."""
    if (scanner.feed(text) or "").strip(_BLANKS):
        raise ValueError("more than one value")


def end_of(pattern: re.Pattern[str], text: str, position: int) -> int:
    """Return the end of the match of ``pattern``, which may be empty."""
    match = pattern.match(text, position)
    return position if match is None else match.end()
