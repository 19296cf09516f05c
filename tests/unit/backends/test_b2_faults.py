"""The B2 backend against a fake of B2 that fails, is busy or sends what no B2 would."""

from restic_reporter.http import client
from restic_reporter.model.errors import Reason
from tests.doubles.b2_case import B2Case, fill
from tests.doubles.hostile import BROKEN, FLOODS, MALFORMED, SLOW

LIST, AUTH = "b2_list_file_names", "b2_authorize_account"


DOWNLOAD = "b2_download_file_by_name"


class FaultTests(B2Case):
    """What B2 answers when it cannot or will not."""

    def setUp(self) -> None:
        super().setUp()
        fill(self.fake, self.bucket, "repo/")

    async def test_busy(self) -> None:
        """429 and 5xx are tried again, as Retry-After asks, whatever their body is."""
        for call, statuses in (
            (AUTH, (429, 500, 503)),
            ("b2_list_buckets", (503, 503, 503)),
            (LIST, (429, 599)),
        ):
            for status in statuses:
                self.fake.fault(
                    call, status=status, headers={"Retry-After": "0"}, body=b"<html>busy"
                )
        self.fake.fault(LIST, status=503, code="service_unavailable")
        self.assertEqual(len((await self.list(self.backend())).snapshots), 3)
        self.assertEqual(
            self.calls, {"authorize_account": 4, "list_buckets": 4, "list_file_names": 4}
        )

    async def test_busy_for_long(self) -> None:
        """There is an end to trying, and no wait beyond the deadline."""
        backend = self.backend()
        await self.list(backend)
        self.calls  # noqa: B018
        for call, calls in ((LIST, {"list_file_names": 1}), (AUTH, {"authorize_account": 1})):
            self.fake.fault(call, status=503, headers={"Retry-After": "1000"})
            backend = self.backend(key=self.key if call == LIST else self.fake.account.add_key())
            await self.assert_fails(self.list(backend), Reason.UNAVAILABLE, "503")
            self.assertEqual(self.calls, calls)
        self.fake.fault(LIST, status=429, headers={"Retry-After": "0"}, times=4)
        await self.assert_fails(self.list(self.backend()), Reason.UNAVAILABLE, "429")
        self.assertEqual(self.calls, {"list_file_names": 4})

    async def test_caps(self) -> None:
        """A cap that is reached fails at once, and says so."""
        backend = self.backend()
        await self.list(backend)
        self.calls  # noqa: B018
        self.fake.fault(LIST, status=403, code="transaction_cap_exceeded")
        await self.assert_fails(self.list(backend), Reason.UNAVAILABLE, "account cap exceeded")
        self.fake.fault("b2_download_file_by_name", status=403, code="download_cap_exceeded")
        await self.assert_fails(
            self.load(backend, "config"), Reason.UNAVAILABLE, "download_cap_exceeded"
        )
        self.assertEqual(self.calls, {"list_file_names": 1, "download_file_by_name": 1})
        self.fake.fault(AUTH, status=403, code="transaction_cap_exceeded")
        backend = self.backend(key=self.fake.account.add_key())
        await self.assert_fails(self.list(backend), Reason.UNAVAILABLE, "account cap exceeded")

    async def test_other_errors(self) -> None:
        """Each error has its reason; texts of the server are not repeated."""
        backend = self.backend()
        await self.list(backend)
        for status, code, reason in (
            (400, "bad_request", Reason.PROTOCOL),
            (400, "invalid_bucket_id", Reason.NOT_FOUND),
            (401, "unauthorized", Reason.AUTH),
            (403, "access_denied", Reason.AUTH),
            (404, "not_found", Reason.NOT_FOUND),
            (408, "request_timeout", Reason.UNAVAILABLE),
            (206, "odd", Reason.PROTOCOL),
        ):
            self.fake.fault(LIST, status=status, code=code)
            await self.assert_fails(self.list(backend), reason, f"(status {status}, {code})")
        for body in (b"", b"[]", b"<html>", b'{"code": 7}', b'{"code": "Hey!\\n"}'):
            self.fake.fault(LIST, status=400, body=body)
            await self.assert_fails(self.list(backend), Reason.PROTOCOL, "(status 400)")
        self.fake.fault(LIST, status=302, body=b"", headers={"Location": "http://127.0.0.1:1/"})
        await self.assert_fails(self.list(backend), Reason.REDIRECT)

    async def test_broken_connections(self) -> None:
        """A connection that breaks is tried again."""
        for call in (AUTH, "b2_list_buckets", LIST, "b2_download_file_by_name"):
            self.fake.fault(call, drop=True)
        backend = self.backend()
        self.assertEqual(len((await self.list(backend)).snapshots), 3)
        self.assertEqual(await self.load(backend, "config"), b"config")

    async def test_hostile(self) -> None:
        """What no HTTP server may answer ends each call, as it does any request."""
        self.patch(client, "BROKEN_WAITS", (0.0, 0.0))
        for name, hostile in [*FLOODS.items(), *MALFORMED.items(), *BROKEN.items()]:
            for call in (AUTH, LIST, DOWNLOAD):
                with self.subTest(f"{name} for {call}"):
                    self.fake.fault(call, hostile=hostile, times=hostile.tries)
                    backend = self.backend(key=self.fake.account.add_key())
                    work = self.load(backend, "config") if call == DOWNLOAD else self.list(backend)
                    await self.assert_fails(work, hostile.reason)
                    self.assertEqual(self.fake.faults[call], [])

    async def test_slow(self) -> None:
        """What does not come to an end is given up at the deadline."""
        backend = self.backend()
        await self.list(backend)
        for name, hostile in SLOW.items():
            with self.subTest(name):
                self.fake.fault(LIST, hostile=hostile)
                await self.assert_fails(self.list(backend, seconds=0.3), Reason.TIMEOUT)
