"""What web/ relies on in Twisted's web server; see `test_twisted_contract`."""

from io import BytesIO
from typing import Any

import cryptography
from OpenSSL import SSL
from OpenSSL._util import lib
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import CertificateOptions
from twisted.internet.task import Clock
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import HTTPChannel, Request
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from tests.unit.test_twisted_contract import Transport

HOST = b"Host: h\r\n"


class Waiting(Resource):
    """Answers when it is told to."""

    isLeaf = True

    def render_GET(self, request: Request) -> int:
        """Wait."""
        self.request = request
        return NOT_DONE_YET

    render_POST = render_GET


class Channel(HTTPChannel):
    """Notes how a bad request is answered."""

    bad = 0
    lines = 0

    def _respondToBadRequestAndDisconnect(self) -> None:
        self.bad += 1

    def lineLengthExceeded(self, line: bytes) -> None:
        self.lines += 1


class TLSTests(SynchronousTestCase):
    """Twisted's TLS, and pyOpenSSL: web/ relies on them."""

    def test_transport(self) -> None:
        """`BoundedChannel` closes the transport below TLS, which is ``transport`` of its own."""
        factory = TLSMemoryBIOFactory(
            CertificateOptions(), False, Factory.forProtocol(Protocol), Clock()
        )
        below = Transport()
        wrapper: Any = factory.buildProtocol(None)
        wrapper.makeConnection(below)
        channel = wrapper.wrappedProtocol
        self.assertIs(channel.transport.transport, below)
        self.assertFalse(hasattr(below, "transport"))

    def test_curves(self) -> None:
        """`make_context` sets curves by a private function, as there is no public one. It is
        there since cryptography 47; before that, configured curves are refused."""
        if int(cryptography.__version__.partition(".")[0]) < 47:
            return
        context: Any = SSL.Context(SSL.TLS_METHOD)
        self.assertEqual(lib.SSL_CTX_set1_curves_list(context._context, b"P-384:X25519"), 1)
        self.assertEqual(lib.SSL_CTX_set1_curves_list(context._context, b"nonsense"), 0)


