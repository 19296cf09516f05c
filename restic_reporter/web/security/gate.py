"""Lets a request in, or answers it: rate limit first, then the password."""

# Much of Twisted has no types yet.
# mypy: allow-untyped-calls

from math import ceil

from attrs import define, field
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime
from twisted.python.failure import Failure
from twisted.web.http import SERVICE_UNAVAILABLE, UNAUTHORIZED
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request

from ..response import respond_text
from .passwords import PasswordChecks, TooManyChecksError, credentials
from .rate_limit import TokenBucket
from .web_config import WebConfig

TOO_MANY_REQUESTS = 429


class IGateReactor(IReactorTime, IReactorFromThreads):
    """What `Security` needs of a reactor."""


@define(eq=False)
class Security:
    """The `WebConfig` in use. `use` may replace it at any time."""

    _reactor: IGateReactor
    config: WebConfig = field(factory=WebConfig)
    checks: PasswordChecks = field(init=False)
    bucket: TokenBucket | None = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        """Use the config."""
        self.checks = PasswordChecks.on(self._reactor)
        self.use(self.config)

    def use(self, config: WebConfig) -> None:
        """Use ``config`` for new requests, and for TLS of new connections."""
        self.config = config
        limit = config.rate_limit
        if limit is None:
            self.bucket = None
        elif self.bucket is None or self.bucket.limit != limit:
            self.bucket = TokenBucket(self._reactor, limit)


class Gate(Resource):
    """The root of the site, in front of ``pages``: every path goes through it."""

    isLeaf = True

    def __init__(self, security: Security, pages: IResource) -> None:
        super().__init__()
        self._security = security
        self._pages = pages

    def render(self, request: Request) -> int:
        """Let the request in, or answer it."""
        bucket = self._security.bucket
        wait = 0.0 if bucket is None else bucket.take()
        if wait:
            return _later(request, TOO_MANY_REQUESTS, "429 Too Many Requests", wait)
        users = self._security.config.users
        if not users:
            return self._let_in(request)
        headers = request.requestHeaders.getRawHeaders(b"authorization")
        given = credentials(headers[0] if headers else None)
        if given is None:
            return _unauthorized(request)
        checks = self._security.checks
        known = checks.known(users, *given)
        if known is not None:
            return self._let_in(request) if known else _unauthorized(request)
        address = getattr(request.getClientAddress(), "host", "")
        try:
            checking = checks.check(users, *given, address)
        except TooManyChecksError:
            return _later(request, SERVICE_UNAVAILABLE, "503 Service Unavailable", 1)
        request.notifyFinish().addErrback(lambda _: checking.cancel())
        checking.addCallback(self._decide, request)
        checking.addErrback(_failed, request)
        return NOT_DONE_YET

    def _decide(self, right: bool, request: Request) -> int:
        return self._let_in(request) if right else _unauthorized(request)

    def _let_in(self, request: Request) -> int:
        result: int = self._pages.render(request)
        return result


def _failed(failure: Failure, request: Request) -> None:
    # The client of a cancelled check has left.
    if not failure.check(CancelledError):
        request.processingFailed(failure)


def _unauthorized(request: Request) -> int:
    request.setHeader(b"WWW-Authenticate", b'Basic realm="restic-reporter", charset="UTF-8"')
    return respond_text(request, UNAUTHORIZED, "401 Unauthorized")


def _later(request: Request, code: int, line: str, seconds: float) -> int:
    request.setHeader(b"Retry-After", b"%d" % max(1, ceil(seconds)))
    return respond_text(request, code, line)
