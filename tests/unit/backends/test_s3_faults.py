"""Tests of what the S3 backend makes of errors and of servers that misbehave."""

import time
from base64 import b64encode
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from restic_reporter.backends.s3.answers import S3Error
from restic_reporter.backends.s3.errors import error_of, region_in
from restic_reporter.http import Response
from restic_reporter.model.errors import ReadError, Reason
from tests.doubles.fake_http import Held
from tests.doubles.fake_s3 import KEY_ID, REGION, SECRET
from tests.doubles.hostile import BROKEN, FLOODS, MALFORMED, SLOW
from tests.doubles.s3_case import S3Case, fill, name

NOW = 1_700_000_000.0


def error(status: int, code: str = "", **headers: str) -> ReadError:
    """The error of a response."""
    response = Response(status, Headers({key: [value] for key, value in headers.items()}), b"")
    return error_of(response, S3Error(code), "list", NOW)


class ErrorTests(SynchronousTestCase):
    """`error_of`."""

    def test_reasons(self) -> None:
        """Each answer has its reason, and its code in the message."""
        for status, code, reason in (
            (403, "AccessDenied", Reason.AUTH),
            (403, "SignatureDoesNotMatch", Reason.AUTH),
            (403, "InvalidAccessKeyId", Reason.AUTH),
            (403, "", Reason.AUTH),
            (401, "", Reason.AUTH),
            (400, "ExpiredToken", Reason.AUTH),
            (400, "InvalidToken", Reason.AUTH),
            (400, "AuthorizationHeaderMalformed", Reason.AUTH),
            (404, "NoSuchBucket", Reason.NOT_FOUND),
            (404, "NoSuchKey", Reason.NOT_FOUND),
            (404, "", Reason.NOT_FOUND),
            (400, "RequestTimeout", Reason.UNAVAILABLE),
            (200, "SlowDown", Reason.UNAVAILABLE),
            (200, "InternalError", Reason.UNAVAILABLE),
            (408, "", Reason.UNAVAILABLE),
            (400, "InvalidArgument", Reason.PROTOCOL),
            (206, "", Reason.PROTOCOL),
        ):
            found = error(status, code)
            self.assertEqual(found.reason, reason, (status, code))
            self.assertIn(f"status {status}", found.message)
            self.assertIn(code, found.message)

    def test_clock(self) -> None:
        """A wrong clock is said to be wrong, and by how much where the server tells its time."""
        for date, text in (
            ("Tue, 14 Nov 2023 22:33:20 GMT", "clock is 20 minutes behind the server's; set"),
            ("Tue, 14 Nov 2023 21:43:20 GMT", "clock is 30 minutes ahead of the server's; set"),
            ("x", "clock is wrong; set"),
            ("", "clock is wrong; set"),
        ):
            found = error(403, "RequestTimeTooSkewed", Date=date)
            self.assertEqual(found.reason, Reason.AUTH)
            self.assertIn(text, found.message)

    @given(st.text(max_size=20), st.text(max_size=20))
    def test_region(self, header: str, region: str) -> None:
        """A region from a server has only characters that a host's name may have."""
        headers = Headers({b"x-amz-bucket-region": [header.encode()]})
        self.assertRegex(region_in(headers, S3Error()), r"\A[A-Za-z0-9-]*\Z")


class RefusedTests(S3Case):
    """Keys that are refused."""

    async def test_wrong_key(self) -> None:
        """A wrong key fails at once, with one request, after the region was found."""
        fill(self.fake, "repo/")
        for keys, text in (
            ({"s3_secret_access_key": "wrong"}, "secret access key is wrong"),
            ({"s3_access_key_id": "AKIANONE"}, "does not know the access key id"),
        ):
            backend = self.backend(options={"s3.region": REGION}, **keys)
            await self.assert_fails(self.list(backend), Reason.AUTH, text)
            self.assertEqual(self.fake.counts, {"list": 1})
            await self.assert_fails(self.load(backend, "config"), Reason.AUTH, text)
            self.assertEqual(self.fake.counts, {"GET": 1})

    async def test_wrong_clock(self) -> None:
        """Twenty minutes are too much."""
        fill(self.fake, "repo/")
        self.fake.now = lambda: time.time() + 1200
        backend = self.backend()
        await self.assert_fails(self.list(backend), Reason.AUTH, "20 minutes behind the server's")

    async def test_region_once(self) -> None:
        """A server that names another region each time is asked twice, not for ever."""
        fill(self.fake, "repo/")
        for redirects, reason in ((False, Reason.AUTH), (True, Reason.REDIRECT)):
            self.fake.quirks.redirects = redirects
            for region in ("a-1", "b-2", "c-3"):
                self.fake.fault(
                    status=301 if redirects else 400,
                    code="AuthorizationHeaderMalformed",
                    headers={"x-amz-bucket-region": region, "Location": "https://x/"},
                )
            backend = self.backend()
            await self.assert_fails(self.list(backend), reason)
            self.assertEqual(self.fake.counts, {"list": 2})
            self.fake.faults.clear()
            self.fake.quirks.redirects = False
            await self.list(backend)
            self.fake.requests.clear()
            self.tools.shared.clear()

    async def test_redirect(self) -> None:
        """A redirect without a region is not followed."""
        cases: tuple[dict[str, str], ...] = (
            {},
            {"x-amz-bucket-region": "../x"},
            {"x-amz-bucket-region": "us-east-1"},
        )
        for headers in cases:
            where = {"Location": "http://127.0.0.1:9/", **headers}
            self.fake.fault(status=307, headers=where)
            await self.assert_fails(self.list(self.backend()), Reason.REDIRECT, "not followed")
            self.assertEqual(self.fake.counts, {"list": 1})
            self.tools.shared.clear()


