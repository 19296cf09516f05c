"""
Parses Vault's responses: statuses to errors, documents to values.

Parsers may raise any error of a missing or wrong member: then the response is not Vault's.
"""

import json
from typing import Any

from ...http import Response
from ...redaction.secret import Secret
from .errors import VaultOutageError, VaultRefusedError
from .lease import Grant

# Statuses of a Vault that cannot serve now, but may later: a standby that lags behind (412),
# a rate limit (429), standbys (472, 473).
_UNAVAILABLE = frozenset({412, 429, 472, 473})

# Far more than is ever shown: a secret cut here could not be masked.
_ERROR_LENGTH = 10_000

# Longer leases count as endless: 100 years.
_LONGEST_TTL = 100 * 365 * 86400.0


def check(response: Response) -> None:
    """
    Raise the error of a response.

    :raises VaultOutageError: Vault is unavailable, or the response is not Vault's.
    :raises VaultRefusedError: Vault rejects the request.
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
    """Return the JSON in ``body``, ``None`` if it is invalid."""
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


def kv_version(answer: Any) -> int:
    """Return the version of a KV mount from its description."""
    options = answer["data"].get("options") or {}
    return 2 if str(options.get("version")) == "2" else 1


def document_in(answer: Any, version: int) -> dict[str, object]:
    """Return the document from the response to a read of a KV mount of this ``version``."""
    data = answer["data"]
    parts = [data] if version == 1 else [data["data"], data["metadata"]]
    if not all(isinstance(part, dict) for part in parts):
        raise TypeError
    document: dict[str, object] = parts[0]
    return document


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise TypeError
    # Vault counts in whole seconds; less than one would cause a busy loop.
    return 0.0 if value > _LONGEST_TTL or not value else max(1.0, float(value))


def granted(answer: Any) -> Grant:
    """Return the grant in the response to a login or a renewal."""
    auth = answer["auth"]
    token = auth["client_token"]
    if not isinstance(token, str) or not token or not (token.isascii() and token.isprintable()):
        raise TypeError
    return Grant(Secret(token), _seconds(auth["lease_duration"]), auth["renewable"] is True)


def looked_up(answer: Any, token: Secret) -> Grant:
    """Return the grant of ``token`` from the response to its look-up."""
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
