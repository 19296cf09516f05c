"""What Vault's answers say: statuses to errors, documents to grants."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

from ...http import Response
from ...redaction.secret import Secret
from .errors import VaultOutageError, VaultRefusedError
from .lease import Grant

T = TypeVar("T")

# What Vault answers where it cannot serve now, though it may later: a standby that lags
# behind (412), a limit of requests (429), standbys (472, 473).
_UNAVAILABLE = frozenset({412, 429, 472, 473})

# Far more than is ever shown: what is cut here may still hold a secret to be masked.
_ERROR_LENGTH = 10_000

# Longer leases are taken for endless: 100 years.
_LONGEST_TTL = 100 * 365 * 86400.0


def check(response: Response) -> None:
    """
    :raises VaultOutageError: the answer is of no use.
    :raises VaultRefusedError: it is Vault's refusal.
    """
    status = response.status
    if status in (200, 204):
        return
    document = document_of(response.body)
    errors = _errors(document)
    if status in _UNAVAILABLE or not 400 <= status < 500:
        raise VaultOutageError(f"unexpected status {status}" + (f": {errors}" * bool(errors)))
    if not isinstance(document, dict) or not isinstance(document.get("errors", []), list):
        raise VaultOutageError(f"status {status}, but not a Vault response; check VAULT_ADDR")
    raise VaultRefusedError(status, errors, document.get("data"))


def document_of(body: bytes) -> Any:
    """The JSON in ``body``; ``None`` where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _errors(document: object) -> str:
    errors = document.get("errors") if isinstance(document, dict) else None
    if not isinstance(errors, list):
        return ""
    text = " ".join("; ".join(one for one in errors if isinstance(one, str)).split())
    return "".join(c if c.isprintable() else "\ufffd" for c in text[:_ERROR_LENGTH])


def understood(parse: Callable[[], T]) -> T:
    """
    What ``parse`` makes of an answer.

    :raises VaultOutageError: it cannot be Vault's.
    """
    try:
        return parse()
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        raise VaultOutageError("not a Vault response; check VAULT_ADDR") from None


def mapping(value: object) -> dict[str, object]:
    """``value``, if it is a map; else a TypeError."""
    if not isinstance(value, dict):
        raise TypeError
    return value


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise TypeError
    # Vault counts in whole seconds; less than one would have us come back all the time.
    return 0.0 if value > _LONGEST_TTL or not value else max(1.0, float(value))


def granted(answer: Any) -> Grant:
    """The grant in an answer to a login or a renewal."""
    auth = answer["auth"]
    token = auth["client_token"]
    if not isinstance(token, str) or not token or not (token.isascii() and token.isprintable()):
        raise TypeError
    return Grant(Secret(token), _seconds(auth["lease_duration"]), auth["renewable"] is True)


def looked_up(answer: Any, token: Secret) -> Grant:
    """What an answer says of ``token``."""
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
