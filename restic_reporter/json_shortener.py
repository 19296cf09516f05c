"""
Long JSON values made short while they arrive, without building what nobody needs. Pure.

A snapshot of 60,000 paths is a megabyte or more of text, of which three members are of interest.
"""

import codecs
import re
from collections.abc import Iterable

from attrs import define, field

# Values with less text are not worth it.
SHORTEN_AT = 2**16

# What one value may have.
VALUE_LIMIT = 32 * 2**20
BRACKETS_LIMIT = 10_000
MEMBERS_LIMIT = 1000

# How much may be left of it.
TEXT_LIMIT = 4 * 2**20

# Lists and maps with more text, in all, are left out.
_KEPT_LIMIT = 2**14

_WHITE = " \t\r\n"

# All up to the next bracket, or to the quote of a string that goes on in the next piece.
_BETWEEN_BRACKETS = re.compile(
    r'[^"\[\]{}]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^"\[\]{}]*+)*+', re.DOTALL
)
# The rest of a string.
_IN_STRING = re.compile(r'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)


class ValueTooLargeError(ValueError):
    """One value is larger than the limit, or has more in it."""


def utf8_decoder() -> codecs.IncrementalDecoder:
    """
    Decodes UTF-8 that arrives in pieces.

    Bytes that are no UTF-8 survive as lone surrogates: the label sanitiser deals with them,
    and two names that differ only there stay two.
    """
    return codecs.getincrementaldecoder("utf-8")("surrogateescape")


@define
class Shortener:
    """
    One list or map whose members that are lists or maps become ``null`` where they are long.

    What is left out is not checked beyond its strings and brackets. It holds no more than a
    few kilobytes of text.
    """

    _open: int = 0
    _in_string: bool = False
    _pending: str = ""
    _member: list[str] | None = None
    _kept: int = 0
    _brackets: int = 0
    _length: int = 0
    _ended: bool = False
    _out: list[str] = field(factory=list)

    def feed(self, text: str) -> tuple[str, str | None]:
        """
        What to take for ``text``, a piece that follows the last one; and what comes after the
        end of the value, ``None`` before that.

        :raises ValueTooLargeError: it has more than `VALUE_LIMIT` characters, or more than
            `BRACKETS_LIMIT` brackets.
        """
        self._length += len(text)
        if self._length > VALUE_LIMIT:
            raise ValueTooLargeError(f"one value has more than {VALUE_LIMIT} characters")
        text, self._pending = self._pending + text, ""
        position = 0
        while position < len(text):
            if self._in_string:
                position = self._string(text, position)
                continue
            end = _end_of(_BETWEEN_BRACKETS, text, position)
            self._emit(text[position:end])
            position = end
            if position == len(text):
                break
            character = text[position]
            position += 1
            if character == '"':
                self._emit(character)
                self._in_string = True
            elif self._bracket(character):
                self._ended = True
                return self._taken(), text[position:]
        return self._taken(), None

    def rest_of(self, text: str) -> str:
        """The same where nothing but white space should follow the value: all that is left."""
        if self._ended:
            return text.strip(_WHITE)[:1]
        short, rest = self.feed(text)
        return short + (rest or "").strip(_WHITE)[:1]

    def _string(self, text: str, position: int) -> int:
        end = text.find('"', position)
        end = len(text) if end < 0 else end
        slash = text.find("\\", position, end)
        if slash >= 0:
            end = _end_of(_IN_STRING, text, slash)
        self._emit(text[position:end])
        if end < len(text):
            if text[end] == '"':
                self._emit('"')
                self._in_string = False
                return end + 1
            # A backslash, whose other half is still to come.
            self._pending = text[end:]
        return len(text)

    def _bracket(self, character: str) -> bool:
        """Whether this one ends the value."""
        self._brackets += 1
        if self._brackets > BRACKETS_LIMIT:
            raise ValueTooLargeError(f"one value has more than {BRACKETS_LIMIT} brackets")
        if character in "[{":
            self._open += 1
            if self._open == 2:
                self._member = []
            self._emit(character)
            return False
        self._emit(character)
        self._open -= 1
        if self._open == 1:
            self._out.extend(["null"] if self._member is None else self._member)
            self._member = None
        return self._open <= 0

    def _emit(self, text: str) -> None:
        if self._open < 2:
            self._out.append(text)
        elif self._member is not None:
            self._kept += len(text)
            self._member.append(text)
            if self._kept > _KEPT_LIMIT:
                self._kept -= sum(map(len, self._member))
                self._member = None

    def _taken(self) -> str:
        out, self._out = self._out, []
        return "".join(out)


def shortened(pieces: Iterable[bytes]) -> str:
    """
    The JSON map whose text arrives in ``pieces``, shortened where it is long.

    It takes all pieces, whatever they are.

    :raises ValueTooLargeError: as in `Shortener`; or more than `TEXT_LIMIT` characters are left.
    :raises ValueError: it is long and not a map.
    """
    decoder, text, problem = utf8_decoder(), "", None
    shortener: Shortener | None = None
    for piece in pieces:
        if problem is not None:
            continue
        more = decoder.decode(piece)
        if shortener is None and len(text) + len(more) > SHORTEN_AT:
            shortener, more, text = Shortener(), text + more, ""
            if more.lstrip(_WHITE)[:1] != "{":
                problem = ValueError("it is no map")
                continue
        if shortener is not None:
            try:
                more = shortener.rest_of(more)
            except ValueTooLargeError as error:
                problem = error
                continue
        text += more
        if len(text) > TEXT_LIMIT:
            problem = ValueTooLargeError(f"more than {TEXT_LIMIT} characters of it are left")
    if problem is not None:
        raise problem
    return text + decoder.decode(b"", True)


def has_many_members(text: str) -> bool:
    """Whether shortened text has so many members that nobody should build them."""
    return len(text) > SHORTEN_AT and text.count('":') > MEMBERS_LIMIT


def _end_of(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return position if match is None else match.end()
