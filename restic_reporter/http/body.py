"""The bodies of requests and responses."""

from collections.abc import Callable

from attrs import field, frozen
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IConsumer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import IBodyProducer, IResponse
from zope.interface import implementer

from ..model.errors import ReadError, Reason
from .errors import explain
from .limits import Exchange
from .responses import Response


class Answer(Protocol):
    """
    Waits for the response of an exchange and collects its body, up to the exchange's limit.

    With a ``stream`` it keeps nothing: a body of status 200 goes there in pieces.
    ``whole`` fires with the `Response` at the end of the exchange, or fails with the error
    from `explain`. Cancelling ``whole`` closes the connection and always fails it with
    CancelledError.
    """

    def __init__(
        self,
        exchange: Exchange,
        count: Callable[[int], None],
        sending: "Deferred[IResponse]",
        stream: Callable[[bytes], object] | None = None,
    ) -> None:
        """
        ``sending`` fires at the end of the headers; ``count`` gets the number of body bytes.

        ``stream`` may raise a `ReadError`, which ends the exchange.
        """
        self.whole: Deferred[Response] = Deferred(self._cancel)
        self._exchange = exchange
        self._count = count
        self._response: IResponse | None = None
        # One buffer: a list of many tiny chunks would take far more memory.
        self._body = bytearray()
        self._stream = stream
        self._cancelled = False
        self._sending = sending
        sending.addCallback(self._begin_body)
        sending.addErrback(self._fail)

    def _begin_body(self, response: IResponse) -> None:
        self._response = response
        if self._stream is not None and response.code != 200:
            self._stream = len
        response.deliverBody(self)

    def dataReceived(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange.fault is not None:
            return
        self._count(len(data))
        exchange.body_received += len(data)
        if exchange.body_received > exchange.body_limit:
            exchange.fail(Reason.TOO_LARGE, f"response body exceeds {exchange.body_limit} bytes")
            return
        if self._stream is None:
            self._body += data
            return
        try:
            self._stream(data)
        except ReadError as error:
            exchange.fail_with(error)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        lost = self._exchange.lost
        if isinstance(reason.value, ResponseDone):
            self._succeed()
        elif isinstance(reason.value, PotentialDataLoss) and lost is not None:
            if isinstance(lost.value, ConnectionDone):
                self._succeed()
            else:
                self._fail(lost)
        else:
            self._fail(reason)

    def _succeed(self) -> None:
        if self._cancelled:
            return
        assert self._response is not None
        self._exchange.end()
        response = self._response
        self.whole.callback(Response(response.code, response.headers, bytes(self._body)))

    def _fail(self, reason: Failure) -> None:
        if self._cancelled:
            return
        exchange = self._exchange
        exchange.abort()
        assert reason.value is not None
        error = explain(reason.value, exchange)
        exchange.end()
        self.whole.errback(error)

    def _cancel(self, _: object) -> None:
        self._cancelled = True
        self._sending.cancel()
        self._exchange.abort()
        self._exchange.end()


@implementer(IBodyProducer)
@frozen
class BytesProducer:
    """A request body that is written at once."""

    body: bytes = field(repr=False)

    @property
    def length(self) -> int:
        return len(self.body)

    def startProducing(self, consumer: IConsumer) -> "Deferred[None]":
        consumer.write(self.body)
        return succeed(None)

    def pauseProducing(self) -> None:
        pass

    def resumeProducing(self) -> None:
        pass

    def stopProducing(self) -> None:
        pass
