"""
The calls to Vault, made by hvac: blocking, to be run in a thread.

Everything that hvac would take from the environment is given to it here.
"""

import math
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import hvac  # type: ignore[import-untyped]
from attrs import frozen

from ...redaction.secret import Secret
from .errors import VaultOutageError, VaultRefusedError
from .lease import Grant
from .settings import MOUNT, AppRole, VaultSettings
from .transport import Channel

T = TypeVar("T")

# A socket that is silent for so long is given up, whatever the deadline of the call.
_SILENCE = 30.0
_CONNECT = 10.0

# Longer leases are taken for endless: 100 years.
_LONGEST_TTL = 100 * 365 * 86400.0


@frozen
class VaultClient:
    """
    Vault over one channel, with one token or none.

    Every method blocks, and raises `VaultOutageError` or `VaultRefusedError`, nothing else.
    """

    settings: VaultSettings
    channel: Channel
    token: Secret | None = None

    def log_in(self, role: AppRole) -> Grant:
        """A new token for ``role``."""
        answer = self._call(
            lambda vault: vault.auth.approle.login(
                role.role_id, role.secret_id.reveal(), use_token=False
            )
        )
        return _understood(lambda: _granted(answer))

    def look_up_self(self) -> Grant:
        """What Vault knows of our token."""
        answer = self._call(lambda vault: vault.auth.token.lookup_self())
        token = self.token or Secret("")
        return _understood(lambda: _looked_up(answer, token))

    def renew_self(self, ttl: float) -> Grant:
        """Our token for ``ttl`` seconds more, or for less."""
        increment = f"{max(1, math.ceil(ttl))}s"
        answer = self._call(lambda vault: vault.auth.token.renew_self(increment=increment))
        return _understood(lambda: _granted(answer))

    def mount_version(self) -> int:
        """Which version of the KV engine is mounted, as an ordinary token may ask."""
        answer = self._call(lambda vault: vault.read(f"sys/internal/ui/mounts/{MOUNT}"))

        def version() -> int:
            options = answer["data"].get("options") or {}
            return 2 if str(options.get("version")) == "2" else 1

        return _understood(version)

    def read_v1(self, path: str) -> dict[str, object]:
        """The document at ``path`` of a version 1 mount."""
        answer = self._call(lambda vault: vault.secrets.kv.v1.read_secret(path, mount_point=MOUNT))
        return _understood(lambda: _mapping(answer["data"]))

    def read_v2(self, path: str) -> dict[str, object]:
        """The document at ``path`` of a version 2 mount."""
        answer = self._call(
            lambda vault: vault.secrets.kv.v2.read_secret_version(
                path, mount_point=MOUNT, raise_on_deleted_version=True
            )
        )

        def document() -> dict[str, object]:
            data = _mapping(answer["data"])
            _mapping(data["metadata"])
            return _mapping(data["data"])

        return _understood(document)

    def _call(self, call: Callable[[Any], T]) -> T:
        vault = hvac.Client(
            url=self.settings.address,
            # An empty one, as hvac would look for another in ~/.vault-token.
            token="" if self.token is None else self.token.reveal(),
            cert=None,
            verify=not self.settings.skip_verify,
            timeout=(_CONNECT, _SILENCE),
            proxies=None,
            allow_redirects=False,
            session=self.channel.session,
            namespace=self.settings.namespace,
        )
        try:
            return call(vault)
        except (VaultOutageError, VaultRefusedError):
            raise
        except Exception as error:
            # No text of a library's exception is shown: some hold the header they dislike.
            raise VaultOutageError(_explained(error), may_pass_soon=_is_broken(error)) from None


def _understood(parse: Callable[[], T]) -> T:
    """What ``parse`` makes of an answer."""
    try:
        return parse()
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        raise VaultOutageError("its answer is not one of Vault's") from None


def _mapping(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise TypeError
    return value


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise TypeError
    # Vault counts in whole seconds; less than one would have us come back all the time.
    return 0.0 if value > _LONGEST_TTL or not value else max(1.0, float(value))


def _granted(answer: Any) -> Grant:
    """From an answer to a login or a renewal."""
    auth = answer["auth"]
    token = auth["client_token"]
    if not isinstance(token, str) or not token or not (token.isascii() and token.isprintable()):
        raise TypeError
    return Grant(Secret(token), _seconds(auth["lease_duration"]), auth["renewable"] is True)


def _looked_up(answer: Any, token: Secret) -> Grant:
    data = answer["data"]
    ttl = _seconds(data["ttl"])
    hardest = _seconds(data.get("explicit_max_ttl") or 0)
    created = _seconds(data.get("creation_time") or 0)
    return Grant(
        token,
        ttl,
        data.get("renewable") is True,
        full_ttl=max(ttl, _seconds(data.get("period") or data.get("creation_ttl") or 0)),
        ends_for_good_at=created + hardest if hardest and created else None,
    )


# Why a call failed


def _causes(error: BaseException) -> Iterator[BaseException]:
    """``error`` and all that it came from, outermost first; libraries chain in several ways."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]


def _explained(error: BaseException) -> str:
    names = set()
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is refused: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return f"TLS fails: {cause.reason or 'the connection ended'}"
        if isinstance(cause, socket.gaierror):
            return "its name cannot be resolved"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        names.add(type(cause).__name__)
    if any("Timeout" in name for name in names):
        return "no answer in time"
    if "ProxyError" in names:
        return "the proxy does not let us through"
    if names & {"RemoteDisconnected", "IncompleteRead", "ProtocolError", "ConnectionError"}:
        return "the connection ended before the answer did"
    return f"its answer cannot be read ({type(error).__name__})"


def _is_broken(error: BaseException) -> bool:
    """Whether the connection was refused or broke, at once."""
    return any(isinstance(cause, ConnectionError) for cause in _causes(error))
