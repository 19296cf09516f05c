"""
Collects the names of a repository from the pages of a bucket. Pure.

S3 lists names in the order of their UTF-8 bytes, which is also Python's order. In a repository
``keys/``, ``locks/`` and ``snapshots/`` follow one another after all else, so that one list
finds all three. Of servers that do not keep the order three lists are needed.
"""

from collections.abc import Mapping

from attrs import Factory, define

from ...model.errors import ReadError, Reason
from ...model.snapshots import Listing
from ...restic_format.file_names import is_file_name
from .answers import Page, time_of

# Names in a page, which costs one request.
PAGE = 1000

CALL = "listing"

_MOST_PAGES = 250

_FOLDERS = ("keys/", "locks/", "snapshots/")


class WrongOrderError(Exception):
    """The server does not list in order, or not from where it was asked to begin."""


@define
class Names:
    """
    The names found so far below ``base``, which is empty or ends with a slash.

    ``query`` is that of the next page, ``None`` after the last page. ``old`` is for version 1
    of S3's call. With ``in_order`` one list has all folders, else each folder its own.
    """

    base: str
    old: bool = False
    in_order: bool = True
    query: Mapping[str, str] | None = None
    pages: int = 0
    # The list's own parameters, the name that its next one must follow, and where it went on.
    _list: dict[str, str] = Factory(dict)
    _after: str = ""
    _tokens: set[str] = Factory(set)
    _found: dict[str, dict[str, str]] = Factory(lambda: {folder: {} for folder in _FOLDERS})

    def __attrs_post_init__(self) -> None:
        self._begin(_FOLDERS[0])

    def add(self, page: Page) -> None:
        """
        Add the page for ``query``.

        :raises WrongOrderError: what was to be ``in_order`` is not; the names are incomplete.
        :raises ReadError: the server loops (``protocol``), or there are too many names
            (``too_large``).
        """
        for name, modified in page.entries:
            if self.in_order and name <= self._after:
                raise WrongOrderError
            self._after = name
            self._take(name, modified)
        self.pages += 1
        self._go_on(page)
        if self.query is not None and self.pages >= _MOST_PAGES:
            raise ReadError(Reason.TOO_LARGE, f"{CALL}: more than {_MOST_PAGES * PAGE} names")

    def listing(self) -> Listing:
        """
        Return the listing, after the last page.

        :raises ReadError: ``not_found`` without a key: every repository has one.
        """
        keys, locks, snapshots = (frozenset(self._found[folder]) for folder in _FOLDERS)
        if not keys:
            raise ReadError(Reason.NOT_FOUND, "no repository found: no key files; check the path")
        times = map(time_of, self._found["locks/"].values())
        known = tuple(sorted(time for time in times if time is not None))
        return Listing(snapshots, locks, keys, lock_times=known)

    def _take(self, name: str, modified: str) -> None:
        for folder, found in self._found.items():
            start = self.base + folder
            if name.startswith(start) and is_file_name(name[len(start) :]):
                found[name[len(start) :]] = modified

    def _go_on(self, page: Page) -> None:
        """Set ``query`` to that of the next page."""
        if not self.in_order:
            following = _FOLDERS.index(self._list["prefix"][len(self.base) :]) + 1
            if page.is_truncated:
                self._continue(page)
            elif following < len(_FOLDERS):
                self._begin(_FOLDERS[following])
            else:
                self.query = None
            return
        self.query = None
        if not page.is_truncated:
            return
        for folder in _FOLDERS:
            start = self.base + folder
            if self._after < start:
                # Skips what others keep between the folders, which would cost requests.
                self._begin(folder)
                return
            if self._after.startswith(start):
                self._continue(page)
                return

    def _begin(self, folder: str) -> None:
        """Begin a list at this folder."""
        start = self.base + folder
        # Otherwise a foreign name may have characters that XML does not allow.
        self._list = {"encoding-type": "url"}
        if not self.old:
            self._list["list-type"] = "2"
        self._tokens.clear()
        self._after = start
        if self.in_order:
            self._list["prefix"] = self.base
            self.query = {**self._list, "marker" if self.old else "start-after": start}
        else:
            self._list |= {"prefix": start, "delimiter": "/"}
            self.query = self._list

    def _continue(self, page: Page) -> None:
        """Go on with the list after ``page``."""
        token = (page.marker or self._after) if self.old else page.token
        if token is None or token in self._tokens:
            raise ReadError(Reason.PROTOCOL, f"{CALL}: the response does not say how to go on")
        self._tokens.add(token)
        self.query = {**self._list, "marker" if self.old else "continuation-token": token}
