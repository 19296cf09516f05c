"""The file names in a folder of a repository: checks them, and parses lists of them. Pure."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Set
from hashlib import sha256
from heapq import merge
from itertools import islice
from typing import Any

from attrs import define

from ..model.columns import SLICE, Steps
from .json_array import JSONArrayParser, NotAnArrayError

_FILE_NAME = re.compile(r"[0-9a-f]{64}")

_SLICE = 2**16

# Digesting so many names takes about five milliseconds.
MANY_NAMES = 2**14

# The number of names, and the digest of them all.
Fingerprint = tuple[int, str]


def is_file_name(name: object) -> bool:
    """
    Return whether restic would use a file of this name: 64 hex digits.

    restic ignores all other names, such as those of uploads in progress.
    """
    return isinstance(name, str) and _FILE_NAME.fullmatch(name) is not None


def fingerprint(names: Set[str]) -> Fingerprint:
    """
    Return a short value that is equal only for equal sets of names, across restarts too.

    For more than `MANY_NAMES` that would block the reactor: the value is another after a
    restart then, unless it is made by `fingerprint_in_steps`.
    """
    if isinstance(names, ListedNames):
        return names.fingerprint
    if len(names) > MANY_NAMES:
        # Keyed with a random number at each start, so names cannot be made to collide.
        return len(names), f"{hash(frozenset(names)):x}"
    return len(names), sha256("".join(sorted(names)).encode()).hexdigest()


def fingerprint_in_steps(names: Set[str]) -> Steps[Fingerprint]:
    """Return the `fingerprint` of any number of names, equal across restarts, in short steps."""
    if isinstance(names, ListedNames) or len(names) <= MANY_NAMES:
        return fingerprint(names)
    remaining, slices = iter(names), []
    while some := sorted(islice(remaining, SLICE)):
        slices.append(some)
        yield
    digest, ordered = sha256(), merge(*slices)
    while text := "".join(islice(ordered, SLICE)):
        digest.update(text.encode())
        yield
    return len(names), digest.hexdigest()


@define
class ListingMemo:
    """Hashes of the latest listing of a folder: of its body and of its names."""

    body: tuple[int, int] | None = None
    names: Fingerprint | None = None


class ListedNames(Set[str]):
    """
    The names in a listing, as ``parse`` returns them: `parse_names`, or a backend's own.

    A listing equal to the previous one, byte by byte, is parsed only when its names are
    needed: parsing is most of the cost of an unchanged repository.
    """

    def __init__(
        self,
        body: bytes,
        memo: ListingMemo,
        parse: Callable[[bytes], frozenset[str]] | None = None,
    ) -> None:
        """
        ``memo`` is that of the folder.

        :raises ValueError: the listing is invalid.
        """
        self._body = body
        self._parse = parse or parse_names
        self._parsed: frozenset[str] | None = None
        shown = (len(body), hash(body))
        if memo.names is None or memo.body != shown:
            self._parsed = self._parse(body)
            memo.body, memo.names = shown, fingerprint(self._parsed)
        self.fingerprint: Fingerprint = memo.names

    @property
    def _names(self) -> frozenset[str]:
        if self._parsed is None:
            self._parsed = self._parse(self._body)
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
    Parse a listing of version 1 (names) or 2 (maps with ``name`` and ``size``).

    :raises ValueError: it is neither.
    """
    try:
        values = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None
    if values is None:  # an empty list of some servers
        return frozenset()
    if not isinstance(values, list):
        raise ValueError("not a JSON array")
    return _names(values)


def parse_names_in_slices(body: bytes) -> Iterator[frozenset[str]]:
    """
    Parse like `parse_names`, a slice of 64 KiB at each step.

    For long listings, which would block the reactor if parsed at once.
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
