"""
The calls to Vault: hvac builds the requests, the one bounded HTTP client sends them.

hvac would take much from the environment and from files; all of it is given here instead.
"""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import hvac  # type: ignore[import-untyped]
from attrs import field, frozen

from ...concurrency.deadline import Deadline
from ...http import BoundedHTTPClient, UnavailableError
from ...model.errors import ReadError, Reason
from ...model.snapshots import Meter
from ...redaction.secret import Secret
from .answers import check, document_of, granted, looked_up, mapping, understood
from .errors import VaultOutageError
from .lease import Grant
from .settings import MOUNT, AppRole, VaultSettings

# Vault's storage holds documents of 1 MiB at most.
LIMIT = 2 * 1024 * 1024


@frozen
class _Planned:
    """A request as hvac has built it; ``ok``, as it takes this for the response."""

    method: str
    url: str
    headers: dict[str, str] = field(repr=False)
    body: object = field(repr=False)
    ok: bool = True


class _Planner:
    """What hvac takes for a session of `requests`: it sends nothing."""

    cert = verify = proxies = None

    def request(
        self, method: str, url: str, headers: dict[str, str], json: object = None, **_: object
    ) -> _Planned:
        """What hvac means to send."""
        return _Planned(method.upper(), url, headers, json)


@frozen
class VaultClient:
    """
    Vault with one token or none. A call, with all its tries, ends by ``deadline``.

    Every method raises `VaultOutageError` or `VaultRefusedError`, nothing else.
    """

    http: BoundedHTTPClient
    settings: VaultSettings
    deadline: Deadline
    token: Secret | None = None

    async def log_in(self, role: AppRole) -> Grant:
        """A new token for ``role``."""
        answer = await self._call(
            lambda vault: vault.auth.approle.login(
                role.role_id, role.secret_id.reveal(), use_token=False
            )
        )
        return understood(lambda: granted(answer))

    async def look_up_self(self) -> Grant:
        """What Vault knows of our token."""
        answer = await self._call(lambda vault: vault.auth.token.lookup_self())
        token = self.token or Secret("")
        return understood(lambda: looked_up(answer, token))

    async def renew_self(self, ttl: float) -> Grant:
        """Our token for ``ttl`` seconds more, or for less."""
        increment = f"{max(1, math.ceil(ttl))}s"
        answer = await self._call(lambda vault: vault.auth.token.renew_self(increment=increment))
        return understood(lambda: granted(answer))

    async def mount_version(self) -> int:
        """Which version of the KV engine is mounted, as an ordinary token may ask."""
        answer = await self._call(lambda vault: vault.read(f"sys/internal/ui/mounts/{MOUNT}"))

        def version() -> int:
            options = answer["data"].get("options") or {}
            return 2 if str(options.get("version")) == "2" else 1

        return understood(version)

    async def read_v1(self, path: str) -> dict[str, object]:
        """The document at ``path`` of a version 1 mount."""
        answer = await self._call(
            lambda vault: vault.secrets.kv.v1.read_secret(path, mount_point=MOUNT)
        )
        return understood(lambda: mapping(answer["data"]))

    async def read_v2(self, path: str) -> dict[str, object]:
        """The document at ``path`` of a version 2 mount."""
        answer = await self._call(
            lambda vault: vault.secrets.kv.v2.read_secret_version(
                path, mount_point=MOUNT, raise_on_deleted_version=True
            )
        )

        def document() -> dict[str, object]:
            data = mapping(answer["data"])
            mapping(data["metadata"])
            return mapping(data["data"])

        return understood(document)

    async def _call(self, build: Callable[[Any], _Planned]) -> Any:
        """Send the request that ``build`` makes of an hvac client; Vault's answer, parsed."""
        planned = build(
            hvac.Client(
                url=self.settings.address,
                # An empty one, as hvac would look for another in ~/.vault-token.
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
        return document_of(response.body)

    def _explained(self, error: ReadError) -> str:
        """Why nothing came of a call; every message says first who was asked."""
        if error.reason is Reason.TIMEOUT and not self.deadline.remaining():
            return "timed out"
        text = error.message.partition(": ")[2]
        return f"{text}; check VAULT_ADDR" if error.reason is Reason.REDIRECT else text