class FaultTests(S3Case):
    """Servers in trouble."""

    def setUp(self) -> None:
        super().setUp()
        self.names = fill(self.fake, "repo/", 20)
        self.prepared = self.backend(options={"s3.region": REGION})

    async def test_busy(self) -> None:
        """429, 5xx and closed connections are tried again; then they are the error."""
        faults: list[dict[str, Any]] = [{"status": one} for one in (429, 500, 503)]
        for fault in (*faults, {"drop": True}, {"cut": True}):
            self.fake.fault(**fault, times=2)
            self.assertEqual((await self.list(self.prepared)).snapshots, self.names)
            self.assertEqual(self.fake.faults, [])
        self.fake.fault(status=503, code="SlowDown", times=4)
        await self.assert_fails(self.list(self.prepared), Reason.UNAVAILABLE, "status 503")
        self.fake.fault(cut=True, times=3)
        await self.assert_fails(self.list(self.prepared), Reason.PROTOCOL, "truncated")

    async def test_loops(self) -> None:
        """A token that comes twice, or is missing where there is more, ends the list."""
        self.fake.quirks.page = 5
        for quirk in ("loops", "mute"):
            setattr(self.fake.quirks, quirk, True)
            for in_order in (True, False):
                self.prepared.session.in_order = in_order
                await self.assert_fails(self.list(self.prepared), Reason.PROTOCOL)
            setattr(self.fake.quirks, quirk, False)

    async def test_same_page(self) -> None:
        """A server that gives the same page for ever is left at the second one."""
        page = (
            "<ListBucketResult><IsTruncated>true</IsTruncated>"
            f"<NextContinuationToken>{b64encode(b'x').decode()}/+=</NextContinuationToken>"
            f"<Contents><Key>repo/keys/{name(1)}</Key></Contents></ListBucketResult>"
        ).encode()
        self.fake.quirks.change = lambda _: page
        await self.assert_fails(self.list(self.prepared), Reason.PROTOCOL, "how to go on")
        self.assertLessEqual(self.fake.counts["list"], 4)

    async def test_no_listing(self) -> None:
        """HTML, nothing, half of the XML or an error with 200 are no empty listing."""
        for body, reason in (
            (b"<html><body>login</body></html>", Reason.PARSE),
            (b"", Reason.PARSE),
            (b"<ListBucketResult><IsTruncated>false</IsTruncated>", Reason.PARSE),
            (b"<Error><Code>InternalError</Code></Error>", Reason.UNAVAILABLE),
            (b"<Error><Code>AccessDenied</Code></Error>", Reason.PROTOCOL),
            (b"<Error></Error>", Reason.PROTOCOL),
            (b"x" * (2 * 2**20 + 1), Reason.TOO_LARGE),
        ):
            self.fake.fault(body=body)
            await self.assert_fails(self.list(self.prepared), reason)

    async def test_altered(self) -> None:
        """A file that is not what its name says is ``protocol``; a large one ``too_large``."""
        path = f"keys/{name(-1)}"
        self.fake.fault(garble=True)
        self.fake.put("repo/" + path, b"-1")
        await self.assert_fails(self.load(self.prepared, path), Reason.PROTOCOL, "altered")
        self.fake.put("repo/" + path, b"x" * 2000)
        await self.assert_fails(self.load(self.prepared, path), Reason.TOO_LARGE)

    async def test_slow(self) -> None:
        """What does not come to an end is given up at the deadline."""
        held = Held()
        self.addCleanup(held.go_on.set)
        self.fake.fault(held=held)
        await self.assert_fails(self.list(self.prepared, seconds=0.2), Reason.TIMEOUT)
        for kind, hostile in SLOW.items():
            with self.subTest(kind):
                self.fake.fault(hostile=hostile)
                await self.assert_fails(self.list(self.prepared, seconds=0.3), Reason.TIMEOUT)

    async def test_hostile(self) -> None:
        """What no HTTP server may answer ends each call, as it does any request."""
        for kind, hostile in [*FLOODS.items(), *MALFORMED.items(), *BROKEN.items()]:
            for path in (None, "config"):
                with self.subTest(f"{kind} for {path}"):
                    self.fake.fault(hostile=hostile, times=hostile.tries)
                    work: Any
                    work = self.load(self.prepared, path) if path else self.list(self.prepared)
                    await self.assert_fails(work, hostile.reason)
                    self.assertEqual(self.fake.faults, [])

    async def test_cancelled(self) -> None:
        """A cancelled listing leaves nothing behind."""
        held = Held()
        self.addCleanup(held.go_on.set)
        self.fake.fault(held=held)
        work: Deferred[Any] = self.list(self.prepared)
        work.cancel()
        self.failureResultOf(work, CancelledError)
        held.go_on.set()
        self.assertEqual((await self.list(self.prepared)).snapshots, self.names)

    async def test_secrets(self) -> None:
        """No message has what a server may repeat."""
        self.fake.fault(status=403, body=f"<Error><Code>{SECRET}</Code></Error>".encode())
        await self.assert_fails(self.list(self.prepared), Reason.AUTH)
        self.fake.fault(status=403, body=f"<Error><Message>{KEY_ID}".encode())
        await self.assert_fails(self.list(self.prepared), Reason.AUTH)
