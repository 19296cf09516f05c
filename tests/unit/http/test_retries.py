"""When the HTTP client tries again, and how long it waits: on a clock of the test's own."""

from twisted.internet.defer import CancelledError

from restic_reporter.http.retries import BROKEN_WAITS, STATUS_WAITS
from restic_reporter.model.errors import Reason
from tests.doubles.retry_case import RetryCase


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
