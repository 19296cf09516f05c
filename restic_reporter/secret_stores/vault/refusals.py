"""Finds out why Vault forbids a look-up: an expired token, or a policy."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from ...concurrency.deadline import sleep
from ...concurrency.single_flight import SingleFlight
from ...redaction.secret import Secret
from .errors import VaultOutageError, VaultRefusedError
from .lease import Backoff

if TYPE_CHECKING:
    from .lease import Grant

# Seconds between two checks of the token, for any number of forbidden look-ups.
_CHECK_INTERVAL = 1.0

# The longest time, in seconds, that a look-up waits for a delayed login.
_SHORT_WAIT = 2.0

# Seconds after which logins caused by forbidden look-ups are forgotten.
_MEMORY = 900.0


class RefusalCheck:
    """
    Checks a rejected token, and replaces it if Vault does not know it.

    A policy may forbid the token to look itself up, so that a valid token looks expired: the
    resulting logins back off.
    """

    def __init__(
        self,
        usable: Callable[[], Secret | None],
        look: Callable[[Secret], Coroutine[Any, Any, Grant]],
        replace: Callable[[Secret], Coroutine[Any, Any, None]],
        reactor: Any,
        random: Callable[[], float],
    ) -> None:
        """
        ``usable()`` returns the current token, ``look`` looks one up, ``replace`` gets a new
        one instead of it; ``random`` returns numbers from 0 to 1.
        """
        self._usable = usable
        self._look = look
        self._replace = replace
        self._reactor = reactor
        self._random = random
        self._work: SingleFlight[None] = SingleFlight(outlives=True)
        self._checked_at: float | None = None
        self._replacements = Backoff()

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
        token = self._usable()
        now = self._reactor.seconds()
        if self._checked_at is not None and now < self._checked_at + _CHECK_INTERVAL:
            await sleep(self._reactor, self._checked_at + _CHECK_INTERVAL - now)
        if token is None or self._usable() != token:
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
