"""Responses, their statuses, and basic authentication."""

from base64 import b64encode

from attrs import field, frozen
from twisted.web.http_headers import Headers

from ..model.errors import ReadError, Reason


@frozen
class Response:
    """
    A complete response with any status except 3xx, 429 and 5xx.

    A body without a length and without chunks ends when the server closes the connection. A
    clean close counts as complete, so the caller must check the content (JSON, hash).
    """

    status: int
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)


class RedirectError(ReadError):
    """A redirect, which is never followed; ``headers`` are those of the response."""

    def __init__(self, message: str, headers: Headers) -> None:
        super().__init__(Reason.REDIRECT, message)
        self.headers = headers


def basic_auth(username: str, password: str) -> str:
    """Return the value of an Authorization header for basic authentication, in UTF-8."""
    return "Basic " + b64encode(f"{username}:{password}".encode()).decode("ascii")


def raise_for_status(response: Response, what: str) -> None:
    """
    Raise the error of a status other than 200 to 299.

    :param what: the name of the requested file, without secrets.
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
