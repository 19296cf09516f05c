"""The names in a folder of a repository, as restic's REST protocol lists them. Pure."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from .json_array import JSONArrayParser, NotAnArrayError, ValueTooLargeError

_FILE_NAME = re.compile(r"[0-9a-f]{64}")

_SLICE = 2**16


def is_file_name(name: object) -> bool:
    """
    Whether restic takes a file of this name for one of its own: 64 hex digits.

    Anything else in a folder, an upload in progress for instance, it passes over.
    """
    return isinstance(name, str) and _FILE_NAME.fullmatch(name) is not None


def parse_names(body: bytes) -> frozenset[str]:
    """
    The file names in a listing of version 1 (names) or 2 (maps with ``name`` and ``size``).

    :raises ValueError: it is neither.
    """
    try:
        values = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None
    if values is None:  # how some servers write an empty list
        return frozenset()
    if not isinstance(values, list):
        raise ValueError("not a JSON array")
    return _names(values)


def parse_names_in_slices(body: bytes) -> Iterator[frozenset[str]]:
    """
    Like `parse_names`, a slice of 64 KiB at each step, for listings that are so long that
    parsing them at once would hold up everything else.
    """
    parser = JSONArrayParser(value_limit=_SLICE)
    try:
        for start in range(0, len(body), _SLICE):
            yield _names(parser.feed(body[start : start + _SLICE]))
        yield _names(parser.close())
    except (NotAnArrayError, ValueTooLargeError) as error:
        raise ValueError(str(error)) from None


def _names(values: Iterable[Any]) -> frozenset[str]:
    is_match: Any = _FILE_NAME.fullmatch
    names = [value.get("name") if isinstance(value, dict) else value for value in values]
    try:
        return frozenset(filter(is_match, names))
    except TypeError:
        raise ValueError("an entry without a name") from None
