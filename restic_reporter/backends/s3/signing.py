"""Signs requests for S3: AWS signature version 4 of a GET without a body. Pure."""

import hashlib
import hmac
import time
from collections.abc import Mapping
from urllib.parse import quote

from attrs import frozen

from ...redaction.secret import Secret

_NO_BODY = hashlib.sha256(b"").hexdigest()


@frozen
class S3Credentials:
    """An access key; ``token`` is that of a temporary one."""

    key_id: str
    secret: Secret
    token: Secret | None = None


def encoded_path(path: str) -> str:
    """Return ``path`` as it is requested and signed: S3 encodes it once, and normalises nothing."""
    return quote(path, safe="/")


def encoded_query(values: Mapping[str, str]) -> str:
    """Return a query as it is requested and signed: sorted, and encoded like nothing else is."""
    pairs = sorted((quote(name, safe=""), quote(value, safe="")) for name, value in values.items())
    return "&".join(f"{name}={value}" for name, value in pairs)


def sign(
    credentials: S3Credentials, region: str, host: str, path: str, query: str, now: float
) -> dict[str, str]:
    """
    Return the headers of a GET request.

    ``host`` is the Host header as it is sent. ``path`` and ``query`` are encoded. ``now`` is in
    Unix seconds; servers accept 15 minutes of difference.
    """
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    scope = f"{moment[:8]}/{region}/s3/aws4_request"
    sent = {"x-amz-content-sha256": _NO_BODY, "x-amz-date": moment}
    if credentials.token is not None:
        sent["x-amz-security-token"] = credentials.token.reveal()
    signed = {"host": host, **sent}
    names = ";".join(signed)
    lines = "".join(f"{name}:{value}\n" for name, value in signed.items())
    request = f"GET\n{path}\n{query}\n{lines}\n{names}\n{_NO_BODY}"
    digest = hashlib.sha256(request.encode()).hexdigest()
    key = f"AWS4{credentials.secret.reveal()}".encode()
    for part in scope.split("/"):
        key = _hmac(key, part)
    signature = _hmac(key, f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}").hex()
    sent["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials.key_id}/{scope},"
        f" SignedHeaders={names}, Signature={signature}"
    )
    return sent


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
