"""When the HTTP client tries again, and how long it waits: on a clock of the test's own."""

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from restic_reporter.concurrency.deadline import Deadline
from restic_reporter.http import BoundedHTTPClient, Response, basic_auth, raise_for_status
from restic_reporter.http.retries import BROKEN_WAITS, STATUS_WAITS, backoff, retry_after
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.model.repository import Transport
from restic_reporter.model.snapshots import Meter
from tests.doubles.hostile import answer

# 1994-11-06 08:49:37 UTC
NOW = 784111777.0


class ClientConnection(StringTransport):
    """The network below one of the client's connections."""

    def __init__(self, factory: Any) -> None:
        super().__init__()
        self.protocol = factory.buildProtocol(None)
        self.protocol.makeConnection(self)

    def receive(self, data: bytes) -> None:
        """Bytes arrive from the server."""
        self.protocol.dataReceived(data)

    def lose(self) -> None:
        """The server closes."""
        self.protocol.connectionLost(Failure(ConnectionDone()))


class RetryCase(SynchronousTestCase):
    """A client whose clock, chance and server are the test's."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.chance = 0.0
        self.meter = Meter()
        self.client = BoundedHTTPClient(
            self.reactor, random=lambda: self.chance, now=lambda: NOW + self.reactor.seconds()
        )

    def request(
        self, method: str = "GET", seconds: float = 100.0, **kwargs: Any
    ) -> "Deferred[Response]":
        """Ask; the connection waits in ``connections``."""
        request = Deferred.fromCoroutine(
            self.client.request(
                method,
                "http://server/list",
                transport=Transport(unix_socket="/socket"),
                deadline=Deadline.after(self.reactor, seconds),
                meter=self.meter,
                operation="list",
                **kwargs,
            )
        )

        def end() -> None:
            # The garbage collector takes one that never ends only at its second run.
            request.addErrback(lambda _: None)
            request.cancel()

        self.addCleanup(end)
        return request

    @property
    def tries(self) -> int:
        """Connections asked for."""
        return len(self.reactor.unixClients)

    def connect(self) -> ClientConnection:
        """Let the newest attempt to connect succeed; the request has been sent then."""
        connection = ClientConnection(self.reactor.unixClients[-1][1])
        self.assertIn(b"/list HTTP/1.1\r\n", connection.value())
        return connection

    def reply(self, status: str, *headers: str) -> None:
        """Let the newest attempt be answered, and its connection be closed."""
        connection = self.connect()
        connection.receive(answer(b"text", status, "Connection: close", *headers))
        self.assertTrue(connection.disconnecting or connection.disconnected)
        connection.lose()

    def assert_waits(self, seconds: float) -> None:
        """The next try comes after ``seconds``, and not before."""
        before = self.tries
        self.reactor.advance(seconds - 0.001)
        self.assertEqual(self.tries, before)
        self.reactor.advance(0.002)
        self.assertEqual(self.tries, before + 1)

    def assert_error(self, request: "Deferred[Response]", reason: Reason) -> ReadError:
        """The request has failed, and leaves nothing to do behind."""
        error: ReadError = self.failureResultOf(request, ReadError).value
        self.assertEqual(error.reason, reason)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        return error


class StatusTests(RetryCase):
    """429 and 5xx."""

    def test_backoff(self) -> None:
        """Four tries, with growing waits between them, then the status is named."""
        for status in ("429 Too Many", "500 Error", "503 Unavailable", "599 Odd"):
            request = self.request()
            for wait in (0.5, 1.0, 2.0):
                self.reply(status)
                self.assert_waits(wait)
            self.reply(status)
            error = self.assert_error(request, Reason.UNAVAILABLE)
            self.assertIn(f"status {status[:3]}", str(error))
        self.assertEqual(self.meter.requests, {"list": 16})

    def test_jitter(self) -> None:
        """Chance makes a wait up to half longer."""
        self.chance = 1.0
        self.request()
        self.reply("503 Unavailable")
        self.assert_waits(0.75)

    def test_well_at_last(self) -> None:
        """A good answer at the last try is what comes back."""
        request = self.request()
        for wait in (0.5, 1.0, 2.0):
            self.reply("500 Error")
            self.assert_waits(wait)
        self.reply("200 OK")
        self.assertEqual(self.successResultOf(request).body, b"text")
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_post(self) -> None:
        """A POST that was answered so is sent again too."""
        self.request("POST", body=b"{}")
        self.reply("503 Unavailable")
        self.assert_waits(0.5)

    def test_retry_after_seconds(self) -> None:
        """Retry-After in seconds is waited for instead, without jitter."""
        self.chance = 1.0
        self.request()
        self.reply("429 Too Many", "Retry-After: 7")
        self.assert_waits(7.0)

    def test_retry_after_date(self) -> None:
        """So is a Retry-After that is a date."""
        self.request()
        self.reply("503 Unavailable", "Retry-After: Sun, 06 Nov 1994 08:49:47 GMT")
        self.assert_waits(10.0)

    def test_retry_after_too_long(self) -> None:
        """One beyond the deadline ends the request at once."""
        request = self.request()
        self.reply("429 Too Many", "Retry-After: 3600")
        self.assert_error(request, Reason.UNAVAILABLE)
        self.assertEqual(self.tries, 1)

    def test_retry_after_unreadable(self) -> None:
        """One that cannot be read counts as none."""
        self.request()
        self.reply("503 Unavailable", "Retry-After: soon")
        self.assert_waits(0.5)

    def test_retry_after_is_bounded_in_number(self) -> None:
        """A server that always asks for another try at once gets four."""
        request = self.request()
        for _ in range(3):
            self.reply("503 Unavailable", "Retry-After: 0")
            self.reactor.advance(0)
        self.reply("503 Unavailable", "Retry-After: 0")
        self.assert_error(request, Reason.UNAVAILABLE)
        self.assertEqual(self.tries, 4)

    def test_wait_beyond_the_deadline(self) -> None:
        """Where the next wait does not fit, the last error is raised right away."""
        request = self.request(seconds=0.4)
        self.reply("503 Unavailable")
        self.assert_error(request, Reason.UNAVAILABLE)

    def test_cancel_while_waiting(self) -> None:
        """Cancelling during a wait raises CancelledError and leaves nothing behind."""
        request = self.request()
        self.reply("503 Unavailable")
        request.cancel()
        self.failureResultOf(request, CancelledError)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_other_statuses(self) -> None:
        """Every other status comes back to the caller at once."""
        for status in (200, 204, 400, 401, 403, 404, 409, 499):
            request = self.request()
            self.reply(f"{status} Text")
            self.assertEqual(self.successResultOf(request).status, status)


class BrokenTests(RetryCase):
    """Connections that break."""

    def test_backoff(self) -> None:
        """A GET is tried three times, then the error is the network's."""
        request = self.request()
        for wait in (0.25, 1.0):
            self.connect().lose()
            self.assert_waits(wait)
        self.connect().lose()
        self.assert_error(request, Reason.NETWORK)
        self.assertEqual(self.meter.requests, {"list": 3})

    def test_jitter(self) -> None:
        """Chance makes a wait up to half longer."""
        self.chance = 0.5
        self.request()
        self.connect().lose()
        self.assert_waits(0.3125)

    def test_post(self) -> None:
        """A POST is not tried again, as it may have been done."""
        request = self.request("POST", body=b"{}")
        self.connect().lose()
        self.assert_error(request, Reason.NETWORK)

    def test_idempotent_post(self) -> None:
        """A POST that is said to be harmless is."""
        self.request("POST", body=b"{}", idempotent=True)
        self.connect().lose()
        self.assert_waits(0.25)

    def test_wait_beyond_the_deadline(self) -> None:
        """Where the next wait does not fit, the last error is raised right away."""
        request = self.request(seconds=0.2)
        self.connect().lose()
        self.assert_error(request, Reason.NETWORK)

    def test_both_kinds(self) -> None:
        """Broken connections and refusals are counted apart."""
        request = self.request()
        for wait in BROKEN_WAITS:
            self.connect().lose()
            self.assert_waits(wait)
        for wait in STATUS_WAITS:
            self.reply("503 Unavailable")
            self.assert_waits(wait)
        self.connect().lose()
        self.assert_error(request, Reason.NETWORK)
        self.assertEqual(self.tries, 6)