class ChannelTests(SynchronousTestCase):
    """Twisted's HTTP server: web/ relies on it."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.resource = Waiting()

    def connect(self, site: Site | None = None, protocol: Any = Channel) -> Any:
        """A channel on a `Transport`."""
        if site is None:
            site = Site(self.resource, reactor=self.clock)
        site.protocol = protocol  # type: ignore[method-assign]
        channel: Any = site.buildProtocol(None)
        # As `BoundedChannel` does.
        channel.timeOut = None
        channel.makeConnection(Transport())
        return channel

    def test_time_out(self) -> None:
        """`BoundedChannel` ends its states itself: without a ``timeOut`` Twisted has no timer."""
        channel = self.connect()
        before = self.clock.getDelayedCalls()
        channel.dataReceived(b"GET / HTTP/1.1\r\n" + HOST)
        self.assertEqual(self.clock.getDelayedCalls(), before)

    def test_buffer(self) -> None:
        """`BoundedChannel` sees in ``_buffer`` that a line has begun, where no request has."""
        channel = self.connect()
        self.assertEqual(channel._buffer, b"")
        channel.dataReceived(b"GET / HT")
        self.assertEqual(channel._buffer, b"GET / HT")

    def test_pipelined(self) -> None:
        """`BoundedChannel` bounds what a client sends before it is answered: ``_handlingRequest``
        says so, ``_dataBuffer`` has it, and ``_networkProducer`` pauses it."""
        channel = self.connect()
        self.assertIs(channel._handlingRequest, False)
        channel.dataReceived(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        self.assertIs(channel._handlingRequest, True)
        channel.dataReceived(b"GET /2 ")
        channel.dataReceived(b"HTTP/1.1\r\n")
        self.assertEqual(b"".join(channel._dataBuffer), b"GET /2 HTTP/1.1\r\n")
        paused = channel.transport.paused
        channel._networkProducer.pauseProducing()
        self.assertEqual(channel.transport.paused, paused + 1)
        self.resource.request.finish()
        self.assertIs(channel._handlingRequest, False)
        self.assertEqual(channel._dataBuffer, [])
        self.assertEqual(channel.transport.producerState, "producing")

    def test_bad_request(self) -> None:
        """`BoundedChannel` answers every bad request, in place of a method of Twisted's own."""
        for request in (
            b"nonsense\r\n",
            b"GET / HTTP/1.1\r\nno header\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: bad\r\n\r\n",
            b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nx\r\n",
        ):
            channel = self.connect()
            channel.dataReceived(request)
            self.assertGreater(channel.bad, 0, request)

    def test_long_line(self) -> None:
        """`BoundedChannel` answers an endless line where `lineLengthExceeded` is called."""
        channel = self.connect()
        channel.dataReceived(b"GET /" + b"x" * 50_000)
        self.assertEqual(channel.lines, 1)

    def test_length(self) -> None:
        """`BoundedChannel` refuses a large body by ``length``, before any of it is taken."""
        lengths: list[Any] = []

        class Noting(Channel):
            def allHeadersReceived(self) -> None:
                lengths.append(self.length)

        for header in (b"Content-Length: 70000\r\n", b"Transfer-Encoding: chunked\r\n"):
            self.connect(protocol=Noting).dataReceived(
                b"POST / HTTP/1.1\r\n" + HOST + header + b"\r\n"
            )
        self.assertEqual(lengths, [70000, None])

    def test_persistent(self) -> None:
        """`BoundedChannel` closes after the answer under way where ``persistent`` is false."""

        class Closing(Channel):
            def requestDone(self, request: Request) -> None:
                self.persistent = False
                super().requestDone(request)

        for protocol, closed in ((Channel, 0), (Closing, 1)):
            channel = self.connect(protocol=protocol)
            channel.dataReceived(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
            self.resource.request.finish()
            self.assertEqual(channel.transport.closed, closed)

    def test_content_file(self) -> None:
        """`BoundedSite` has each body in memory, by a method that a request asks its site for."""
        asked: list[int | None] = []

        class OwnSite(Site):
            def getContentFile(self, length: int | None) -> Any:
                asked.append(length)
                return BytesIO()

        channel = self.connect(OwnSite(self.resource, reactor=self.clock))
        channel.dataReceived(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n" + HOST + b"\r\n")
        self.assertEqual(asked, [5])

    def test_without_start(self) -> None:
        """`BoundedSite` starts no access log and no timer for its dates, and serves all the same;
        each answered request comes to `log`."""
        logged: list[Any] = []

        class Quiet(Site):
            def startFactory(self) -> None:
                pass

            def log(self, request: Any) -> None:
                logged.append(request)

        channel = self.connect(Quiet(self.resource, reactor=self.clock))
        channel.dataReceived(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        self.resource.request.finish()
        self.assertEqual(logged, [self.resource.request])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_request_log(self) -> None:
        """`BoundedRequest.processingFailed` logs by the logger ``_log`` of a request."""
        self.assertIsInstance(Request._log, Logger)

    def test_processing_failed(self) -> None:
        """`BoundedRequest` answers an exception in a page, where `processingFailed` is called."""
        failures: list[Any] = []

        class Broken(Resource):
            isLeaf = True

            def render_GET(self, request: Request) -> int:
                raise ZeroDivisionError

        site = Site(Broken(), reactor=self.clock)

        class OwnRequest(site.requestFactory):  # type: ignore[name-defined,misc]
            def processingFailed(self, reason: Failure) -> Failure:
                failures.append(reason.type)
                return reason

        site.requestFactory = OwnRequest
        self.connect(site).dataReceived(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        self.assertEqual(failures, [ZeroDivisionError])
