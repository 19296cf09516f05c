"""The Vault token in use. Pure."""

from attrs import define, field

from ...redaction.secret import Secret
from .lease import Lease


@define(eq=False)
class HeldToken:
    """
    The token in use: one with a ``lease``, or ``VAULT_TOKEN`` without, or none.

    ``own`` is ``VAULT_TOKEN``, until the AppRole replaces it. ``granted`` are the current and
    the previous token of logins.
    """

    own: Secret | None
    lease: Lease | None = None
    granted: list[Secret] = field(factory=list)
    must_log_in: bool = False
    # Vault has not confirmed VAULT_TOKEN. Use it anyway: a policy may forbid the check.
    _unconfirmed: bool = False
    _expired_at: float | None = None

    @property
    def usable(self) -> Secret | None:
        """Return the token for look-ups."""
        if self.lease is not None:
            return self.lease.grant.token
        return self.own if self._unconfirmed else None

    @property
    def unconfirmed(self) -> bool:
        """Return whether Vault has not confirmed the token in use."""
        return self.lease is None and self._unconfirmed

    @property
    def expires_at(self) -> float | None:
        """
        Return when it expires, or has expired without a new one, in Unix seconds.

        ``None`` before the first token, and for one that never expires.
        """
        return self._expired_at if self.lease is None else self.lease.expires_at

    def use(self, lease: Lease) -> None:
        """Use a new token, or the same with a new ``lease``."""
        token = lease.grant.token
        if token not in (self.own, *self.granted[:1]):
            self.granted = [token, *self.granted[:1]]
        self.must_log_in = self._unconfirmed = False
        self.lease, self._expired_at = lease, None

    def drop(self, expired_at: float | None = None) -> None:
        """Drop the lease, which has ended; only ``VAULT_TOKEN`` is still usable."""
        self.lease, self._expired_at = None, expired_at or self._expired_at
        self._unconfirmed = self.own is not None

    def is_due(self, now: float, wall: float) -> bool:
        """Return whether to renew the token or to get one."""
        return self.lease is None or self.must_log_in or self.lease.is_due(now, wall)
