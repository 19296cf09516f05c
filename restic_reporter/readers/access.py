"""What opens a repository, its key files and its config, and whether it is still the same."""

from collections.abc import Hashable

from attrs import field, frozen

from ..concurrency.deadline import Deadline
from ..interfaces import IBackend
from ..model.access import Access
from ..model.errors import ReadError, Reason
from ..model.snapshots import Listing, Meter
from ..restic_format.file_names import Fingerprint, fingerprint

CONFIG_LIMIT = 2**16

# How often, in seconds, keys and config are looked at where no listing shows them. A little
# less than a day, so that a daily collection does it each time.
LOOK_EVERY = 23 * 3600.0


async def look_at_access(
    backend: IBackend, listing: Listing, deadline: Deadline, meter: Meter
) -> Access:
    """
    The keys and the config that are there now.

    :raises ReadError: they cannot be had, there is no key (``keys``), no config
        (``not_found``), or an empty one (``keys``).
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
    The `Access` of a good read: its token, ``None`` where only the reader has looked at it;
    what the listing showed of it; and when, on the clock of the reactor.
    """

    token: bytes | None = field(repr=False)
    keys: Fingerprint | None
    config: Hashable
    moment: float

    @classmethod
    def of(cls, access: Access | None, listing: Listing, moment: float) -> "SeenAccess":
        """``access``, looked at together with ``listing``."""
        token = access.token if access is not None else None
        return cls(token, _shown_keys(listing), listing.config, moment)

    def must_look(self, listing: Listing, moment: float) -> bool:
        """Whether ``listing`` shows other keys or another config, or nobody has looked for long."""
        if self.keys != _shown_keys(listing) or self.config != listing.config:
            return True
        return moment - self.moment >= LOOK_EVERY


def _shown_keys(listing: Listing) -> Fingerprint | None:
    return None if listing.keys is None else fingerprint(listing.keys)
