"""What a server answered, and how it is asked."""

from base64 import b64encode

from attrs import field, frozen
from twisted.web.http_headers import Headers

from ..model.errors import ReadError, Reason


@frozen
class Response:
    """
    An answer with any status but 3xx, 429 and 5xx, its body whole.

    A body with neither a length nor chunks ends where the server closes the connection;
    it is taken for whole if that close was orderly, so it must show by itself (as JSON,
    or by its hash) whether it is.
    """

    status: int
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)


def basic_auth(username: str, password: str) -> str:
    """The value of an Authorization header for HTTP's basic authentication, in UTF-8."""
    return "Basic " + b64encode(f"{username}:{password}".encode()).decode("ascii")


def raise_for_status(response: Response, what: str) -> None:
    """
    Nothing, for a status of 200 to 299.

    :param what: names the thing asked for, without a secret.
    :raises ReadError: auth (401, 403), not_found (404), else protocol.
    """
    status = response.status
    if 200 <= status < 300:
        return
    if status in (401, 403):
        raise ReadError(Reason.AUTH, f"{what}: credentials refused (status {status})")
    if status == 404:
        raise ReadError(Reason.NOT_FOUND, f"{what}: not found (status 404)")
    raise ReadError(Reason.PROTOCOL, f"{what}: unexpected status {status}")
