"""When a token is renewed, when it ends, and when somebody must be told: plain arithmetic."""

from attrs import define, frozen

from ...redaction.secret import Secret

# A renewal that grants less than this part of the lease before it is meeting the maximum.
_NOTICEABLE = 0.9

# A token that cannot be prolonged is asked about no more often than this, in seconds.
_LEAST_DELAY = 5.0

# Nothing is renewed more often than this, in seconds, however short a lease Vault grants.
_SHORTEST_DELAY = 0.5

# How long before its end (seconds) such a token draws a warning, besides at first.
WARNINGS = (86400.0, 3600.0)

_LONGEST_BACKOFF = 300.0

# Where Vault is out of reach, a look-up may ask again after this (seconds), whatever the
# pauses in the background: it may be somebody's who has just mended Vault.
MAX_LOOKUP_BACKOFF = 2.0


@frozen
class Grant:
    """
    A token as Vault has just granted or shown it.

    ``ttl`` are the seconds that it has left, 0 where it has no end. ``full_ttl`` is what a
    renewal may give, where that is more. ``ends_for_good_at`` (Unix seconds) is when no
    renewal helps any more, where Vault tells.
    """

    token: Secret
    ttl: float
    renewable: bool
    full_ttl: float = 0.0
    ends_for_good_at: float | None = None


@frozen
class Lease:
    """
    A token in use.

    ``since`` is the clock's time of the grant, ``since_wall`` the Unix time. ``asked`` are
    the seconds that a renewal asks for. ``last`` tells that renewing does not prolong it.
    It is to be renewed ``delay`` seconds after the grant.
    """

    grant: Grant
    since: float
    since_wall: float
    asked: float
    last: bool
    delay: float

    @classmethod
    def begin(cls, grant: Grant, now: float, wall: float, jitter: float) -> "Lease":
        """
        The lease of a token that is new to us; ``jitter`` is a number from 0 to 1, by chance.

        Of an older one the first part of the lease may be over, and so it may be due at once.
        """
        asked = max(grant.ttl, grant.full_ttl)
        last = grant.ttl > 0 and not grant.renewable
        delay = _delay(grant.ttl, last, jitter)
        if not last:
            delay = max(0.0, delay - (asked - grant.ttl))
        return cls(grant, now, wall, asked, last, delay)

    def renewed(self, grant: Grant, now: float, wall: float, jitter: float) -> "Lease":
        """The lease after a renewal has granted ``grant``."""
        # So close to its end that it rounds to 0, which otherwise means no end.
        ttl = grant.ttl or min(1.0, self.grant.ttl)
        last = not grant.renewable or ttl < _NOTICEABLE * self.asked
        granted = Grant(self.grant.token, ttl, grant.renewable, 0.0, self.grant.ends_for_good_at)
        # Less than before is a sign of the maximum; as little once more is not.
        return Lease(granted, now, wall, ttl, last, _delay(ttl, last, jitter))

    def unrenewable(self, jitter: float) -> "Lease":
        """This lease, once Vault has refused to renew it."""
        grant = Grant(self.grant.token, self.grant.ttl, False, 0.0, self.grant.ends_for_good_at)
        return Lease(
            grant, self.since, self.since_wall, self.asked, True, _delay(grant.ttl, True, jitter)
        )

    @property
    def expires_at(self) -> float | None:
        """When it ends, in Unix seconds; ``None`` without an end."""
        return self.since_wall + self.grant.ttl if self.grant.ttl else None

    @property
    def final_end(self) -> float | None:
        """When it ends whatever we do, in Unix seconds, where that is known."""
        ends = [self.grant.ends_for_good_at, self.expires_at if self.last else None]
        return min((end for end in ends if end is not None), default=None)

    def is_due(self, now: float, wall: float) -> bool:
        """
        Whether it is time to renew.

        Either clock counts: the first may have stood still while the computer slept.
        """
        past = now >= self.since + self.delay or wall >= self.since_wall + self.delay
        return bool(self.grant.ttl) and past

    def has_expired(self, now: float) -> bool:
        """Whether Vault must have forgotten it."""
        return bool(self.grant.ttl) and now >= self.since + self.grant.ttl


def _delay(ttl: float, last: bool, jitter: float) -> float:
    """Seconds from a grant of ``ttl`` to the renewal: 0.6 to 0.7 of it, as ``jitter`` says."""
    delay = ttl * (0.6 + 0.1 * jitter)
    if last:
        delay = min(ttl, max(delay, _LEAST_DELAY))
    return max(_SHORTEST_DELAY, delay)


def next_warning(end: float, wall: float) -> float | None:
    """The next moment (Unix seconds) to warn of ``end``, ``None`` where none is left."""
    return min((end - ahead for ahead in WARNINGS if end - ahead > wall), default=None)


@define
class Backoff:
    """
    How long to leave alone what fails: 1 s, doubling to ``longest``, half of it by chance.

    ``retry_at`` is a time of the clock, ``problem`` what went wrong the last time.
    """

    longest: float = _LONGEST_BACKOFF
    failures: int = 0
    retry_at: float = 0.0
    problem: str = ""

    def fail(self, now: float, jitter: float, problem: str = "") -> None:
        """It has failed once more."""
        self.failures += 1
        self.problem = problem
        pause = min(self.longest, 2.0 ** min(self.failures - 1, 20))
        self.retry_at = now + pause * (0.5 + 0.5 * jitter)

    def reset(self) -> None:
        """It works."""
        self.failures = 0
        self.retry_at = 0.0
        self.problem = ""

    def is_active(self, now: float) -> bool:
        """Whether to leave it alone still."""
        return self.failures > 0 and now < self.retry_at
