"""Sums up the packs of a repository from the pages of a bucket. Pure."""

from collections.abc import Mapping

from attrs import Factory, define

from ...model.errors import ReadError, Reason
from ..pack_sum import MOST_PAGES, PackSum
from .answers import Page

_CALL = "listing of data/"


@define
class Packs:
    """
    The packs so far in ``folder``, which ends with a slash.

    ``query`` is that of the next page, ``None`` after the last page. ``old`` is for version 1
    of S3's call.
    """

    folder: str
    old: bool = False
    query: Mapping[str, str] | None = None
    sum: PackSum = Factory(PackSum)
    _pages: int = 0
    _list: dict[str, str] = Factory(dict)
    _latest: str = ""

    def __attrs_post_init__(self) -> None:
        self._list = {"prefix": self.folder, "encoding-type": "url"}
        if not self.old:
            self._list["list-type"] = "2"
        self.query = self._list

    def add(self, page: Page) -> None:
        """
        Add the page for ``query``.

        :raises ReadError: the server loops (``protocol``), or there are too many names
            (``too_large``).
        """
        name = ""
        for (name, _), size in zip(page.entries, page.sizes, strict=True):
            self.sum.add(name.rpartition("/")[2], int(size) if size.isdecimal() else None)
        self._pages += 1
        if not page.is_truncated:
            self.query = None
            return
        token = (page.marker or name) if self.old else page.token
        if not token or token == self._latest:
            raise ReadError(Reason.PROTOCOL, f"{_CALL}: the response does not say how to go on")
        if self._pages >= MOST_PAGES:
            raise ReadError(Reason.TOO_LARGE, f"{_CALL}: more than {MOST_PAGES} pages")
        self._latest = token
        self.query = {**self._list, "marker" if self.old else "continuation-token": token}
