"""What opens a repository, its key files and its config, and whether it is still the same."""

import hashlib
from collections.abc import Hashable

from attrs import field, frozen

from .deadline import Deadline
from .errors import ReadError, Reason
from .interfaces import IBackend
from .listing import Fingerprint, fingerprint
from .model import Listing, Meter

CONFIG_LIMIT = 2**16

# How often, in seconds, keys and config are looked at where no listing shows them. A little
# less than a day, so that a daily collection does it each time.
LOOK_EVERY = 23 * 3600.0


@frozen
class Access:
    """
    The names of a repository's key files, and its encrypted config.

    A key file's name is the hash of its content. So the repository opens as it did before as
    long as ``token`` is the same.
    """

    keys: frozenset[str]
    config: bytes = field(repr=False)
    token: bytes = field(init=False, repr=False)

    @token.default
    def _make_token(self) -> bytes:
        digest = hashlib.sha256(self.config)
        for name in sorted(self.keys):
            digest.update(name.encode())
        return digest.digest()


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
        raise ReadError(Reason.KEYS, "the repository has no key file")
    config = await backend.load("config", CONFIG_LIMIT, deadline, meter)
    if not config:
        raise ReadError(Reason.KEYS, "the repository's config is empty")
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
