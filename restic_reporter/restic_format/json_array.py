"""Parses a long JSON array value by value while its bytes arrive."""

import codecs
import json
import re
from collections.abc import Collection, Iterator
from typing import Any

from attrs import define, field

from .json_members import SMALL, WHITE_SPACE, MemberScanner, decoder, end_of, utf8_decoder

# Characters that may continue a number.
_NUMBER = re.compile(r"[0-9.eE+-]*")


class NotAnArrayError(ValueError):
    """The text is not a JSON array of complete values."""


@define
class JSONArrayParser:
    """
    Feed it bytes; it returns the array's values as soon as they are complete.

    For an object of more than `SMALL` characters it builds only the ``wanted`` members; any
    other value of that length becomes ``None``. An object with duplicate keys becomes
    `Ambiguous`.

    It holds a few kilobytes and the wanted members of one value. It scans each character a
    few times, even if the pieces are small.
    """

    wanted: Collection[str] = ()
    _decode: codecs.IncrementalDecoder = field(factory=utf8_decoder)
    _scanner: MemberScanner | None = None
    _text: str = ""
    _try_at: int = 0
    _state: str = "start"  # start, first (value or end), value, separator, end

    def feed(self, data: bytes, final: bool = False) -> Iterator[Any]:
        """
        Yield the values that ``data`` completes.

        :raises NotAnArrayError: the text cannot become a JSON array.
        """
        text = self._decode.decode(data, final)
        for start in range(0, len(text) or 1, SMALL):
            yield from self._feed(text[start : start + SMALL], final)

    def _feed(self, text: str, final: bool) -> Iterator[Any]:
        rest: str | None = text
        while rest is not None:
            if self._scanner is None:
                self._text += rest
                if len(self._text) < self._try_at and not final:
                    return
                yield from self._values(final)
                if self._scanner is None:
                    return
                rest, self._text = self._text, ""
            scanner = self._scanner
            try:
                rest = scanner.feed(rest)
            except ValueError as error:
                raise NotAnArrayError(str(error)) from None
            if rest is not None:
                self._scanner, self._state, self._try_at = None, "separator", 0
                yield scanner.result()

    def _values(self, final: bool) -> Iterator[Any]:
        position = 0
        try:
            while True:
                position = self._skip_white(position)
                if position == len(self._text):
                    break
                position = self._punctuation(position)
                if self._state not in ("first", "value"):
                    continue
                position = self._skip_white(position)
                if position == len(self._text):
                    break
                if self._state == "first" and self._text[position] == "]":
                    self._state = "end"
                    position += 1
                    continue
                try:
                    value, end = decoder.raw_decode(self._text, position)
                except json.JSONDecodeError as error:
                    self._raise_unless_incomplete(error)
                    break
                except RecursionError:
                    self._scanner = MemberScanner(self.wanted)
                    break
                except ValueError:
                    raise NotAnArrayError("number has too many digits") from None
                if self._may_continue(position, end) and not final:
                    break
                if end - position > SMALL:
                    # Same result as with smaller pieces.
                    self._scanner = MemberScanner(self.wanted)
                    break
                position = end
                self._state = "separator"
                yield value
        finally:
            self._text = self._text[position:]
            self._try_at = min(2 * len(self._text), SMALL + 1)
        if len(self._text) > SMALL and self._state in ("first", "value"):
            self._scanner = MemberScanner(self.wanted)

    def _may_continue(self, position: int, end: int) -> bool:
        """Return whether the value is a number that may continue in the next piece."""
        if self._text[position] in '{["':
            return False
        return end_of(_NUMBER, self._text, end) == len(self._text)

    def close(self) -> Iterator[Any]:
        """Yield the last values; raise unless the array is complete."""
        yield from self.feed(b"", final=True)
        if self._state != "end":
            raise NotAnArrayError("truncated JSON array")

    def _skip_white(self, position: int) -> int:
        return end_of(WHITE_SPACE, self._text, position)

    def _punctuation(self, position: int) -> int:
        """Skip the character that must precede a value, if one is due."""
        character = self._text[position]
        if self._state == "start" and character == "[":
            self._state = "first"
        elif self._state == "separator" and character in ",]":
            self._state = "value" if character == "," else "end"
        elif self._state in ("start", "separator", "end"):
            raise NotAnArrayError(f"unexpected {character!r}")
        else:
            return position
        return position + 1

    def _raise_unless_incomplete(self, error: json.JSONDecodeError) -> None:
        """
        Raise unless more text could fix the error.

        The decoder reports an unfinished string at its start, and any other error at its own
        position: before the last few characters, more text does not help.
        """
        if error.msg.startswith("Unterminated string"):
            return
        if error.pos < len(self._text) - len("-Infinity"):
            raise NotAnArrayError(error.msg) from None