class TimeTests(RetryCase):
    """Limits of time, as long as they are outside tests."""

    def test_connect_timeout(self) -> None:
        """Connecting is given up after 10 s, without another try."""
        request = self.request()
        self.reactor.advance(9.9)
        self.assertNoResult(request)
        self.reactor.advance(0.2)
        self.assert_error(request, Reason.TIMEOUT)
        self.assertEqual(self.tries, 1)

    def test_idle(self) -> None:
        """30 s of silence end it, and each byte starts them anew."""
        request = self.request(seconds=1000)
        connection = self.connect()
        for _ in range(5):
            self.reactor.advance(29)
            connection.receive(b"H")
        self.reactor.advance(29)
        self.assertFalse(connection.disconnected)
        self.reactor.advance(2)
        self.assertTrue(connection.disconnected)
        connection.lose()
        error = self.assert_error(request, Reason.TIMEOUT)
        self.assertIn("timed out after 30 s without data", str(error))

    def test_kept_connection(self) -> None:
        """An idle connection is kept for 15 s, then closed."""
        request = self.request()
        connection = self.connect()
        connection.receive(answer(b"[]"))
        self.successResultOf(request)
        self.reactor.advance(14.9)
        self.assertFalse(connection.disconnected)
        self.reactor.advance(0.2)
        self.assertTrue(connection.disconnected)
        connection.lose()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_closing_connection(self) -> None:
        """A kept connection that is being closed is not used again."""
        request = self.request()
        connection = self.connect()
        connection.receive(answer(b"", "301 Moved"))
        self.assertTrue(connection.disconnected)
        self.failureResultOf(request, ReadError)
        self.request()
        self.assertEqual(self.tries, 2)

    def test_used_connection_is_not_idle(self) -> None:
        """A connection lost while it is kept is not used again."""
        self.request()
        connection = self.connect()
        connection.receive(answer(b"[]"))
        connection.lose()
        self.request()
        self.assertEqual(self.tries, 2)


