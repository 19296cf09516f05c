"""Keeps a valid Vault token: looks it up, renews it, and logs in again."""

from collections.abc import Callable, Coroutine
from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from ...concurrency.single_flight import SingleFlight
from ...redaction.secret import Secret
from .client import VaultClient
from .errors import VaultOutageError, VaultRefusedError
from .held import HeldToken
from .lease import MAX_LOOKUP_BACKOFF, Backoff, Grant, Lease
from .refusals import RefusalCheck
from .settings import VaultSettings
from .warnings import EndWarnings

Call = Callable[[VaultClient], Coroutine[Any, Any, Grant]]
Ask = Callable[[Call, Secret | None], Coroutine[Any, Any, Grant]]

# The longest sleep in seconds. Only the wall clock runs while the computer sleeps, so check it.
_MAX_SLEEP = 1800.0


@define(eq=False)
class TokenKeeper:
    """
    The token for look-ups, from ``VAULT_TOKEN`` or an AppRole login.

    If both are set, uses ``VAULT_TOKEN`` until it is rejected or no longer renewable, then
    only the AppRole. Failures are retried in the background for ever, with a backoff.

    ``ask(call, token)`` awaits ``call`` with a client that has the token. ``now`` is the wall
    clock, ``random`` returns numbers from 0 to 1, ``shown`` masks secrets in a text. ``held``
    is the token.
    """

    _log = Logger()

    _settings: VaultSettings
    _ask: Ask
    _reactor: Any
    _now: Callable[[], float]
    _random: Callable[[], float]
    _shown: Callable[[object], str]
    held: HeldToken = field(init=False)
    _failures: Backoff = field(factory=Backoff)
    _back_off_until: float = 0.0
    # When the latest attempt started, and when `forget_failures` was called.
    _began: float = 0.0
    _ordered: float = 0.0
    _timer: IDelayedCall | None = None
    _stopped: bool = False
    _renewal: SingleFlight[None] = field(init=False)
    _refusals: RefusalCheck = field(init=False)
    _warnings: EndWarnings = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.held = HeldToken(self._settings.token)
        self._renewal = SingleFlight(self._schedule, outlives=True)
        self._refusals = RefusalCheck(
            self.held, self._look_up, self._replace, self._reactor, self._random
        )
        self._warnings = EndWarnings(self._now)

    def start(self) -> None:
        """Get a token, and keep it valid from then on; also called at each due time."""
        if self._stopped:
            return
        now, lease = self._reactor.seconds(), self.held.lease
        if lease is not None and lease.has_expired(now):
            self._expire(lease.expires_at)
        self._warn_of_end()
        if self._is_due() and not self._renewal.running and not self._failures.is_active(now):
            # The work handles all failures itself, except for a stop.
            self._renewal.join(self._renew_or_log_in).addErrback(
                lambda failure: failure.trap(VaultOutageError)
            )
        else:
            self._schedule()

    def stop(self) -> None:
        """Stop at once."""
        self._stopped = True
        self._schedule()
        self._renewal.stop(VaultOutageError("daemon is stopping"))
        self._refusals.stop()

    async def token(self) -> Secret:
        """
        Return the current token; wait for a login if there is none.

        :raises VaultOutageError: no token; during the backoff it is raised at once.
        """
        while (token := self.held.usable) is None:
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
        if self.held.usable == refused and not self._stopped:
            await self._refusals.check()
        token = await self.token()
        return None if token == refused else token

    def _is_backing_off(self) -> bool:
        """Return whether look-ups must not cause a retry now."""
        return self._failures.failures > 0 and self._reactor.seconds() < self._back_off_until

    def _is_due(self) -> bool:
        return self.held.is_due(self._reactor.seconds(), self._now())

    def _schedule(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        times = self._due_times()
        if times and not self._stopped:
            delay = max(0.0, min(times) - self._reactor.seconds())
            self._timer = self._reactor.callLater(min(delay, _MAX_SLEEP), self.start)

    def _due_times(self) -> list[float]:
        """Return the times of the clock at which work is due."""
        times = []
        lease = self.held.lease
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

    async def _renew_or_log_in(self) -> None:
        """Renew the token or get a new one; log a failure and keep it in `_failures`."""
        lease = self.held.lease
        self._began = self._reactor.seconds()
        try:
            if lease is None or self.held.must_log_in or not lease.grant.renewable:
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

    async def _look_up(self, token: Secret) -> Grant:
        return await self._ask(lambda client: client.look_up_self(), token)

    async def _log_in(self) -> None:
        role, own = self._settings.app_role, self.held.own
        if own is not None:
            try:
                grant = await self._look_up(own)
            except VaultRefusedError as refusal:
                if role is None:
                    self.held.drop()
                    raise VaultOutageError(f"VAULT_TOKEN rejected: {refusal}") from None
                self._log.warn("VAULT_TOKEN rejected, using the AppRole from now on")
            else:
                if role is None or grant.renewable or not grant.ttl:
                    self._use_new(grant, "VAULT_TOKEN is valid")
                    return
                self._log.info("VAULT_TOKEN is not renewable, using the AppRole from now on")
        await self._log_in_as_role()

    async def _log_in_as_role(self) -> None:
        role = self._settings.app_role
        assert role is not None
        self.held.own = None
        self.held.must_log_in = True
        try:
            grant = await self._ask(lambda client: client.log_in(role), None)
        except VaultRefusedError as refusal:
            raise VaultOutageError(f"AppRole login rejected: {refusal}", by_vault=True) from None
        self._use_new(grant, "logged in with the AppRole")

    async def _renew(self, lease: Lease) -> None:
        token = lease.grant.token
        try:
            grant = await self._ask(lambda client: client.renew_self(lease.asked), token)
        except VaultRefusedError as refusal:
            if self._settings.app_role is not None:
                self._log.info("Vault token not renewed, logging in again with the AppRole")
                await self._log_in_as_role()
            else:
                await self._check_refused_renewal(token, refusal)
            return
        level = LogLevel.info if self._failures.failures else LogLevel.debug
        renewed = lease.renewed(grant, self._reactor.seconds(), self._now(), self._random())
        self._use(renewed)
        self._log.emit(level, "renewed the Vault token for {ttl:.0f} s", ttl=grant.ttl)
        if renewed.last and self._settings.app_role is not None:
            self._log.info("Vault token is near its maximum TTL, logging in again with the AppRole")
            await self._log_in_as_role()

    async def _check_refused_renewal(self, token: Secret, refusal: VaultRefusedError) -> None:
        """Look up a VAULT_TOKEN after Vault has rejected its renewal."""
        try:
            grant = await self._look_up(token)
        except VaultRefusedError:
            self._expire(self._now())
            raise VaultOutageError(f"VAULT_TOKEN rejected: {refusal}") from None
        self._use(self._lease_of(grant).unrenewable(self._random()))

    async def _replace(self, token: Secret) -> None:
        """Replace a token that Vault does not know."""
        if self._settings.app_role is None:
            if self.held.lease is not None:
                self._expire(self._now())
                self._schedule()
            return
        if self._renewal.running:
            await self._renewal.join(self._renew_or_log_in)
        if self.held.usable != token:
            return
        if self._is_backing_off():
            raise VaultOutageError(self._failures.problem)
        self._log.info("Vault token is unknown or revoked, logging in again with the AppRole")
        self.held.must_log_in = True
        await self._renewal.join(self._renew_or_log_in)
        if self.held.usable == token:
            raise VaultOutageError(self._failures.problem)

    def _use_new(self, grant: Grant, how: str) -> None:
        life = f"expires in {grant.ttl:.0f} s" if grant.ttl else "never expires"
        self._log.info(
            "Vault at {address}: {how}; the token {life}",
            address=self._settings.address,
            how=how,
            life=life,
        )
        self._use(self._lease_of(grant))

    def _lease_of(self, grant: Grant) -> Lease:
        return Lease.begin(grant, self._reactor.seconds(), self._now(), self._random())

    def _use(self, lease: Lease) -> None:
        self._failures.reset()
        self.held.use(lease)
        self._warn_of_end()

    def _warn_of_end(self) -> None:
        if self.held.lease is not None and self._settings.app_role is None:
            self._warnings.look_at(self.held.lease)

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
            address=self._settings.address,
            problem=self._shown(problem),
        )

    def _expire(self, expired_at: float | None) -> None:
        """Drop the token, which has expired or is revoked."""
        self.held.drop(expired_at)
        if self.held.own is not None:
            self._log.error("VAULT_TOKEN expired or revoked; set a new one and restart")
        else:
            self._log.error("Vault token expired, and no new login succeeded yet")
