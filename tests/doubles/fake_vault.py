"""
A strict fake of HashiCorp Vault: AppRole, tokens, and a KV mount at ``kv/``.

It runs in threads of its own, so that it serves a test that blocks as well as one with a
reactor, and a daemon in a child process. It answers as Vault's API documentation says.
"""

import itertools
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from attrs import Factory, define, field

from tests.doubles.fake_vault_http import Answer, Reply, Request, Server
from tests.doubles.programs import PATIENCE


class Deleted:
    """In place of a document: its latest version was deleted."""

    destroyed = False


class Destroyed(Deleted):
    """The same, but destroyed."""

    destroyed = True


@define(eq=False)
class Token:
    """
    A token; times are of the fake's clock. ``ttl`` 0 is a root token.

    ``max_ttl`` is counted from its making and cannot be passed by renewals. One that is not
    ``default`` has no leave to look at itself or to renew itself.
    """

    name: str
    ttl: float
    made: float
    ends: float
    max_ttl: float = 0.0
    explicit_max_ttl: float = 0.0
    renewable: bool = True
    default: bool = True
    uses: int = 0

    def last_moment(self) -> float:
        """When it ends for good."""
        limits = [limit for limit in (self.max_ttl, self.explicit_max_ttl) if limit]
        return self.made + min(limits) if limits else math.inf


@define(eq=False)
class Role:
    """An AppRole, and what tokens it gets; ``batch`` ones cannot be renewed."""

    role_id: str = "role-1"
    secret_ids: set[str] = field(factory=lambda: {"secret-id-1"})
    ttl: float = 3600.0
    max_ttl: float = 0.0
    batch: bool = False
    default: bool = True


def refusal(status: int, *errors: str, **more: Any) -> Answer:
    """An answer with errors."""
    return Answer(status, {"errors": list(errors), **more})


DENIED = refusal(403, "1 error occurred:\n\t* permission denied\n\n")
UNKNOWN_TOKEN = refusal(403, "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n")
SEALED = refusal(503, "Vault is sealed")
RATE_LIMITED = refusal(429, "request path kv: rate limit quota exceeded")


