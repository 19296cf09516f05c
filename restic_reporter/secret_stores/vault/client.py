"""
Calls to Vault: hvac builds the requests, the bounded HTTP client sends them.

hvac would read settings from the environment and from files; this passes all of them instead.
"""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from attrs import field, frozen

from ...concurrency.deadline import Deadline
from ...http import BoundedHTTPClient, UnavailableError
from ...model.errors import ReadError, Reason
from ...model.snapshots import Meter
from ...redaction.secret import Secret
from .answers import check, document_in, document_of, granted, kv_version, looked_up
from .errors import VaultOutageError
from .lease import Grant
from .settings import MOUNT, AppRole, VaultSettings

T = TypeVar("T")

# Vault's documents have at most 1 MiB.
LIMIT = 2 * 1024 * 1024


@frozen
class _Planned:
    """A request built by hvac, which takes it for the response and reads ``ok``."""

    method: str
    url: str
    headers: dict[str, str] = field(repr=False)
    body: object = field(repr=False)
    ok: bool = True


class _Planner:
    """Replaces hvac's session of `requests`; sends nothing."""

    cert = verify = proxies = None

    def request(
        self, method: str, url: str, headers: dict[str, str], json: object = None, **_: object
    ) -> _Planned:
        """Return the request that hvac would send."""
        return _Planned(method.upper(), url, headers, json)


@frozen
class VaultClient:
    """
    Vault with one token or none. A call, with all its retries, ends by ``deadline``.

    Every method raises only `VaultOutageError` or `VaultRefusedError`.
    """

    http: BoundedHTTPClient
    settings: VaultSettings
    deadline: Deadline
    token: Secret | None = None

    async def log_in(self, role: AppRole) -> Grant:
        """Log in as ``role``; return the new token's grant."""
        secret_id = role.secret_id.reveal()
        return await self._call(
            lambda vault: vault.auth.approle.login(role.role_id, secret_id, use_token=False),
            granted,
        )

    async def look_up_self(self) -> Grant:
        """Look up the token itself."""
        token = self.token or Secret("")
        return await self._call(
            lambda vault: vault.auth.token.lookup_self(), lambda answer: looked_up(answer, token)
        )

    async def renew_self(self, ttl: float) -> Grant:
        """Renew the token for ``ttl`` seconds; Vault may grant less."""
        increment = f"{max(1, math.ceil(ttl))}s"
        return await self._call(
            lambda vault: vault.auth.token.renew_self(increment=increment), granted
        )

    async def mount_version(self) -> int:
        """Return the version of the mounted KV engine, by a call that ordinary tokens may make."""
        return await self._call(
            lambda vault: vault.read(f"sys/internal/ui/mounts/{MOUNT}"), kv_version
        )

    async def read(self, path: str, version: int) -> dict[str, object]:
        """Read the document at ``path`` of a mount of this ``version``."""

        def build(vault: Any) -> Any:
            if version == 1:
                return vault.secrets.kv.v1.read_secret(path, mount_point=MOUNT)
            return vault.secrets.kv.v2.read_secret_version(
                path, mount_point=MOUNT, raise_on_deleted_version=True
            )

        return await self._call(build, lambda answer: document_in(answer, version))

    async def _call(self, build: Callable[[Any], _Planned], parse: Callable[[Any], T]) -> T:
        """Send the request that ``build`` makes with an hvac client; ``parse`` the response."""
        import hvac  # type: ignore[import-untyped]  # `VaultStore` has imported it

        planned = build(
            hvac.Client(
                url=self.settings.address,
                # Not None: hvac would read ~/.vault-token.
                token="" if self.token is None else self.token.reveal(),
                cert=None,
                verify=True,
                session=_Planner(),
                adapter=hvac.adapters.RawAdapter,
                namespace=self.settings.namespace,
            )
        )
        headers: Mapping[str, str] = planned.headers
        body = None
        if planned.body is not None:
            headers = {**headers, "Content-Type": "application/json"}
            body = json.dumps(planned.body).encode()
        try:
            response = await self.http.request(
                planned.method,
                planned.url,
                transport=self.settings.transport,
                headers=headers,
                body=body,
                deadline=self.deadline,
                body_limit=LIMIT,
                meter=Meter(),
                operation="Vault",
            )
        except UnavailableError as error:
            response = error.response
        except ReadError as error:
            raise VaultOutageError(self._explained(error)) from None
        check(response)
        try:
            return parse(document_of(response.body))
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
            raise VaultOutageError("not a Vault response; check VAULT_ADDR") from None

    def _explained(self, error: ReadError) -> str:
        """Return why a call has failed, without the server's name at the start of the message."""
        if error.reason is Reason.TIMEOUT and not self.deadline.remaining():
            return "timed out"
        text = error.message.partition(": ")[2]
        return f"{text}; check VAULT_ADDR" if error.reason is Reason.REDIRECT else text
