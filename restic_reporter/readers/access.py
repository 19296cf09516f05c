"""Reads the key files and the config, which open a repository, and detects their changes."""

from heapq import nsmallest

from attrs import field, frozen

from ..concurrency.deadline import Deadline
from ..interfaces import IBackend
from ..model.access import Access
from ..model.errors import ReadError, Reason
from ..model.snapshots import Listing, Meter
from ..restic_format.file_names import Fingerprint, fingerprint

CONFIG_LIMIT = 2**16

# Seconds between two reads of keys and config where no listing shows them. A little less
# than a day, so that a daily collection reads them each time.
LOOK_EVERY = 23 * 3600.0

# The names of key files that are kept.
_NAMES = 20


async def look_at_access(
    backend: IBackend, listing: Listing, deadline: Deadline, meter: Meter
) -> Access:
    """
    Read the current keys and config.

    :raises ReadError: the request fails, the repository has no key (``keys``) or no config
        (``not_found``), or the config is empty (``keys``).
    """
    keys = listing.keys
    if keys is None:
        keys = await backend.list_keys(deadline, meter)
    if not keys:
        raise ReadError(Reason.KEYS, "no key files in the repository")
    config = await backend.load("config", CONFIG_LIMIT, deadline, meter)
    if not config:
        raise ReadError(Reason.KEYS, "empty repository config")
    return Access(keys, config)


@frozen
class SeenAccess:
    """
    The `Access` of a successful read.

    ``token`` is ``None`` if only the reader has seen it, or an earlier process. ``keys`` and
    ``config`` are from the listing, as values that hold across restarts. ``moment`` is a time of
    the reactor's clock. ``names`` are those of the first key files, if known, for people.
    """

    token: bytes | None = field(repr=False)
    keys: Fingerprint | None
    config: str | None
    moment: float
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, access: Access | None, listing: Listing, moment: float) -> "SeenAccess":
        """Remember ``access``, read together with ``listing``."""
        token = access.token if access is not None else None
        keys = access.keys if access is not None else listing.keys
        names = tuple(nsmallest(_NAMES, keys or ()))
        return cls(token, _shown_keys(listing), _shown_config(listing), moment, names)

    def must_look(self, listing: Listing, moment: float) -> bool:
        """Return whether ``listing`` shows a change, or the last read is too long ago."""
        if self.keys != _shown_keys(listing) or self.config != _shown_config(listing):
            return True
        return moment - self.moment >= LOOK_EVERY


def _shown_keys(listing: Listing) -> Fingerprint | None:
    return None if listing.keys is None else fingerprint(listing.keys)


def _shown_config(listing: Listing) -> str | None:
    return None if listing.config is None else repr(listing.config)
