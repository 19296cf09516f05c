"""
Collects the names of a repository from the pages of a bucket. Pure.

B2 lists names in the order of their UTF-8 bytes, which is also Python's order. In a repository
``keys/``, ``locks/`` and ``snapshots/`` follow one another, so that one pass finds all three.
"""

from collections.abc import Mapping
from typing import Any

from attrs import Factory, define

from ...model.errors import ReadError, Reason
from ...model.snapshots import Listing
from ...restic_format.file_names import is_file_name

# Names that B2 bills as one call.
PAGE = 1000

_MOST_PAGES = 250

_FOLDERS = ("keys/", "locks/", "snapshots/")

_CALL = "b2_list_file_names"


@define
class Names:
    """
    The names found so far below ``base``, which is empty or ends with a slash.

    ``start`` is the first name of the next page, ``None`` after the last page.
    """

    base: str
    start: str | None = None
    pages: int = 0
    _found: dict[str, set[str]] = Factory(lambda: {folder: set() for folder in _FOLDERS})
    _lock_times: list[float] = Factory(list)

    def __attrs_post_init__(self) -> None:
        self.start = self.base + _FOLDERS[0]

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the next call, without the bucket."""
        return {"startFileName": self.start, "prefix": self.base, "maxFileCount": PAGE}

    def add(self, answer: Mapping[str, Any]) -> None:
        """
        Add the page that begins at ``start``.

        :raises ReadError: it is invalid (``parse``), the next page goes backwards
            (``protocol``), or there are too many pages (``too_large``).
        """
        files, following = answer.get("files"), answer.get("nextFileName")
        if not isinstance(files, list) or not isinstance(following, str | None):
            raise ReadError(Reason.PARSE, f"{_CALL}: incomplete response")
        for file in files:
            name = file.get("fileName") if isinstance(file, dict) else None
            if not isinstance(name, str):
                raise ReadError(Reason.PARSE, f"{_CALL}: a file without a name in the response")
            if file.get("action", "upload") == "upload":
                self._take(name, file.get("uploadTimestamp"))
        before, self.start = self.start, self._next_start(following)
        self.pages += 1
        if self.start is not None and before is not None and self.start <= before:
            raise ReadError(Reason.PROTOCOL, f"{_CALL}: the next page goes backwards")
        if self.start is not None and self.pages >= _MOST_PAGES:
            raise ReadError(Reason.TOO_LARGE, f"{_CALL}: more than {_MOST_PAGES * PAGE} names")

    def _take(self, name: str, milliseconds: object) -> None:
        for folder, found in self._found.items():
            start = self.base + folder
            if name.startswith(start) and is_file_name(name[len(start) :]):
                found.add(name[len(start) :])
                if folder == "locks/" and isinstance(milliseconds, int) and milliseconds < 2**48:
                    self._lock_times.append(milliseconds / 1000)

    def _next_start(self, following: str | None) -> str | None:
        """
        Return the start of the next page, where B2 proposes ``following``.

        Skips names between the folders, which belong to others and would cost calls.
        """
        if following is None:
            return None
        for folder in _FOLDERS:
            start = self.base + folder
            if following < start:
                return start
            if following.startswith(start):
                return following
        return None

    def listing(self) -> Listing:
        """
        Return the listing, after the last page.

        :raises ReadError: ``not_found`` without a key: every repository has one.
        """
        keys, locks, snapshots = (frozenset(self._found[folder]) for folder in _FOLDERS)
        if not keys:
            raise ReadError(Reason.NOT_FOUND, "no repository found: no key files; check the path")
        return Listing(snapshots, locks, keys, lock_times=tuple(sorted(self._lock_times)))
