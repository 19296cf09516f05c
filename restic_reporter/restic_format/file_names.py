"""The names in a folder of a repository: telling them apart, and parsing lists of them. Pure."""

import json
import re
from collections.abc import Iterable, Iterator, Set
from typing import Any

from attrs import define

from .json_array import JSONArrayParser, NotAnArrayError

_FILE_NAME = re.compile(r"[0-9a-f]{64}")

_SLICE = 2**16

Fingerprint = tuple[int, int]


def is_file_name(name: object) -> bool:
    """
    Whether restic takes a file of this name for one of its own: 64 hex digits.

    Anything else in a folder, an upload in progress for instance, it passes over.
    """
    return isinstance(name, str) and _FILE_NAME.fullmatch(name) is not None


def fingerprint(names: Set[str]) -> Fingerprint:
    """
    A short stand-in for a set of names, the same only for the same set.

    Python's own hash is keyed with a random number at each start, so nobody can make up
    names that collide, and it does not hold the reactor up as a digest of 100,000 would.
    """
    if isinstance(names, ListedNames):
        return names.fingerprint
    return len(names), hash(frozenset(names))


@define
class ListingMemo:
    """In short, the list of one folder that came last, and what it was of."""

    body: tuple[int, int] | None = None
    names: Fingerprint | None = None


class ListedNames(Set[str]):
    """
    The names in a list as `parse_names` takes it, which is not parsed where it is the same,
    byte by byte, as the one before and all that is asked is whether it is: that is most of
    what an unchanged repository would cost.
    """

    def __init__(self, body: bytes, memo: ListingMemo) -> None:
        """
        ``memo`` is that of the folder.

        :raises ValueError: it is no such list.
        """
        self._body = body
        self._parsed: frozenset[str] | None = None
        shown = (len(body), hash(body))
        if memo.names is None or memo.body != shown:
            self._parsed = parse_names(body)
            memo.body, memo.names = shown, fingerprint(self._parsed)
        self.fingerprint: Fingerprint = memo.names

    @property
    def _names(self) -> frozenset[str]:
        if self._parsed is None:
            self._parsed = parse_names(self._body)
        return self._parsed

    def __len__(self) -> int:
        return self.fingerprint[0]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    @classmethod
    def _from_iterable(cls, names: Iterable[Any]) -> Any:
        return frozenset(names)


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
    parser = JSONArrayParser(wanted=("name",))
    try:
        for start in range(0, len(body), _SLICE):
            yield _names(parser.feed(body[start : start + _SLICE]))
        yield _names(parser.close())
    except NotAnArrayError as error:
        raise ValueError(str(error)) from None


def _names(values: Iterable[Any]) -> frozenset[str]:
    is_match: Any = _FILE_NAME.fullmatch
    names = [value.get("name") if isinstance(value, dict) else value for value in values]
    try:
        return frozenset(filter(is_match, names))
    except TypeError:
        raise ValueError("an entry without a name") from None
