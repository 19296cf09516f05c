"""Signs requests for S3: AWS signature version 4 of a GET without a body. Pure."""

import hashlib
import hmac
import time
from collections.abc import Mapping
from urllib.parse import quote

from attrs import define, field, frozen

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


@define(eq=False)
class Signer:
    """Signs with one access key; keeps what it derives from that for a day and a region."""

    credentials: S3Credentials
    _scope: str = ""
    _key: bytes = field(default=b"", repr=False)

    def sign(self, region: str, host: str, path: str, query: str, now: float) -> dict[str, str]:
        """
        Return the headers of a GET request.

        ``host`` is the Host header as it is sent. ``path`` and ``query`` are encoded. ``now`` is
        in Unix seconds; servers accept 15 minutes of difference.
        """
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        scope = f"{moment[:8]}/{region}/s3/aws4_request"
        sent = {"x-amz-content-sha256": _NO_BODY, "x-amz-date": moment}
        if self.credentials.token is not None:
            sent["x-amz-security-token"] = self.credentials.token.reveal()
        signed = {"host": host, **sent}
        names = ";".join(signed)
        lines = "".join(f"{name}:{value}\n" for name, value in signed.items())
        request = f"GET\n{path}\n{query}\n{lines}\n{names}\n{_NO_BODY}"
        digest = hashlib.sha256(request.encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}"
        signature = _hmac(self._key_for(scope), text).hex()
        sent["Authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.credentials.key_id}/{scope},"
            f" SignedHeaders={names}, Signature={signature}"
        )
        return sent

    def _key_for(self, scope: str) -> bytes:
        if scope != self._scope:
            # A variable of the environment need not be UTF-8.
            secret = self.credentials.secret.reveal().encode("utf-8", "surrogateescape")
            key = b"AWS4" + secret
            for part in scope.split("/"):
                key = _hmac(key, part)
            self._scope, self._key = scope, key
        return self._key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
