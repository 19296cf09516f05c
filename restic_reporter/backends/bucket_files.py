"""
The files of a repository among the names in a bucket. Pure.

Buckets list names in the order of their UTF-8 bytes, which is also Python's order. In a repository
``keys/``, ``locks/`` and ``snapshots/`` follow one another after all else, so that one pass finds
all three.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Generic, TypeVar

from attrs import Factory, define

from ..model.errors import ReadError, Reason
from ..model.snapshots import Listing
from ..restic_format.file_names import is_file_name

T = TypeVar("T")

FOLDERS = ("keys/", "locks/", "snapshots/")

# Names that cost one call, and the most calls for one listing.
PAGE, MOST_PAGES = 1000, 250


@define
class BucketFiles(Generic[T]):
    """
    The files found so far below ``base``, which is empty or ends with a slash.

    ``time_of`` returns Unix seconds of the time in a listing, ``None`` if that is invalid.
    """

    base: str
    _time_of: Callable[[T], float | None]
    _found: dict[str, dict[str, T]] = Factory(lambda: {folder: {} for folder in FOLDERS})

    def add(self, name: str, stored: T) -> None:
        """Add the file if it is one of the repository's, with the time in the listing."""
        for folder, found in self._found.items():
            start = self.base + folder
            if name.startswith(start) and is_file_name(name[len(start) :]):
                found[name[len(start) :]] = stored
                return

    def _times(self, folder: str, names: Collection[str]) -> Mapping[str, float]:
        found = self._found[folder]
        times = ((name, self._time_of(found[name])) for name in names if name in found)
        return {name: time for name, time in times if time is not None}

    async def _stored_times(self, names: Collection[str]) -> Mapping[str, float]:
        return self._times("snapshots/", names)

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
        return Listing(
            snapshots,
            locks,
            keys,
            lock_times=tuple(sorted(self._times("locks/", locks).values())),
            key_times=self._times("keys/", keys) or None,
            stored_times=self._stored_times,
        )
