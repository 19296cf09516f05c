"""Merges what listings, looks at the keys and readers report about a repository's keys. Pure."""

from attrs import evolve

from ..interfaces import ReadResult
from ..model.access import Access, KeyFacts
from ..model.snapshots import Listing


def listed_keys(
    before: KeyFacts, listing: Listing, access: Access | None, still_known: bool
) -> KeyFacts:
    """
    Return what is known before the reader is asked; ``before`` is of the last good read.

    ``access`` are the keys if they were looked at now. Otherwise ``still_known`` says that what is
    known of them still counts; if not, only the reader will see them.
    """
    names, times = access.keys if access is not None else listing.keys, listing.key_times
    if names is None and not still_known:
        return evolve(before, count=None, newest=None)
    return KeyFacts(
        before.count if names is None else len(names),
        before.newest if times is None else max(times.values(), default=None),
        before.version,
    )


def read_keys(listed: KeyFacts, listing: Listing | None, result: ReadResult) -> KeyFacts:
    """Return what is known after the reader's ``result``; the storage's own times go first."""
    is_timed = listing is not None and listing.key_times is not None
    newest = listed.newest if is_timed else result.newest_key
    return evolve(listed, newest=newest, version=result.version)
