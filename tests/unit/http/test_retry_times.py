"""Tests of the HTTP client's times, URLs and waits."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from restic_reporter.concurrency.deadline import Deadline
from restic_reporter.http import Response, basic_auth, raise_for_status
from restic_reporter.http.retries import backoff, retry_after
from restic_reporter.model.errors import ReadError, Reason
from tests.doubles.hostile import answer
from tests.doubles.retry_case import NOW, RetryCase


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
