"""What to make of a look-up that Vault forbids: an end of the token, or a policy."""

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

# However many look-ups are forbidden, the token is looked at no more often than this.
_CHECK_INTERVAL = 1.0

# A look-up waits so long for a login that is held back, and not longer.
_SHORT_WAIT = 2.0

# Logins that forbidden look-ups brought about are forgotten after this.
_MEMORY = 900.0


class RefusalCheck:
    """
    Looks at a token that was refused, and has it replaced where Vault does not know it.

    A policy may forbid the token to look at itself, so that a good one looks like one that
    has ended: the logins that this brings about have growing pauses between them.
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
        ``usable()`` is the token in use, ``look`` asks Vault about one, ``replace`` gets
        another than one; ``random`` gives numbers from 0 to 1.
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
        See to it that the token is good, as far as that can be; together with all who ask.

        :raises VaultOutageError: Vault is of no help.
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
