"""A limit on the rate of requests."""

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from .web_config import RateLimit


@define
class TokenBucket:
    """Holds up to ``limit.burst`` tokens, at first all of them; each interval adds one."""

    _clock: IReactorTime
    limit: RateLimit
    _tokens: float = field(init=False)
    _updated: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Fill it."""
        self._tokens = self.limit.burst
        self._updated = self._clock.seconds()

    def take(self) -> float:
        """Take a token; return 0, or the seconds until there is one."""
        now = self._clock.seconds()
        added = max(0.0, now - self._updated) / self.limit.interval
        self._tokens = min(self.limit.burst, self._tokens + added)
        self._updated = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) * self.limit.interval
