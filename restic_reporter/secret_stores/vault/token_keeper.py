"""Keeps a valid Vault token: looks it up, renews it, and logs in again."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from ...concurrency.single_flight import SingleFlight
from ...redaction.secret import Secret
from .errors import VaultOutageError, VaultRefusedError
from .lease import MAX_LOOKUP_BACKOFF, Backoff, Grant, Lease
from .refusals import RefusalCheck
from .settings import AppRole, VaultSettings
from .warnings import EndWarnings

if TYPE_CHECKING:
    from .client import VaultClient

    Call = Callable[[VaultClient], Coroutine[Any, Any, Grant]]
    Ask = Callable[[Call, Secret | None], Coroutine[Any, Any, Grant]]

# The longest sleep in seconds. Only the wall clock runs while the computer sleeps, so check it.
_MAX_SLEEP = 1800.0


class TokenKeeper:
    """
    The token for look-ups, from ``VAULT_TOKEN`` or an AppRole login.

    If both are set, uses ``VAULT_TOKEN`` until it is rejected or no longer renewable, then
    only the AppRole. Failures are retried in the background for ever, with a backoff.
    """

    _log = Logger()

    def __init__(
        self,
        settings: VaultSettings,
        ask: Ask,
        reactor: Any,
        now: Callable[[], float],
        random: Callable[[], float],
        shown: Callable[[object], str],
    ) -> None:
        """
        ``ask(call, token)`` awaits ``call`` with a client that has the token. ``now`` is the
        wall clock, ``random`` returns numbers from 0 to 1, ``shown`` masks secrets in a text.
        """
        self._address = settings.address
        self._role = settings.app_role
        self._own = settings.token
        self._ask = ask
        self._reactor = reactor
        self._now = now
        self._random = random
        self._shown = shown
        self._lease: Lease | None = None
        self._expired_at: float | None = None
        self._granted: list[Secret] = []
        # Vault has not confirmed VAULT_TOKEN. Use it anyway: a policy may forbid the check.
        self._unconfirmed = False
        self._must_log_in = False
        self._renewal: SingleFlight[None] = SingleFlight(self._schedule, outlives=True)
        self._refusals = RefusalCheck(
            self._usable,
            lambda token: ask(lambda client: client.look_up_self(), token),
            self._replace,
            reactor,
            random,
        )
        self._failures = Backoff()
        self._back_off_until = 0.0
        # When the latest attempt started, and when `forget_failures` was called.
        self._began = self._ordered = 0.0
        self._timer: IDelayedCall | None = None
        self._warnings = EndWarnings(now)
        self._stopped = False

    # Public

    @property
    def expires_at(self) -> float | None:
        """
        Return when the token expires, or has expired without a new one, in Unix seconds.

        ``None`` for one that never expires.
        """
        return self._expired_at if self._lease is None else self._lease.expires_at

    @property
    def unconfirmed(self) -> bool:
        """Return whether Vault has not confirmed the token in use."""
        return self._lease is None and self._unconfirmed

    def secrets(self) -> list[Secret]:
        """Return the granted tokens: the current and the previous one."""
        return list(self._granted)

    def start(self) -> None:
        """Get a token, and keep it valid from then on."""
        self._wake()

    def stop(self) -> None:
        """Stop at once."""
        self._stopped = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._renewal.stop(VaultOutageError("daemon is stopping"))
        self._refusals.stop()

    async def token(self) -> Secret:
        """
        Return the current token; wait for a login if there is none.

        :raises VaultOutageError: no token; during the backoff it is raised at once.
        """
        while (token := self._usable()) is None:
            if self._stopped:
                raise VaultOutageError("daemon is stopping")
            if self._is_backing_off() and not self._renewal.running:
                raise VaultOutageError(self._failures.problem)
            await self._renewal.join(self._renew_or_log_in)
        return token

    def forget_failures(self) -> None:
        """Make the next look-up retry without a backoff."""
        self._ordered = self._back_off_until = self._reactor.seconds()

    async def replacement(self, refused: Secret) -> Secret | None:
        """
        Return a new token instead of ``refused``, with which Vault has denied access.

        ``None`` if that token is still valid, so that its policy denies the access. Callers
        share one check and one login.

        :raises VaultOutageError: Vault is unavailable, or grants no new token.
        """
        if self._usable() == refused and not self._stopped:
            await self._refusals.check()
        token = await self.token()
        return None if token == refused else token

    def _usable(self) -> Secret | None:
        if self._lease is not None:
            return self._lease.grant.token
        return self._own if self._unconfirmed else None

    def _is_backing_off(self) -> bool:
        """Return whether look-ups must not cause a retry now."""
        return self._failures.failures > 0 and self._reactor.seconds() < self._back_off_until

    # Timing

    def _wake(self) -> None:
        if self._stopped:
            return
        now = self._reactor.seconds()
        if self._lease is not None and self._lease.has_expired(now):
            self._expire(self._lease, self._lease.expires_at)
        if self._lease is not None and self._role is None:
            self._warnings.look_at(self._lease)
        if self._is_due() and not self._renewal.running and not self._failures.is_active(now):
            # The work handles all failures itself, except for a stop.
            self._renewal.join(self._renew_or_log_in).addErrback(
                lambda failure: failure.trap(VaultOutageError)
            )
        else:
            self._schedule()

    def _is_due(self) -> bool:
        if self._lease is None or self._must_log_in:
            return True
        return self._lease.is_due(self._reactor.seconds(), self._now())

    def _schedule(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        times = self._due_times()
        if times and not self._stopped:
            delay = max(0.0, min(times) - self._reactor.seconds())
            self._timer = self._reactor.callLater(min(delay, _MAX_SLEEP), self._wake)

    def _due_times(self) -> list[float]:
        """Return the times of the clock at which work is due."""
        times = []
        lease = self._lease
        # During an attempt, its end schedules the next one.
        if not self._renewal.running:
            if self._is_due():
                times.append(self._failures.retry_at)
            elif lease is not None and lease.grant.ttl:
                times.append(lease.since + lease.delay)
        if lease is not None and lease.grant.ttl:
            times.append(lease.since + lease.grant.ttl)
        if self._warnings.next is not None:
            times.append(self._reactor.seconds() + self._warnings.next - self._now())
        return times

    # Work, one attempt at a time

    async def _renew_or_log_in(self) -> None:
        """Renew the token or get a new one; log a failure and keep it in `_failures`."""
        lease = self._lease
        self._began = self._reactor.seconds()
        try:
            if lease is None or self._must_log_in or not lease.grant.renewable:
                await self._log_in()
            else:
                await self._renew(lease)
        except VaultOutageError as outage:
            self._fail(outage)
        except CancelledError:  # it is stopped
            raise
        except Exception as error:
            self._log.failure("bug in renewing the Vault token", Failure())
            self._fail(VaultOutageError(f"internal error ({type(error).__name__})"))

    async def _log_in(self) -> None:
        if self._own is not None:
            try:
                grant = await self._ask(lambda client: client.look_up_self(), self._own)
            except VaultRefusedError as refusal:
                if self._role is None:
                    self._mark_unconfirmed()
                    raise VaultOutageError(f"VAULT_TOKEN rejected: {refusal}") from None
                self._log.warn("VAULT_TOKEN rejected, using the AppRole from now on")
            else:
                if self._role is None or grant.renewable or not grant.ttl:
                    self._use(grant, "VAULT_TOKEN is valid")
                    return
                self._log.info("VAULT_TOKEN is not renewable, using the AppRole from now on")
        await self._log_in_as_role(self._role)

    async def _log_in_as_role(self, role: AppRole | None) -> None:
        assert role is not None
        self._own = None
        self._must_log_in = True
        try:
            grant = await self._ask(lambda client: client.log_in(role), None)
        except VaultRefusedError as refusal:
            problem = f"AppRole login rejected: {refusal}"
            raise VaultOutageError(problem, by_vault=True) from None
        self._use(grant, "logged in with the AppRole")

    async def _renew(self, lease: Lease) -> None:
        token = lease.grant.token
        try:
            grant = await self._ask(lambda client: client.renew_self(lease.asked), token)
        except VaultRefusedError as refusal:
            if self._role is not None:
                self._log.info("Vault token not renewed, logging in again with the AppRole")
                await self._log_in_as_role(self._role)
            else:
                await self._check_refused_renewal(lease, refusal)
            return
        level = LogLevel.info if self._failures.failures else LogLevel.debug
        self._adopt(lease.renewed(grant, self._reactor.seconds(), self._now(), self._random()))
        self._log.emit(level, "renewed the Vault token for {ttl:.0f} s", ttl=grant.ttl)
        if self._lease is not None and self._lease.last and self._role is not None:
            self._log.info("Vault token is near its maximum TTL, logging in again with the AppRole")
            await self._log_in_as_role(self._role)

    async def _check_refused_renewal(self, lease: Lease, refusal: VaultRefusedError) -> None:
        """Look up a VAULT_TOKEN after Vault has rejected its renewal."""
        try:
            grant = await self._ask(lambda client: client.look_up_self(), lease.grant.token)
        except VaultRefusedError:
            self._expire(lease, self._now())
            raise VaultOutageError(f"VAULT_TOKEN rejected: {refusal}") from None
        looked = Lease.begin(grant, self._reactor.seconds(), self._now(), self._random())
        self._adopt(looked.unrenewable(self._random()))

    async def _replace(self, token: Secret) -> None:
        """Replace a token that Vault does not know."""
        if self._role is None:
            if self._lease is not None:
                self._expire(self._lease, self._now())
                self._schedule()
            return
        if self._renewal.running:
            await self._renewal.join(self._renew_or_log_in)
        if self._usable() != token:
            return
        if self._is_backing_off():
            raise VaultOutageError(self._failures.problem)
        self._log.info("Vault token is unknown or revoked, logging in again with the AppRole")
        self._must_log_in = True
        await self._renewal.join(self._renew_or_log_in)
        if self._usable() == token:
            raise VaultOutageError(self._failures.problem)

    # Results

    def _use(self, grant: Grant, how: str) -> None:
        if grant.token != self._own:
            self._granted = [grant.token, *self._granted][:2]
        self._must_log_in = False
        self._unconfirmed = False
        life = "expires in {ttl:.0f} s" if grant.ttl else "never expires"
        self._log.info(
            f"Vault at {{address}}: {how}; the token {life}", address=self._address, ttl=grant.ttl
        )
        self._adopt(Lease.begin(grant, self._reactor.seconds(), self._now(), self._random()))

    def _adopt(self, lease: Lease) -> None:
        self._failures.reset()
        self._lease = lease
        self._expired_at = None
        if self._role is None:
            self._warnings.look_at(lease)

    def _fail(self, outage: VaultOutageError) -> None:
        problem = str(outage)
        level = LogLevel.debug if problem == self._failures.problem else LogLevel.error
        self._failures.fail(self._reactor.seconds(), self._random(), problem)
        # Vault may lock out the role after too many wrong secret ids.
        pause = _MAX_SLEEP if outage.by_vault else MAX_LOOKUP_BACKOFF
        if self._began >= self._ordered:
            self._back_off_until = min(self._failures.retry_at, self._reactor.seconds() + pause)
        self._log.emit(
            level,
            "Vault at {address}: {problem}; will retry",
            address=self._address,
            problem=self._shown(problem),
        )

    def _expire(self, lease: Lease, expired_at: float | None) -> None:
        """Drop the token of ``lease``, which has expired or is revoked."""
        self._expired_at = expired_at
        self._lease = None
        if self._own is not None:
            self._mark_unconfirmed()
            self._log.error("VAULT_TOKEN expired or revoked; set a new one and restart")
        else:
            self._log.error("Vault token expired, and no new login succeeded yet")

    def _mark_unconfirmed(self) -> None:
        self._lease = None
        self._unconfirmed = True
