"""Finds out why Vault forbids a look-up: an expired token, or a policy."""

from collections.abc import Callable, Coroutine
from typing import Any

from attrs import define, field

from ...concurrency.deadline import sleep
from ...concurrency.single_flight import SingleFlight
from ...redaction.secret import Secret
from .errors import VaultOutageError, VaultRefusedError
from .held import HeldToken
from .lease import Backoff

# Seconds between two checks of the token, for any number of forbidden look-ups.
_CHECK_INTERVAL = 1.0

# The longest time, in seconds, that a look-up waits for a delayed login.
_SHORT_WAIT = 2.0

# Seconds after which logins caused by forbidden look-ups are forgotten.
_MEMORY = 900.0


@define(eq=False)
class RefusalCheck:
    """
    Checks a rejected token, and replaces it if Vault does not know it.

    A policy may forbid the token to look itself up, so that a valid token looks expired: the
    resulting logins back off.

    ``look`` looks a token up, ``replace`` gets a new one instead of it; ``random`` returns
    numbers from 0 to 1.
    """

    _held: HeldToken
    _look: Callable[[Secret], Coroutine[Any, Any, object]]
    _replace: Callable[[Secret], Coroutine[Any, Any, None]]
    _reactor: Any
    _random: Callable[[], float]
    _work: SingleFlight[None] = field(factory=lambda: SingleFlight(outlives=True))
    _checked_at: float = -_CHECK_INTERVAL
    _replacements: Backoff = field(factory=Backoff)

    async def check(self) -> None:
        """
        Check the token and replace it if needed; callers share one check.

        :raises VaultOutageError: Vault is unavailable.
        """
        await self._work.join(self._check)

    def stop(self) -> None:
        """Do nothing more."""
        self._work.stop(VaultOutageError("daemon is stopping"))

    async def _check(self) -> None:
        token = self._held.usable
        wait = self._checked_at + _CHECK_INTERVAL - self._reactor.seconds()
        if wait > 0:
            await sleep(self._reactor, wait)
        if token is None or self._held.usable != token:
            return
        try:
            await self._look(token)
        except VaultRefusedError:
            if await self._may_replace():
                await self._replace(token)
        else:
            self._replacements.reset()
        finally:
            self._checked_at = self._reactor.seconds()

    async def _may_replace(self) -> bool:
        now = self._reactor.seconds()
        if now > self._replacements.retry_at + _MEMORY:
            self._replacements.reset()
        wait = self._replacements.retry_at - now
        if wait > _SHORT_WAIT:
            return False
        if wait > 0:
            await sleep(self._reactor, wait)
        self._replacements.fail(self._reactor.seconds(), self._random())
        return True
