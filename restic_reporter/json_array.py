"""A long JSON array, read value by value while its bytes arrive."""

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any

from attrs import define, field

from .json_shortener import SHORTEN_AT, TEXT_LIMIT, Shortener, has_many_members, utf8_decoder
from .json_shortener import ValueTooLargeError as ValueTooLargeError

_WHITE = re.compile(r"[ \t\r\n]*")

# What may follow the beginning of a number that has arrived in part.
_NUMBER = re.compile(r"[0-9.eE+-]*")


class NotAnArrayError(ValueError):
    """The text is not a JSON array of complete values."""


class Ambiguous(dict[str, Any]):
    """A JSON object that had one key more than once: readers differ in what they see in it."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    return result if len(result) == len(pairs) else Ambiguous(result)


_decoder = json.JSONDecoder(object_pairs_hook=_object)


def _after(pattern: re.Pattern[str], text: str, position: int) -> int:
    """Where the match of ``pattern``, which may be empty, ends."""
    match = pattern.match(text, position)
    return position if match is None else match.end()


@define
class JSONArrayParser:
    """
    Feed it bytes; get the array's values as soon as each is complete.

    It holds no more than one value that is still incomplete, at most ``value_limit``
    characters after long lists and maps in it were left out: see `Shortener`. One with too
    many members comes as ``None``. A value that is given up and tried again costs no more
    than twice its length in all, however small the pieces are.

    Objects with duplicate keys come as `Ambiguous`. ``left_out`` is how many characters were.
    """

    value_limit: int = TEXT_LIMIT
    left_out: int = 0
    _decode: codecs.IncrementalDecoder = field(factory=utf8_decoder)
    _shortener: Shortener | None = None
    _text: str = ""
    _try_at: int = 0
    _state: str = "start"  # start, first (value or end), value, separator, end

    def feed(self, data: bytes, final: bool = False) -> Iterator[Any]:
        """
        The values that ``data`` completes.

        :raises NotAnArrayError: the text can not become a JSON array.
        :raises ValueTooLargeError: a value has passed a limit.
        """
        text: str | None = self._decode.decode(data, final)
        while text is not None:
            whole = None
            if self._shortener is not None:
                short, rest = self._shortener.feed(text)
                self.left_out += len(text) - len(short) - len(rest or "")
                self._text += short
                if rest is None:
                    break
                whole = self._text = "null" if has_many_members(self._text) else self._text
                self._shortener, self._try_at = None, 0
                text = rest
            self._text += text
            if len(self._text) >= self._try_at or final:
                yield from self._values(final)
            if whole is not None and self._text.startswith(whole):
                raise NotAnArrayError("a value that makes no sense")
            text = None
            if self._is_long():
                self._shortener, text, self._text = Shortener(), self._text, ""
        if len(self._text) > self.value_limit:
            raise ValueTooLargeError(f"one value has more than {self.value_limit} characters")

    def _is_long(self) -> bool:
        """Whether the text is the beginning of a long list or map."""
        return (
            len(self._text) > SHORTEN_AT
            and self._state in ("first", "value")
            and self._text[0] in "[{"
        )

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
                    value, end = _decoder.raw_decode(self._text, position)
                except json.JSONDecodeError as error:
                    self._reject_hopeless(error)
                    break
                except RecursionError:
                    raise NotAnArrayError("values are nested too deeply") from None
                except ValueError:
                    raise NotAnArrayError("a number has too many digits") from None
                if self._may_go_on(position, end) and not final:
                    break
                position = end
                self._state = "separator"
                yield value
        finally:
            self._text = self._text[position:]
            self._try_at = min(2 * len(self._text), self.value_limit + 1)

    def _may_go_on(self, position: int, end: int) -> bool:
        """Whether a value is a number, and might go on in the next piece."""
        if self._text[position] in '{["':
            return False
        return _after(_NUMBER, self._text, end) == len(self._text)

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
