"""What the errors of S3 mean. Pure."""

from email.utils import parsedate_to_datetime

from twisted.web.http_headers import Headers

from ...http import Response
from ...model.errors import ReadError, Reason
from .answers import S3Error, valid_region

# Of a key, when the status is not 401 or 403.
_REFUSED = {
    "AuthorizationHeaderMalformed": "the region or the access key id is wrong; set s3.region",
    "ExpiredToken": "the temporary key has ended",
    "InvalidAccessKeyId": "the server does not know the access key id",
    "InvalidToken": "the session token is invalid",
    "SignatureDoesNotMatch": "the secret access key is wrong",
    "TokenRefreshRequired": "the temporary key has ended",
}

_CLOCK = "RequestTimeTooSkewed"

_NOT_FOUND = {"NoSuchBucket": "no such bucket", "NoSuchKey": "not found"}

_UNAVAILABLE = frozenset(("InternalError", "RequestTimeout", "ServiceUnavailable", "SlowDown"))


def is_refused(response: Response, error: S3Error) -> bool:
    """Return whether the access key was refused."""
    return response.status in (401, 403) or error.code in {*_REFUSED, _CLOCK}


def region_in(headers: Headers, error: S3Error) -> str:
    """Return the bucket's region from a response that is not the bucket, empty if unknown."""
    (named,) = (headers.getRawHeaders("x-amz-bucket-region") or [""])[:1]
    return valid_region(named.strip()) or error.region


def error_of(response: Response, error: S3Error, what: str, now: float) -> ReadError:
    """
    Return what a failed ``response`` means, with the ``error`` in its body.

    ``now`` is this machine's time in Unix seconds. The message has the error's code, but not its
    text, which may contain the request.
    """
    status, code = response.status, error.code
    shown = f"status {status}, {code}" if code else f"status {status}"
    if code == _CLOCK:
        reason, why = Reason.AUTH, f"{_difference(response.headers, now)}; set the clock"
    elif is_refused(response, error):
        reason = Reason.AUTH
        why = _REFUSED.get(code, "access denied; needs s3:ListBucket and s3:GetObject")
    elif code in _NOT_FOUND or status == 404:
        reason, why = Reason.NOT_FOUND, _NOT_FOUND.get(code, "not found")
    elif code in _UNAVAILABLE or status == 408:
        reason, why = Reason.UNAVAILABLE, "unavailable"
    else:
        reason, why = Reason.PROTOCOL, "unexpected response"
    return ReadError(reason, f"{what}: {why} ({shown})")


def _difference(headers: Headers, now: float) -> str:
    """Return how wrong this machine's clock is, by the server's."""
    (date,) = (headers.getRawHeaders("Date") or [""])[:1]
    try:
        seconds = now - parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return "this machine's clock is wrong"
    where = "ahead of" if seconds > 0 else "behind"
    return f"this machine's clock is {abs(seconds) / 60:.0f} minutes {where} the server's"
