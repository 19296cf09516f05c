"""
The files of a repository among the names in a bucket. Pure.

Buckets list names in the order of their UTF-8 bytes, which is also Python's order. In a repository
``keys/``, ``locks/`` and ``snapshots/`` follow one another after all else, so that one pass finds
all three.
"""

from attrs import Factory, define

from ..model.errors import ReadError, Reason
from ..model.snapshots import Listing
from ..restic_format.file_names import is_file_name

FOLDERS = ("keys/", "locks/", "snapshots/")

# Names that cost one call, and the most calls for one listing.
PAGE, MOST_PAGES = 1000, 250


@define
class BucketFiles:
    """The files found so far below ``base``, which is empty or ends with a slash."""

    base: str
    _found: dict[str, set[str]] = Factory(lambda: {folder: set() for folder in FOLDERS})
    _lock_times: dict[str, float] = Factory(dict)

    def add(self, name: str) -> bool:
        """Add the file if it is one of the repository's; return whether it is a lock."""
        for folder, found in self._found.items():
            start = self.base + folder
            if name.startswith(start) and is_file_name(name[len(start) :]):
                found.add(name[len(start) :])
                return folder == "locks/"
        return False

    def add_lock_time(self, name: str, time: float | None) -> None:
        """Note when a lock was stored, by the server's clock in Unix seconds, if that is known."""
        if time is not None:
            self._lock_times[name] = time

    def folder_at(self, place: str) -> str | None:
        """
        Return the folder in which, or before which, a name is; ``None`` after the last one.

        So names between the folders can be skipped, which belong to others and would cost calls.
        """
        for folder in FOLDERS:
            start = self.base + folder
            if place < start or place.startswith(start):
                return folder
        return None

    def listing(self) -> Listing:
        """
        Return the listing, after the last page.

        :raises ReadError: ``not_found`` without a key: every repository has one.
        """
        keys, locks, snapshots = (frozenset(self._found[folder]) for folder in FOLDERS)
        if not keys:
            raise ReadError(Reason.NOT_FOUND, "no repository found: no key files; check the path")
        return Listing(snapshots, locks, keys, lock_times=tuple(sorted(self._lock_times.values())))
