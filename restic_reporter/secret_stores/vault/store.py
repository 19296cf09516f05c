"""Vault as a secret store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from random import random as default_random
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.logger import Logger
from zope.interface import implementer

from ...concurrency.deadline import Deadline, within
from ...interfaces import ISecretStore, StoreTools
from ...model.errors import ReadError, Reason
from ...redaction.masks import redact
from ...redaction.secret import Secret
from .errors import VaultOutageError, VaultRefusedError
from .kv import KVMount, checked_path, explain
from .lease import MAX_LOOKUP_BACKOFF, Backoff
from .settings import VaultSettings, parse_settings
from .token_keeper import TokenKeeper

if TYPE_CHECKING:
    from .client import VaultClient

T = TypeVar("T")

# What Vault answers at all, it answers in milliseconds.
_TIMEOUT = 15.0

# Look-ups that ask at one time; the others wait for their turn.
_AT_ONE_TIME = 8

_LONGEST_MESSAGE = 300


@implementer(ISecretStore)
@define(eq=False, repr=False)
class NoVault:
    """What there is without ``VAULT_ADDR``."""

    available: bool = field(default=False, init=False)
    expires_at: float | None = field(default=None, init=False)

    def secrets(self) -> Iterable[Secret]:
        """None."""
        return ()

    def start(self) -> None:
        """Nothing to do."""

    async def look_up(self, path: str, deadline: Deadline) -> Mapping[str, object]:
        """Fail."""
        raise ReadError(Reason.SECRET, f"cannot look up {path!r} in Vault: VAULT_ADDR is not set")

    def forget_failures(self) -> None:
        """Nothing to do."""

    def stop(self) -> None:
        """Nothing to do."""


@implementer(ISecretStore)
class VaultStore:
    """
    Documents of the KV store that Vault has at ``kv/``, of either version.

    The environment sets it up, as it does Vault's own programs: ``VAULT_ADDR``,
    ``VAULT_TOKEN`` or ``VAULT_ROLE_ID`` with ``VAULT_SECRET_ID``, ``VAULT_CACERT``,
    ``VAULT_NAMESPACE``, ``VAULT_SKIP_VERIFY``. Where both ways to log in are set, the token is
    used until it is refused or cannot be prolonged, and the AppRole from then on.

    Nothing else plays a part: not ``~/.vault-token``, not ``.netrc``, no proxy, no other
    certificates than ``VAULT_CACERT`` or the system's.
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
        """``random`` gives numbers from 0 to 1; one call to Vault has ``timeout`` seconds."""
        # hvac takes a quarter of a second to import, and most have no Vault.
        from .client import VaultClient

        self._client = VaultClient
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
        # Failures of what was asked before this are no news.
        self._ignore_before = 0.0
        self._pending: set[Deferred[dict[str, object]]] = set()
        self._stopped = False

    @classmethod
    def make(cls, environ: Mapping[str, str], tools: StoreTools) -> ISecretStore:
        """
        The store for the daemon's environment; without ``VAULT_ADDR`` one that has nothing.

        :raises ValueError: a variable is missing or wrong; the message names it.
        """
        settings = parse_settings(environ)
        if settings is None:
            return NoVault()
        return cls(settings, tools)

    @property
    def expires_at(self) -> float | None:
        """
        When the token ends, in Unix seconds; of one that has ended and has no successor,
        when that was. ``None`` where there was none yet, or one without an end.
        """
        return self._keeper.expires_at

    def secrets(self) -> Iterable[Secret]:
        """The tokens and the secret id."""
        return [*self._settings.secrets(), *self._keeper.secrets()]

    def start(self) -> None:
        """Log in, and stay so; what goes wrong is logged and tried again."""
        if not self._settings.transport.verify and self._settings.address.startswith("https:"):
            self._log.warn("VAULT_SKIP_VERIFY is set: Vault's certificate is not verified")
        self._keeper.start()

    def stop(self) -> None:
        """Do nothing more; look-ups under way fail at once."""
        self._stopped = True
        self._keeper.stop()
        for pending in list(self._pending):
            pending.cancel()

    def forget_failures(self) -> None:
        """Ask again at once, however recently Vault was out of reach."""
        self._ignore_before = self._reactor.seconds()
        self._outage.reset()
        self._keeper.forget_failures()

    async def look_up(self, path: str, deadline: Deadline) -> Mapping[str, object]:
        """
        The document at ``path`` within ``kv/``.

        When Vault is out of reach, it is tried every few seconds at most: look-ups between
        fail at once.

        :raises ReadError: ``secret``, with a message that says which path and why.
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
            if refusal.status == 403 and self._keeper.unconfirmed:
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
        """Read ``path``, but not while Vault was out of reach a moment ago."""
        await self._turn.acquire()
        try:
            now = self._reactor.seconds()
            if self._outage.is_active(now):
                raise VaultOutageError(self._outage.problem)
            try:
                document = await self._ask(lambda client: self._mount.read(client, path), token)
            except VaultOutageError as outage:
                self._out_of_reach(now, outage)
                raise
            self._outage.reset()
            return document
        finally:
            # Not at once: a thousand that fail would each be called by the one before.
            self._reactor.callFromThread(self._turn.release)

    def _out_of_reach(self, asked_at: float, outage: VaultOutageError) -> None:
        """Leave Vault alone for a while; what was asked before that is no new failure."""
        if asked_at >= self._ignore_before:
            self._ignore_before = self._reactor.seconds()
            self._outage.fail(self._ignore_before, self._random(), str(outage))

    async def _ask(self, call: Callable[[VaultClient], Awaitable[T]], token: Secret | None) -> T:
        """
        Make one call.

        :raises VaultOutageError: it came to nothing, within our timeout.
        :raises VaultRefusedError: Vault refuses.
        """
        deadline = Deadline.after(self._reactor, self._timeout)
        return await call(self._client(self._http, self._settings, deadline, token))

    def _shown(self, problem: object) -> str:
        """``problem`` in one line and without our secrets."""
        text = redact(" ".join(str(problem).split()), self.secrets())
        return text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + "…"
