"""A long JSON array, read value by value while its bytes arrive."""

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any

from attrs import define, field

_WHITE = re.compile(r"[ \t\r\n]*")

# What may follow the beginning of a number that has arrived in part.
_NUMBER = re.compile(r"[0-9.eE+-]*")


class NotAnArrayError(ValueError):
    """The text is not a JSON array of complete values."""


class ValueTooLargeError(ValueError):
    """One value of the array is larger than the limit."""


class Ambiguous(dict[str, Any]):
    """A JSON object that had one key more than once: readers differ in what they see in it."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    return result if len(result) == len(pairs) else Ambiguous(result)


_decoder = json.JSONDecoder(object_pairs_hook=_object)


def _utf8() -> codecs.IncrementalDecoder:
    # Bytes that are no UTF-8 survive as lone surrogates: the label sanitiser deals with
    # them, and two names that differ only there stay two.
    return codecs.getincrementaldecoder("utf-8")("surrogateescape")


def _after(pattern: re.Pattern[str], text: str, position: int) -> int:
    """Where the match of ``pattern``, which may be empty, ends."""
    match = pattern.match(text, position)
    return position if match is None else match.end()


@define
class JSONArrayParser:
    """
    Feed it bytes; get the array's values as soon as each is complete.

    It holds no more than one value that is still incomplete, at most ``value_limit``
    characters. A value that is given up and tried again costs no more than twice its
    length in all, however small the pieces are.

    Objects with duplicate keys come as `Ambiguous`.
    """

    value_limit: int = 4 * 2**20
    _decode: codecs.IncrementalDecoder = field(factory=_utf8)
    _text: str = ""
    _try_at: int = 0
    _state: str = "start"  # start, first (value or end), value, separator, end

    def feed(self, data: bytes, final: bool = False) -> Iterator[Any]:
        """
        The values that ``data`` completes.

        :raises NotAnArrayError: the text can not become a JSON array.
        :raises ValueTooLargeError: an incomplete value has passed the limit.
        """
        self._text += self._decode.decode(data, final)
        if len(self._text) < self._try_at and not final:
            return
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
                    value, end = _decoder.raw_decode(self._text, position)
                except json.JSONDecodeError as error:
                    self._reject_hopeless(error)
                    break
                except RecursionError:
                    raise NotAnArrayError("values are nested too deeply") from None
                except ValueError:
                    raise NotAnArrayError("a number has too many digits") from None
                if not final and _after(_NUMBER, self._text, end) == len(self._text):
                    break  # a number might go on in the next piece
                position = end
                self._state = "separator"
                yield value
        finally:
            self._text = self._text[position:]
            self._try_at = min(2 * len(self._text), self.value_limit + 1)
        if len(self._text) > self.value_limit:
            raise ValueTooLargeError(f"one value has more than {self.value_limit} characters")

    def close(self) -> Iterator[Any]:
        """The values that the end of the text completes; raises unless the array is whole."""
        yield from self.feed(b"", final=True)
        if self._state != "end":
            raise NotAnArrayError("the text ends within the array")

    def _skip_white(self, position: int) -> int:
        return _after(_WHITE, self._text, position)

    def _punctuation(self, position: int) -> int:
        """Pass the character that must stand before a value, if one is due."""
        character = self._text[position]
        if self._state == "start" and character == "[":
            self._state = "first"
        elif self._state == "separator" and character in ",]":
            self._state = "value" if character == "," else "end"
        elif self._state in ("start", "separator", "end"):
            raise NotAnArrayError(f"{character!r} where it cannot stand")
        else:
            return position
        return position + 1

    def _reject_hopeless(self, error: json.JSONDecodeError) -> None:
        """
        Raise unless more text could mend the error.

        The decoder reports an unfinished string where it began and anything else where it
        stopped understanding: before the last few characters that is no lack of text.
        """
        if error.msg.startswith("Unterminated string"):
            return
        if error.pos < len(self._text) - len("-Infinity"):
            raise NotAnArrayError(error.msg) from None
