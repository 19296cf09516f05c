"""Tests of `restic_reporter.web.security.passwords` and of the rate limit."""

from base64 import b64encode
from typing import Any, cast

import bcrypt
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.web.security.passwords import (
    CACHE_SIZE,
    MAX_CHECKS,
    MAX_CHECKS_OF_ADDRESS,
    PasswordChecks,
    TooManyChecksError,
    credentials,
    matches,
)
from restic_reporter.web.security.rate_limit import TokenBucket
from restic_reporter.web.security.web_config import RateLimit


def hashed(password: bytes, cost: int = 4) -> bytes:
    """A bcrypt hash."""
    return bcrypt.hashpw(password, bcrypt.gensalt(cost))


class CredentialsTests(SynchronousTestCase):
    """`credentials`."""

    def test_valid(self) -> None:
        """User and password are what stands before and after the first colon."""
        for text, expected in (
            (b"a:b", ("a", b"b")),
            (b"a:b:c", ("a", b"b:c")),
            (b":", ("", b"")),
            ("ü:ö".encode(), ("ü", "ö".encode())),
        ):
            for scheme in (b"Basic ", b"basic ", b"BASIC  "):
                self.assertEqual(credentials(scheme + b64encode(text)), expected)

    def test_invalid(self) -> None:
        """Anything else is none."""
        for header in (None, b"", b"Basic", b"Basic !", b"Basic YQ", b"Bearer YTpi", b"Basic YQ=="):
            self.assertIsNone(credentials(header), header)


class MatchesTests(SynchronousTestCase):
    """`matches`."""

    def test_matches(self) -> None:
        """A password matches its own hash, of whatever variant, and no other."""
        one = hashed(b"sesame")
        self.assertTrue(matches(b"sesame", one, 4))
        for kind in (b"$2a$", b"$2x$", b"$2y$"):
            self.assertTrue(matches(b"sesame", kind + one[4:], 4))
        for other in (b"", b"sesam", b"Sesame", b"sesame\0", b"sesame" * 20):
            self.assertFalse(matches(other, one, 4), other)
        self.assertFalse(matches(b"sesame", None, 4))

    def test_long(self) -> None:
        """bcrypt takes no more than 72 bytes of a password, and so do we."""
        self.assertTrue(matches(b"x" * 100, hashed(b"x" * 72), 4))

    def test_time(self) -> None:
        """Each check has the cost of the most expensive one, for unknown users too."""
        costs: list[int] = []

        def hashpw(password: bytes, salt: bytes) -> bytes:
            costs.append(int(salt[4:6]))
            return salt

        self.patch(bcrypt, "hashpw", hashpw)
        for one in (None, b"$2b$12$" + b"." * 53, b"$2b$10$" + b"." * 53, b"$2y$04$" + b"." * 53):
            costs.clear()
            matches(b"x", one, 12)
            self.assertEqual(sum(2**cost for cost in costs), 2**12, costs)


class Threads:
    """In place of worker threads: what they are to do waits for the test."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Deferred[bool], bytes]] = []

    def run(self, function: Any, password: bytes, *_: Any) -> Deferred[bool]:
        """Note a check."""
        result: Deferred[bool] = Deferred()
        self.jobs.append((result, password))
        return result

    def end(self, result: bool) -> None:
        """End the oldest."""
        self.jobs.pop(0)[0].callback(result)


class PasswordChecksTests(SynchronousTestCase):
    """`PasswordChecks`."""

    def setUp(self) -> None:
        self.threads = Threads()
        self.checks = PasswordChecks(cast(Any, self.threads))
        self.users = {"a": hashed(b"x")}

    def check(self, user: str = "a", password: bytes = b"x", address: str = "h") -> Deferred[bool]:
        """Begin a check."""
        return self.checks.check(self.users, user, password, address)

    def known(self, user: str = "a", password: bytes = b"x") -> bool | None:
        """The result of an earlier one."""
        return self.checks.known(self.users, user, password)

    def test_remembered(self) -> None:
        """A result is remembered for that user, password and hash alone."""
        self.assertIsNone(self.known())
        self.check()
        self.threads.end(True)
        self.assertIs(self.known(), True)
        self.assertIsNone(self.known(password=b"y"))
        self.assertIsNone(self.known(user="b"))
        self.users["a"] = hashed(b"x")
        self.assertIsNone(self.known())
        del self.users["a"]
        self.assertIsNone(self.known())

    def test_wrong(self) -> None:
        """So is that it was wrong."""
        self.check()
        self.threads.end(False)
        self.assertIs(self.known(), False)

    def test_cap(self) -> None:
        """Guessing pushes out older guesses, and no right password."""
        self.check()
        self.threads.end(True)
        for number in range(CACHE_SIZE + 1):
            self.check(password=b"%d" % number)
            self.threads.end(False)
        self.assertIs(self.known(), True)
        self.assertIsNone(self.known(password=b"0"))
        self.assertIs(self.known(password=b"1"), False)
        self.assertIs(self.known(password=b"%d" % CACHE_SIZE), False)

    def test_shared(self) -> None:
        """Clients that come at once with the same password share a check."""
        both = [self.check(), self.check(address="other")]
        self.assertEqual(len(self.threads.jobs), 1)
        self.threads.end(True)
        self.assertEqual([self.successResultOf(one) for one in both], [True, True])

    def test_bounded(self) -> None:
        """Checks at once are bounded, for one address to a few."""
        waiting = [self.check(password=b"%d" % number) for number in range(MAX_CHECKS_OF_ADDRESS)]
        self.assertRaises(TooManyChecksError, self.check, password=b"x")
        for number in range(len(waiting), MAX_CHECKS):
            waiting.append(self.check(password=b"%d" % number, address=str(number)))
        self.assertRaises(TooManyChecksError, self.check, address="other")
        self.threads.end(False)
        self.check(address="other")

    def test_cancelled(self) -> None:
        """A client that leaves takes its check with it, unless another one shares it."""
        first, second = self.check(), self.check()
        first.cancel()
        self.failureResultOf(first)
        self.assertNoResult(second)
        second.cancel()
        self.failureResultOf(second)
        for number in range(MAX_CHECKS_OF_ADDRESS):
            self.check(password=b"%d" % number)

    def test_failed(self) -> None:
        """A check that fails is not remembered."""
        check = self.check()
        self.threads.jobs.pop(0)[0].errback(MemoryError())
        self.failureResultOf(check, MemoryError)
        self.assertIsNone(self.known())


class TokenBucketTests(SynchronousTestCase):
    """`TokenBucket`."""

    def test_bucket(self) -> None:
        """A burst is let in at once, then one in each interval; unused ones do not pile up."""
        clock = Clock()
        bucket = TokenBucket(clock, RateLimit(2.0, 3))
        self.assertEqual([bucket.take() for _ in range(5)], [0, 0, 0, 2.0, 2.0])
        clock.advance(1.5)
        self.assertEqual(bucket.take(), 0.5)
        clock.advance(0.5)
        self.assertEqual([bucket.take(), bucket.take()], [0, 2.0])
        clock.advance(1000)
        self.assertEqual([bucket.take() for _ in range(4)], [0, 0, 0, 2.0])
