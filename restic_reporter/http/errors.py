"""Turns the exceptions of sockets, TLS and Twisted's HTTP client into `ReadError`."""

from OpenSSL import SSL
from service_identity import CertificateError, VerificationError
from twisted.internet.error import (
    ConnectError,
    ConnectionClosed,
    ConnectionDone,
    TCPTimedOutError,
    TimeoutError,
)
from twisted.web.client import RequestGenerationFailed, RequestTransmissionFailed, ResponseFailed

from ..model.errors import ReadError, Reason
from .limits import Exchange
from .responses import Response

# OpenSSL's errors for bytes that are not TLS.
_NOT_TLS = {
    "wrong version number",
    "http request",
    "packet length too long",
    "record layer failure",
}

_WRAPPERS = (RequestGenerationFailed, RequestTransmissionFailed, ResponseFailed)


class UnavailableError(ReadError):
    """Every attempt got a status of 429 or 5xx; ``response`` is the last one."""

    def __init__(self, message: str, response: Response) -> None:
        super().__init__(Reason.UNAVAILABLE, message)
        self.response = response


class BrokenConnectionError(ReadError):
    """The connection closed before the end of the response; a retry may succeed."""


def explain(error: BaseException, exchange: Exchange) -> BaseException:
    """
    Return the `ReadError` for ``error``, which ``exchange`` has raised.

    Errors that neither the network nor the server has caused are returned unchanged.
    """
    if exchange.fault is not None:
        return exchange.fault
    wrapped = isinstance(error, _WRAPPERS)
    while isinstance(error, _WRAPPERS) and error.reasons:
        error = error.reasons[0].value
    if isinstance(error, ReadError):
        return error
    if isinstance(error, SSL.Error | VerificationError | CertificateError):
        return ReadError(Reason.TLS, f"{exchange.what}: TLS failed: {_tls_text(error)}")
    if exchange.connection is None:
        return _explain_connecting(error, exchange)
    if isinstance(error, ConnectionClosed):
        if exchange.in_body and isinstance(error, ConnectionDone):
            return BrokenConnectionError(Reason.PROTOCOL, f"{exchange.what}: truncated response")
        when = "during" if exchange.in_body else "before"
        return BrokenConnectionError(
            Reason.NETWORK, f"{exchange.what}: connection closed {when} the response"
        )
    if wrapped:
        # Without the text: it is the server's, and may contain our headers.
        name = type(error).__name__.lstrip("_")
        return ReadError(Reason.PROTOCOL, f"{exchange.what}: response is not HTTP ({name})")
    return error


def _explain_connecting(error: BaseException, exchange: Exchange) -> BaseException:
    if isinstance(error, TimeoutError | TCPTimedOutError):
        return ReadError(Reason.TIMEOUT, f"{exchange.what}: connection timed out")
    if isinstance(error, ConnectError | OSError):
        return ReadError(Reason.NETWORK, f"{exchange.what}: cannot connect: {error}")
    if isinstance(error, ValueError):
        return ReadError(Reason.NETWORK, f"{exchange.what}: invalid host name")
    return error


def _tls_text(error: BaseException) -> str:
    if isinstance(error, VerificationError):
        return "certificate for another host"
    if isinstance(error, CertificateError):
        return "certificate without a host name"
    stack = error.args[0] if error.args else ()
    if isinstance(stack, list | tuple):
        reasons = [entry[-1] for entry in stack if isinstance(entry, tuple) and entry]
        if _NOT_TLS & set(reasons):
            return "server does not speak TLS on this port"
        if reasons:
            return ", ".join(str(reason) for reason in reasons)
    return str(error) or type(error).__name__
