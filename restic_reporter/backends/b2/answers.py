"""Parses B2's responses: objects, errors, authorizations. Pure."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from ...http import Response
from ...model.errors import ReadError, Reason
from ...redaction.secret import Secret
from .settings import parse_api_url

# Characters that a header carries unchanged.
_TOKEN = re.compile(r"[\x21-\x7e]+")
_PLAIN_URL = re.compile(r"https?://[A-Za-z0-9._\[\]:-]+(/[A-Za-z0-9._~/-]*)?")
_CODE = re.compile(r"[a-z0-9_]{1,64}")
_SHA1 = re.compile(r"[0-9a-f]{40}")

_NO_BUCKET = frozenset({"bad_bucket_id", "invalid_bucket_id", "no_such_bucket"})
_NO_FILE = frozenset({"not_found", "no_such_file", "file_not_present"})
_STALE = frozenset({"bad_auth_token", "expired_auth_token", ""})


@frozen
class Authorization:
    """
    The permissions of a key, valid for at most a day.

    ``buckets`` are the ids of the allowed buckets by name; ``None`` for all. The key sees
    only files whose names begin with ``prefix``. ``moment`` is the reactor's time of the
    request.
    """

    account_id: str
    token: Secret
    api_url: str
    download_url: str
    buckets: Mapping[str, str] | None
    prefix: str
    moment: float = field(eq=False)


def parse_object(body: bytes, what: str) -> dict[str, Any]:
    """
    Parse the JSON object in ``body``.

    :raises ReadError: ``parse`` if it is not one.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise ReadError(Reason.PARSE, f"{what}: response is not JSON") from None
    if not isinstance(value, dict):
        raise ReadError(Reason.PARSE, f"{what}: response is not a JSON object")
    return value


def parse_authorization(body: bytes, asked: str, moment: float) -> Authorization:
    """
    Parse the response of b2_authorize_account, which was sent to the URL ``asked``.

    :raises ReadError: ``parse`` or ``protocol`` if it is invalid.
    """
    what = "b2_authorize_account"
    answer = parse_object(body, what)
    try:
        storage = answer["apiInfo"]["storageApi"]
        allowed = storage.get("allowed") or {}
        token, account_id = answer["authorizationToken"], answer["accountId"]
        urls = storage["apiUrl"], storage["downloadUrl"]
        prefix = allowed.get("namePrefix") or ""
        buckets: dict[str, str] | None = None
        if allowed.get("buckets"):
            # A bucket without a name was deleted.
            buckets = {
                bucket["name"]: bucket["id"] for bucket in allowed["buckets"] if bucket["name"]
            }
        texts = [token, account_id, *urls, prefix, *(buckets or {}), *(buckets or {}).values()]
        if not all(isinstance(text, str) for text in texts):
            raise TypeError
    except (KeyError, TypeError, AttributeError):
        raise ReadError(Reason.PARSE, f"{what}: incomplete response") from None
    if not _TOKEN.fullmatch(token):
        raise ReadError(Reason.PROTOCOL, f"{what}: invalid token in the response")
    api_url, download_url = (_base_url(url, asked, what) for url in urls)
    return Authorization(account_id, Secret(token), api_url, download_url, buckets, prefix, moment)


def _base_url(text: str, asked: str, what: str) -> str:
    try:
        url = parse_api_url(text)
    except ValueError:
        url = ""
    if not _PLAIN_URL.fullmatch(url):
        raise ReadError(Reason.PROTOCOL, f"{what}: invalid URL in the response")
    if asked.startswith("https:") and not url.startswith("https:"):
        raise ReadError(Reason.PROTOCOL, f"{what}: URL without TLS in the response")
    return url


def _error_code(response: Response) -> str:
    """Return B2's error code; empty if there is none."""
    try:
        code = parse_object(response.body, "error").get("code")
    except ReadError:
        return ""
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


def is_stale(response: Response) -> bool:
    """Return whether a new authorization may help."""
    return response.status == 401 and _error_code(response) in _STALE


def raise_for_error(response: Response, what: str, needs: str) -> None:
    """
    Raise the error that ``response`` means, unless its status is 200.

    :param what: the call; ``needs`` names the permissions that it needs.
    :raises ReadError: the message has the error's code, but not its text, which may contain
        tokens.
    """
    status = response.status
    if status == 200:
        return
    code = _error_code(response)
    shown = f"status {status}, {code}" if code else f"status {status}"
    if code.endswith("cap_exceeded"):
        reason, why = Reason.UNAVAILABLE, "account cap exceeded; raise it at Backblaze"
    elif status == 408:
        reason, why = Reason.UNAVAILABLE, "unavailable"
    elif status in (401, 403):
        reason, why = Reason.AUTH, f"access denied; needs {needs}"
    elif code in _NO_BUCKET:
        reason, why = Reason.NOT_FOUND, "no such bucket"
    elif status == 404 or code in _NO_FILE:
        reason, why = Reason.NOT_FOUND, "not found"
    else:
        reason, why = Reason.PROTOCOL, "unexpected response"
    raise ReadError(reason, f"{what}: {why} ({shown})")


def check_sha1(response: Response, what: str) -> bytes:
    """
    Check the SHA-1 of a download, and return its body.

    Files uploaded in parts have no SHA-1; one that the uploader gave unverified is checked.

    :raises ReadError: ``protocol`` if it differs.
    """
    (named,) = (response.headers.getRawHeaders("X-Bz-Content-Sha1") or [""])[:1]
    named = named.strip().lower().removeprefix("unverified:")
    if _SHA1.fullmatch(named) and _sha1(response.body) != named:
        raise ReadError(Reason.PROTOCOL, f"{what}: content is incomplete or altered (SHA-1)")
    return response.body


def _sha1(content: bytes) -> str:
    # Not for security: without saying so, Python fails where SHA-1 is forbidden (FIPS).
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()
