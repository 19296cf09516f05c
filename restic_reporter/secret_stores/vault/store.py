"""Vault as a secret store."""

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from importlib import import_module
from random import random as default_random
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.logger import Logger
from zope.interface import implementer

from ...concurrency.deadline import Deadline, within
from ...interfaces import ISecretStore, StoreTools
from ...model.errors import ReadError, Reason
from ...redaction.masks import redact
from ...redaction.secret import Secret
from .client import VaultClient
from .errors import VaultOutageError, VaultRefusedError
from .kv import KVMount, checked_path, explain
from .lease import MAX_LOOKUP_BACKOFF, Backoff
from .settings import VaultSettings, parse_settings
from .token_keeper import TokenKeeper

T = TypeVar("T")

# Seconds for one call: Vault normally responds in milliseconds.
_TIMEOUT = 15.0

# The most parallel look-ups; others wait.
_AT_ONE_TIME = 8

_LONGEST_MESSAGE = 300


@implementer(ISecretStore)
@define(eq=False, repr=False)
class NoVault:
    """The store without ``VAULT_ADDR``: every look-up fails."""

    available: bool = field(default=False, init=False)
    expires_at: float | None = field(default=None, init=False)

    def secrets(self) -> Iterable[Secret]:
        """Return no secrets."""
        return ()

    def start(self) -> None:
        """Do nothing."""

    async def look_up(self, path: str, deadline: Deadline) -> Mapping[str, object]:
        """Fail."""
        raise ReadError(Reason.SECRET, f"cannot look up {path!r} in Vault: VAULT_ADDR is not set")

    def forget_failures(self) -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Do nothing."""


@implementer(ISecretStore)
class VaultStore:
    """
    Documents of Vault's KV store at ``kv/``, version 1 or 2.

    Reads the same environment variables as Vault's own programs: ``VAULT_ADDR``,
    ``VAULT_TOKEN`` or ``VAULT_ROLE_ID`` with ``VAULT_SECRET_ID``, ``VAULT_CACERT``,
    ``VAULT_NAMESPACE``, ``VAULT_SKIP_VERIFY``. If both kinds of credentials are set, uses the
    token until it is rejected or no longer renewable, then the AppRole.

    Ignores ``~/.vault-token``, ``.netrc``, proxies, and all certificates except those of
    ``VAULT_CACERT`` or the system.
    """

    _log = Logger()
    available = True

    def __init__(
        self,
        settings: VaultSettings,
        tools: StoreTools,
        random: Callable[[], float] = default_random,
        timeout: float = _TIMEOUT,
    ) -> None:
        """``random`` returns numbers from 0 to 1; ``timeout`` (seconds) limits each call."""
        # It takes a quarter of a second, and most users have no Vault.
        import_module("hvac")
        self._settings = settings
        self._reactor = tools.reactor
        self._http = tools.http
        self._random = random
        self._timeout = timeout
        self._keeper = TokenKeeper(
            settings, self._ask, tools.reactor, tools.now, random, self._shown
        )
        self._mount = KVMount(tools.reactor.seconds)
        self._turn = DeferredSemaphore(_AT_ONE_TIME)
        self._outage = Backoff(MAX_LOOKUP_BACKOFF)
        # Failures of requests sent before this are not counted.
        self._ignore_before = 0.0
        self._pending: set[Deferred[dict[str, object]]] = set()
        self._stopped = False

    @classmethod
    def make(cls, environ: Mapping[str, str], tools: StoreTools) -> ISecretStore:
        """
        Return the store for the daemon's environment; `NoVault` without ``VAULT_ADDR``.

        :raises ValueError: a variable is missing or invalid; the message names it.
        """
        settings = parse_settings(environ)
        if settings is None:
            return NoVault()
        return cls(settings, tools)

    @property
    def expires_at(self) -> float | None:
        """See `HeldToken.expires_at`."""
        return self._keeper.held.expires_at

    def secrets(self) -> Iterable[Secret]:
        """Return the tokens and the secret id."""
        return [*self._settings.secrets(), *self._keeper.held.granted]

    def start(self) -> None:
        """Log in, and renew the token from then on; log and retry failures."""
        if not self._settings.transport.verify and self._settings.address.startswith("https:"):
            self._log.warn("VAULT_SKIP_VERIFY is set: Vault's certificate is not verified")
        self._keeper.start()

    def stop(self) -> None:
        """Stop at once; running look-ups fail."""
        self._stopped = True
        self._keeper.stop()
        for pending in list(self._pending):
            pending.cancel()

    def forget_failures(self) -> None:
        """Make the next look-up ask Vault without a backoff."""
        self._ignore_before = self._reactor.seconds()
        self._outage.reset()
        self._keeper.forget_failures()

    async def look_up(self, path: str, deadline: Deadline) -> Mapping[str, object]:
        """
        Return the document at ``path`` within ``kv/``.

        An unreachable Vault is asked at most every few seconds: look-ups in between fail at
        once.

        :raises ReadError: ``secret``; the message names the path and the cause.
        """
        try:
            asked = checked_path(path)
            return await self._until_stop(
                within(deadline, self._look_up(asked), f"look-up of {path!r} in Vault")
            )
        except VaultOutageError as outage:
            problem = f"cannot look up {path!r}: Vault at {self._settings.address}: {outage}"
        except VaultRefusedError as refusal:
            problem = explain(refusal, path, str(refusal))
            if refusal.status == 403 and self._keeper.held.unconfirmed:
                problem += " (VAULT_TOKEN may have expired)"
        except ValueError as error:
            problem = f"cannot look up {path!r} in Vault: {error}"
        except ReadError as error:
            problem = error.message
        raise ReadError(Reason.SECRET, self._shown(problem))

    async def _until_stop(self, work: Coroutine[Any, Any, dict[str, object]]) -> dict[str, object]:
        pending = Deferred.fromCoroutine(work)
        self._pending.add(pending)
        try:
            return await pending
        except CancelledError:
            if not self._stopped:
                raise
            raise VaultOutageError("daemon is stopping") from None
        finally:
            self._pending.discard(pending)

    async def _look_up(self, path: str) -> dict[str, object]:
        token = await self._keeper.token()
        try:
            return await self._read(path, token)
        except VaultRefusedError as refusal:
            if refusal.status != 403:
                raise
            another = await self._keeper.replacement(token)
            if another is None:
                raise
        return await self._read(path, another)

    async def _read(self, path: str, token: Secret) -> dict[str, object]:
        """Read ``path``; fail at once during the backoff."""
        await self._turn.acquire()
        try:
            now = self._reactor.seconds()
            if self._outage.is_active(now):
                raise VaultOutageError(self._outage.problem)
            try:
                document = await self._ask(lambda client: self._mount.read(client, path), token)
            except VaultOutageError as outage:
                # Ignore failures of requests sent before the previous one.
                if now >= self._ignore_before:
                    self._ignore_before = self._reactor.seconds()
                    self._outage.fail(self._ignore_before, self._random(), str(outage))
                raise
            self._outage.reset()
            return document
        finally:
            # Later: a thousand failing look-ups would call each other recursively.
            self._reactor.callFromThread(self._turn.release)

    async def _ask(self, call: Callable[[VaultClient], Awaitable[T]], token: Secret | None) -> T:
        """
        Make one call, within the timeout.

        :raises VaultOutageError: Vault is unavailable, or the call timed out.
        :raises VaultRefusedError: Vault rejects the request.
        """
        deadline = Deadline.after(self._reactor, self._timeout)
        return await call(VaultClient(self._http, self._settings, deadline, token))

    def _shown(self, problem: object) -> str:
        """Return ``problem`` in one line, secrets masked."""
        text = redact(" ".join(str(problem).split()), self.secrets())
        return text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + "…"
