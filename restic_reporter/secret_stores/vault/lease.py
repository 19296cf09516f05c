"""Computes when to renew a token, when it expires, and when to warn. Pure."""

from attrs import define, evolve, frozen

from ...redaction.secret import Secret

# A renewal that grants a smaller share of the previous lease has reached the maximum TTL.
_NOTICEABLE = 0.9

# The shortest delay, in seconds, between two checks of a token that is not renewable.
_LEAST_DELAY = 5.0

# The shortest delay, in seconds, between two renewals, for leases of any length.
_SHORTEST_DELAY = 0.5

# Seconds before the end at which to warn about such a token, besides at its start.
WARNINGS = (86400.0, 3600.0)

_LONGEST_BACKOFF = 300.0

# The longest backoff of look-ups, in seconds. Shorter than that of retries in the background,
# so that a repaired Vault is noticed soon.
MAX_LOOKUP_BACKOFF = 2.0


@frozen
class Grant:
    """
    A token as Vault has just granted or shown it.

    ``ttl`` is its remaining time in seconds, 0 if it never expires. ``full_ttl`` is the TTL
    after a renewal, if longer. ``ends_for_good_at`` (Unix seconds) is its maximum lifetime,
    if known.
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

    ``since`` is the clock's time of the grant, ``since_wall`` the Unix time. A renewal asks
    for ``asked`` seconds, and is due ``delay`` seconds after the grant. ``last`` is set if it
    cannot be extended.
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
        Return the lease of a new token; ``jitter`` is a random number from 0 to 1.

        A token that is partly used up may be due at once.
        """
        asked = max(grant.ttl, grant.full_ttl)
        last = grant.ttl > 0 and not grant.renewable
        delay = _delay(grant.ttl, last, jitter)
        if not last:
            delay = max(0.0, delay - (asked - grant.ttl))
        return cls(grant, now, wall, asked, last, delay)

    def renewed(self, grant: Grant, now: float, wall: float, jitter: float) -> "Lease":
        """Return the lease after a renewal with ``grant``."""
        # Near the end the TTL rounds to 0, which otherwise means that it never expires.
        ttl = grant.ttl or min(1.0, self.grant.ttl)
        last = not grant.renewable or ttl < _NOTICEABLE * self.asked
        granted = evolve(self.grant, ttl=ttl, renewable=grant.renewable, full_ttl=0.0)
        # A shorter TTL than before means the maximum; the same short TTL again does not.
        return Lease(granted, now, wall, ttl, last, _delay(ttl, last, jitter))

    def unrenewable(self, jitter: float) -> "Lease":
        """Return this lease as not renewable, after a rejected renewal."""
        grant = evolve(self.grant, renewable=False, full_ttl=0.0)
        return evolve(self, grant=grant, last=True, delay=_delay(grant.ttl, True, jitter))

    @property
    def expires_at(self) -> float | None:
        """Return when it expires, in Unix seconds; ``None`` for never."""
        return self.since_wall + self.grant.ttl if self.grant.ttl else None

    @property
    def final_end(self) -> float | None:
        """Return when it expires even with renewals, in Unix seconds, if known."""
        ends = [self.grant.ends_for_good_at, self.expires_at if self.last else None]
        return min((end for end in ends if end is not None), default=None)

    def is_due(self, now: float, wall: float) -> bool:
        """
        Return whether a renewal is due, by either clock.

        The reactor's clock may stop while the computer sleeps.
        """
        past = now >= self.since + self.delay or wall >= self.since_wall + self.delay
        return bool(self.grant.ttl) and past

    def has_expired(self, now: float) -> bool:
        """Return whether it has expired."""
        return bool(self.grant.ttl) and now >= self.since + self.grant.ttl


def _delay(ttl: float, last: bool, jitter: float) -> float:
    """Return the seconds from a grant to the renewal: 0.6 to 0.7 of ``ttl``, by ``jitter``."""
    delay = ttl * (0.6 + 0.1 * jitter)
    if last:
        delay = min(ttl, max(delay, _LEAST_DELAY))
    return max(_SHORTEST_DELAY, delay)


def next_warning(end: float, wall: float) -> float | None:
    """Return the next time (Unix seconds) to warn about ``end``, ``None`` if none is left."""
    return min((end - ahead for ahead in WARNINGS if end - ahead > wall), default=None)


@define
class Backoff:
    """
    The pauses after failures: 1 s, doubling to ``longest``, with up to half as jitter.

    ``retry_at`` is a time of the clock, ``problem`` the latest error.
    """

    longest: float = _LONGEST_BACKOFF
    failures: int = 0
    retry_at: float = 0.0
    problem: str = ""

    def fail(self, now: float, jitter: float, problem: str = "") -> None:
        """Count one more failure; set the time of the next retry."""
        self.failures += 1
        self.problem = problem
        pause = min(self.longest, 2.0 ** min(self.failures - 1, 20))
        self.retry_at = now + pause * (0.5 + 0.5 * jitter)

    def reset(self) -> None:
        """Forget all failures, after a success."""
        self.failures = 0
        self.retry_at = 0.0
        self.problem = ""

    def is_active(self, now: float) -> bool:
        """Return whether to wait before the next retry."""
        return self.failures > 0 and now < self.retry_at