class URLTests(RetryCase):
    """What a URL may be."""

    def test_refused_urls(self) -> None:
        """Credentials, other schemes and nonsense are refused, and not shown."""
        for url in (
            "http://user:pass@server/",
            "http://user@server/",
            "ftp://server/pass",
            "pass",
            "http:///pass",
            "http://[::1/pass",
            "http://server:pass/",
        ):
            request = self.client.request(
                "GET",
                url,
                deadline=Deadline.after(self.reactor, 5),
                meter=self.meter,
                operation="list",
            )
            failure = self.failureResultOf(Deferred.fromCoroutine(request), ValueError)
            self.assertNotIn("pass", str(failure.value))
        self.assertEqual(self.meter.requests, {})


class HelperTests(SynchronousTestCase):
    """The small functions."""

    def test_retry_after(self) -> None:
        """Seconds and dates are read, the past is now, and nonsense is nothing."""
        for value, expected in (
            ("0", 0.0),
            (" 120 ", 120.0),
            ("Sun, 06 Nov 1994 08:50:37 GMT", 60.0),
            ("Sunday, 06-Nov-94 08:50:37 GMT", 60.0),
            ("Sun, 06 Nov 1994 08:00:00 GMT", 0.0),
            ("-5", None),
            ("1.5", None),
            ("9" * 5000, None),
            ("Sun, 99 Nov 1994 99:99:99 GMT", None),
            ("Sun, 06 Nov 99999 08:49:37 GMT", None),
            ("", None),
            ("soon", None),
        ):
            self.assertEqual(retry_after(Headers({"Retry-After": [value]}), NOW), expected, value)
        self.assertIsNone(retry_after(Headers(), NOW))

    def test_backoff(self) -> None:
        """Waits grow with the tries, and end."""
        waits = [backoff((1.0, 2.0), tries, lambda: 0.5) for tries in range(3)]
        self.assertEqual(waits, [1.25, 2.5, None])

    def test_basic_auth(self) -> None:
        """The header's value is the base64 of name and password in UTF-8."""
        self.assertEqual(basic_auth("Aladdin", "open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
        self.assertEqual(basic_auth("ü", "p:ä"), "Basic w7w6cDrDpA==")

    def test_raise_for_status(self) -> None:
        """2xx passes; the others have reasons, and name what was asked for."""
        for status in (200, 204, 299):
            raise_for_status(Response(status, Headers(), b""), "snapshots of X")
        for status, reason in (
            (401, Reason.AUTH),
            (403, Reason.AUTH),
            (404, Reason.NOT_FOUND),
            (400, Reason.PROTOCOL),
            (101, Reason.PROTOCOL),
        ):
            response = Response(status, Headers(), b"secret")
            error = self.assertRaises(ReadError, raise_for_status, response, "snapshots of X")
            self.assertEqual(error.reason, reason)
            self.assertIn("snapshots of X", str(error))
            self.assertNotIn("secret", f"{error} {response}")