@define(eq=False)
class FakeVault:
    """
    A Vault at ``address``; `close` ends it.

    ``counts`` are requests by kind (``login``, ``look``, ``renew``, ``mounts``, ``read``),
    ``seen`` are all tokens that came, ``paths`` what was read. A ``trouble`` stands in for
    the answers to its kind, and under ``""`` to all; those of ``passing`` once each, in turn,
    where one that is ``None`` leaves the answer as it is. ``wide`` policies allow all of ``kv/``,
    ordinary ones only what is right for the version. ``changed`` is called, in any thread, after
    each request and each misbehaviour.
    """

    pem: bytes | None = None
    clock: Callable[[], float] = time.monotonic
    namespace: str = ""
    version: int = 2
    wide: bool = False
    tells_version: bool = True
    role: Role = Factory(Role)
    documents: dict[str, Any] = field(factory=dict)
    denied: set[str] = field(factory=set)
    troubles: dict[str, Reply] = field(factory=dict)
    passing: dict[str, list[Reply | None]] = field(factory=dict)
    changed: Callable[[], object] = lambda: None
    counts: Counter[str] = field(factory=Counter, init=False)
    paths: list[str] = field(factory=list, init=False)
    seen: list[str] = field(factory=list, init=False)
    requests: list[Request] = field(factory=list, init=False)
    tokens: dict[str, Token] = field(factory=dict, init=False)
    at_one_time: int = field(default=0, init=False)
    most_at_one_time: int = field(default=0, init=False)
    server: Server = field(init=False)
    _lock: threading.Condition = field(factory=threading.Condition, init=False)
    _numbers: Any = field(factory=lambda: itertools.count(1), init=False)

    def __attrs_post_init__(self) -> None:
        self.server = Server(self._serve, self.pem, self.changed)

    def close(self) -> None:
        """End it."""
        self.server.close()

    @property
    def address(self) -> str:
        """What ``VAULT_ADDR`` should be."""
        scheme = "http" if self.pem is None else "https"
        return f"{scheme}://127.0.0.1:{self.server.port}"

    def environment(self, token: Token | None = None) -> dict[str, str]:
        """What leads to it: with ``token``, or with the AppRole."""
        environ = {"VAULT_ADDR": self.address}
        if token is not None:
            environ["VAULT_TOKEN"] = token.name
        else:
            environ["VAULT_ROLE_ID"] = self.role.role_id
            environ["VAULT_SECRET_ID"] = min(self.role.secret_ids)
        return environ

    def issue(self, ttl: float = 3600.0, **properties: Any) -> Token:
        """A new token."""
        with self._lock:
            name = f"hvs.fake-token-{next(self._numbers)}"
            now = self.clock()
            token = Token(name, ttl, now, now + ttl if ttl else math.inf, **properties)
            token.ends = min(token.ends, token.last_moment())
            self.tokens[name] = token
            return token

    def revoke(self) -> None:
        """Forget all tokens."""
        self.tokens.clear()

    def wait_for(self, kind: str, number: int) -> None:
        """Block until so many requests of this kind have come."""
        with self._lock:
            if not self._lock.wait_for(lambda: self.counts[kind] >= number, PATIENCE):
                raise AssertionError(f"{kind}: {self.counts[kind]} of {number} in time")

    def _serve(self, request: Request) -> Reply:
        with self._lock:
            self.at_one_time += 1
            self.most_at_one_time = max(self.at_one_time, self.most_at_one_time)
            try:
                return self._answer(request)
            finally:
                self.at_one_time -= 1
                self._lock.notify_all()
                self.changed()

    def _answer(self, request: Request) -> Reply:
        kind, serve = self._route(request)
        self.counts[kind] += 1
        self.requests.append(request)
        if "x-vault-token" in request.headers:
            self.seen.append(request.headers["x-vault-token"])
        trouble = self.troubles.get(kind) or self.troubles.get("")
        if self.passing.get(kind):
            trouble = self.passing[kind].pop(0)
        if trouble is not None:
            return trouble
        if request.headers.get("x-vault-request") != "true":
            return refusal(412, "missing 'X-Vault-Request' header")
        if request.headers.get("x-vault-namespace", "").strip("/") != self.namespace:
            return DENIED
        if kind == "login":
            return self._log_in(request)
        token = self._authenticated(request)
        if token is None:
            return UNKNOWN_TOKEN
        return serve(request, token)

    def _route(self, request: Request) -> tuple[str, Callable[[Request, Token], Reply]]:
        match request.method, request.path:
            case "POST" | "PUT", "auth/approle/login":
                return "login", self._unroutable
            case "GET", "auth/token/lookup-self":
                return "look", self._look
            case "POST" | "PUT", "auth/token/renew-self":
                return "renew", self._renew
            case "GET", "sys/internal/ui/mounts/kv":
                return "mounts", self._mounts
            case "GET", path if path.startswith("kv/"):
                return "read", self._read
        return "other", self._unroutable

    def _unroutable(self, request: Request, token: Token) -> Reply:
        return refusal(404, f'no handler for route "{request.path}". route entry not found.')

    def _authenticated(self, request: Request) -> Token | None:
        token = self.tokens.get(request.headers.get("x-vault-token", ""))
        if token is None or self.clock() >= token.ends:
            return None
        if token.uses:
            token.uses -= 1
            if not token.uses:
                del self.tokens[token.name]
        return token

    def _log_in(self, request: Request) -> Reply:
        role = self.role
        sent = request.body if isinstance(request.body, dict) else {}
        if sent.get("role_id") != role.role_id or sent.get("secret_id") not in role.secret_ids:
            return refusal(400, "invalid role or secret ID")
        token = self.issue(
            role.ttl, max_ttl=role.max_ttl, renewable=not role.batch, default=role.default
        )
        return Answer(200, {"auth": self._auth(token)})

    def _auth(self, token: Token) -> Mapping[str, Any]:
        left = 0 if math.isinf(token.ends) else token.ends - self.clock()
        return {
            "client_token": token.name,
            "accessor": f"accessor-of-{token.name[-2:]}",
            "policies": ["default", "restic"],
            "lease_duration": round(left),
            "renewable": token.renewable,
        }

    def _look(self, request: Request, token: Token) -> Reply:
        if not token.default:
            return DENIED
        left = 0 if math.isinf(token.ends) else token.ends - self.clock()
        data = {
            "id": token.name,
            "creation_time": int(time.time() - (self.clock() - token.made)),
            "creation_ttl": int(token.ttl),
            "explicit_max_ttl": int(token.explicit_max_ttl),
            "ttl": round(left),
            "renewable": token.renewable,
            "num_uses": token.uses,
            "type": "service" if token.renewable else "batch",
        }
        return Answer(200, {"data": data})

    def _renew(self, request: Request, token: Token) -> Reply:
        if not token.default:
            return DENIED
        if not token.renewable:
            return refusal(400, "lease is not renewable")
        asked = str((request.body or {}).get("increment", "0")).removesuffix("s")
        granted = float(asked) or token.ttl
        if not math.isinf(token.ends):
            token.ends = min(self.clock() + granted, token.last_moment())
        return Answer(200, {"auth": self._auth(token)})

    def _mounts(self, request: Request, token: Token) -> Reply:
        if not self.tells_version:
            return refusal(
                403,
                "preflight capability check returned 403, please ensure client's policies"
                ' grant access to path "kv/"',
            )
        options = {"version": "2"} if self.version == 2 else None
        return Answer(200, {"data": {"path": "kv/", "type": "kv", "options": options}})

    def _read(self, request: Request, token: Token) -> Reply:
        path = unquote(request.path.removeprefix("kv/"))
        as_v2 = path.startswith("data/")
        name = path.removeprefix("data/") if self.version == 2 else path
        self.paths.append(path)
        if name in self.denied:
            return DENIED
        if as_v2 != (self.version == 2):
            return refusal(404) if self.wide else DENIED
        if name not in self.documents:
            return refusal(404)
        document = self.documents[name]
        if self.version == 1:
            return Answer(200, {"data": document, "lease_duration": 2764800})
        metadata = {"created_time": "2026-01-01T00:00:00Z", "deletion_time": "", "version": 1}
        if isinstance(document, Deleted):
            metadata["deletion_time"] = "2026-01-02T00:00:00Z"
            metadata["destroyed"] = document.destroyed
            return Answer(404, {"data": {"data": None, "metadata": metadata}})
        return Answer(200, {"data": {"data": document, "metadata": metadata}})
