"""Collects the names of a repository from the pages of a bucket. Pure."""

from collections.abc import Mapping
from typing import Any

from attrs import define, field

from ...model.errors import ReadError, Reason
from ...model.snapshots import Listing
from ..bucket_files import FOLDERS, MOST_PAGES, PAGE, BucketFiles

CALL = "b2_list_file_names"


def files_of(
    answer: Mapping[str, Any],
) -> tuple[list[tuple[str, Mapping[str, Any]]], str | None]:
    """
    Return the names and attributes of the files on a page, and the first name of the next one.

    :raises ReadError: ``parse`` if the page is invalid.
    """
    files, following = answer.get("files"), answer.get("nextFileName")
    if not isinstance(files, list) or not isinstance(following, str | None):
        raise ReadError(Reason.PARSE, f"{CALL}: incomplete response")
    found: list[tuple[str, Mapping[str, Any]]] = []
    for file in files:
        name = file.get("fileName") if isinstance(file, dict) else None
        if not isinstance(name, str):
            raise ReadError(Reason.PARSE, f"{CALL}: a file without a name in the response")
        if file.get("action", "upload") == "upload":
            found.append((name, file))
    return found, following


@define
class Names:
    """
    The names found so far below ``base``, which is empty or ends with a slash.

    ``start`` is the first name of the next page, ``None`` after the last page.
    """

    base: str
    start: str | None = None
    pages: int = 0
    _files: BucketFiles[object] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._files = BucketFiles(self.base, _time_of)
        self.start = self.base + FOLDERS[0]

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the next call, without the bucket."""
        return {"startFileName": self.start, "prefix": self.base, "maxFileCount": PAGE}

    def add(self, answer: Mapping[str, Any]) -> None:
        """
        Add the page that begins at ``start``.

        :raises ReadError: it is invalid (``parse``), the next page goes backwards
            (``protocol``), or there are too many pages (``too_large``).
        """
        files, following = files_of(answer)
        for name, file in files:
            self._files.add(name, file.get("uploadTimestamp"))
        before, self.start = self.start, self._next_start(following)
        self.pages += 1
        if self.start is not None and before is not None and self.start <= before:
            raise ReadError(Reason.PROTOCOL, f"{CALL}: the next page goes backwards")
        if self.start is not None and self.pages >= MOST_PAGES:
            raise ReadError(Reason.TOO_LARGE, f"{CALL}: more than {MOST_PAGES * PAGE} names")

    def _next_start(self, following: str | None) -> str | None:
        """Return the start of the next page, where B2 proposes ``following``."""
        folder = None if following is None else self._files.folder_at(following)
        if following is None or folder is None:
            return None
        return max(following, self.base + folder)

    def listing(self) -> Listing:
        """Return the listing, after the last page: see `BucketFiles.listing`."""
        return self._files.listing()


def _time_of(milliseconds: object) -> float | None:
    if isinstance(milliseconds, int) and 0 <= milliseconds < 2**48:
        return milliseconds / 1000
    return None
