"""Sums up the packs of a repository from the pages of a bucket. Pure."""

from collections.abc import Mapping
from typing import Any

from attrs import Factory, define

from ...model.errors import ReadError, Reason
from ..bucket_files import PAGE
from ..pack_sum import MOST_PAGES, PackSum
from .listing import CALL, files_of


@define
class Packs:
    """
    The packs so far in ``folder``, which ends with a slash.

    ``start`` is the first name of the next page, ``None`` after the last page.
    """

    folder: str
    start: str | None = ""
    sum: PackSum = Factory(PackSum)
    _pages: int = 0

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the next call, without the bucket."""
        begin = {"startFileName": self.start} if self.start else {}
        return {**begin, "prefix": self.folder, "maxFileCount": PAGE}

    def add(self, answer: Mapping[str, Any]) -> None:
        """
        Add the page that begins at ``start``.

        :raises ReadError: it is invalid (``parse``), the next page goes backwards
            (``protocol``), or there are too many pages (``too_large``).
        """
        files, following = files_of(answer)
        for name, file in files:
            self.sum.add(name.rpartition("/")[2], file.get("contentLength"))
        self._pages += 1
        if following is not None and following <= (self.start or ""):
            raise ReadError(Reason.PROTOCOL, f"{CALL}: the next page goes backwards")
        if following is not None and self._pages >= MOST_PAGES:
            raise ReadError(Reason.TOO_LARGE, f"{CALL}: more than {MOST_PAGES} pages")
        self.start = following
