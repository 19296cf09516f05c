"""The bodies of requests and answers."""

from collections.abc import Callable

from attrs import field, frozen
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IConsumer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from ..errors import Reason
from .bounds import Exchange


class Collector(Protocol):
    """Collects a body up to the exchange's limit; ``whole`` fires with it."""

    def __init__(self, exchange: Exchange, count: Callable[[int], None]) -> None:
        self.whole: Deferred[bytes] = Deferred()
        self._exchange = exchange
        self._count = count
        # One buffer, as a list of many tiny chunks would take far more than they hold.
        self._body = bytearray()

    def dataReceived(self, data: bytes) -> None:
        if self._exchange.fault is not None:
            return
        self._count(len(data))
        self._exchange.body_received += len(data)
        if self._exchange.body_received > self._exchange.body_limit:
            message = f"a body beyond {self._exchange.body_limit} bytes"
            self._exchange.fail(Reason.TOO_LARGE, message)
            return
        self._body += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        lost = self._exchange.lost
        if self.whole.called:
            return
        if isinstance(reason.value, ResponseDone):
            self.whole.callback(bytes(self._body))
        elif isinstance(reason.value, PotentialDataLoss) and lost is not None:
            if isinstance(lost.value, ConnectionDone):
                self.whole.callback(bytes(self._body))
            else:
                self.whole.errback(lost)
        else:
            self.whole.errback(reason)


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
