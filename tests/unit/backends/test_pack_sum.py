"""Tests of `restic_reporter.backends.pack_sum`, and of what B2 and S3 add to it."""

import json
from typing import Any

from twisted.internet import reactor as default_reactor
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.backends.b2 import packs as b2_packs
from restic_reporter.backends.pack_sum import JSONPacks
from restic_reporter.backends.s3 import packs as s3_packs
from restic_reporter.backends.s3.answers import Page
from restic_reporter.concurrency.deadline import Deadline
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.model.upkeep import Size
from tests.doubles.b2_case import B2Case
from tests.doubles.b2_case import fill as fill_b2
from tests.doubles.fake_s3 import REGION
from tests.doubles.s3_case import S3Case
from tests.doubles.s3_case import fill as fill_s3

reactor: Any = default_reactor

NAMES = [f"{number:064x}" for number in range(3)]


class JSONPacksTests(SynchronousTestCase):
    """Listings of REST servers."""

    def size(self, body: bytes, step: int = 7) -> Size:
        """The sum of a listing that comes in small pieces."""
        packs = JSONPacks.make()
        for start in range(0, len(body), step):
            packs.feed(body[start : start + step])
        return packs.size()

    def refused(self, body: bytes, step: int = 7) -> ReadError:
        """The error about a listing."""
        error: ReadError = self.assertRaises(ReadError, self.size, body, step)
        return error

    def test_sum(self) -> None:
        """Only packs count, by their sizes, however the listing is cut."""
        entries = [
            {"name": name, "size": size} for name, size in zip(NAMES, (0, 5, 2**40), strict=True)
        ]
        entries += [{"name": "x", "size": 7}, {"name": f"{NAMES[0]}-tmp"}, {"name": 5}]
        body = json.dumps(entries).encode()
        for step in (1, 7, len(body)):
            self.assertEqual(self.size(body, step), Size(2**40 + 5, 3))

    def test_empty(self) -> None:
        """An empty listing; that of some servers is null."""
        self.assertEqual(self.size(b"[]"), Size(0, 0))
        self.assertEqual(self.size(b"null\n"), Size(0, 0))

    def test_version_1(self) -> None:
        """A listing of names alone tells no size."""
        error = self.refused(json.dumps(NAMES).encode())
        self.assertEqual(error.reason, Reason.PROTOCOL)
        self.assertIn("lists no sizes (version 1", error.message)

    def test_invalid(self) -> None:
        """Anything else is refused."""
        sizes: tuple[Any, ...] = (None, "5", -5, 1.5, [])
        for size in sizes:
            error = self.refused(json.dumps([{"name": NAMES[0], "size": size}]).encode())
            self.assertEqual(error.reason, Reason.PROTOCOL, size)
        for body in (b"", b"{}", b"[5]", b"[null]", b"[{}", b'[{"name": 1},]', b"<html>"):
            self.assertEqual(self.refused(body).reason, Reason.PARSE, body)


class BucketPacksTests(SynchronousTestCase):
    """Pages of buckets that lead nowhere."""

    def test_s3(self) -> None:
        """A page that leads to itself, or no end of pages."""
        entry = (f"p/data/00/{NAMES[0]}", "")
        for old, token in ((False, None), (False, "t"), (True, None)):
            packs = s3_packs.Packs("p/data/", old)
            page = Page([entry], True, token, sizes=["5"])
            with self.assertRaises(ReadError) as raised:
                packs.add(page)
                packs.add(page)
            self.assertEqual(raised.exception.reason, Reason.PROTOCOL)
        self.patch(s3_packs, "MOST_PAGES", 3)
        packs = s3_packs.Packs("p/data/")
        with self.assertRaises(ReadError) as raised:
            for number in range(4):
                packs.add(Page([entry], True, f"{number}", sizes=["5"]))
        self.assertEqual((raised.exception.reason, packs.sum.packs), (Reason.TOO_LARGE, 3))

    def test_s3_sizes(self) -> None:
        """A pack without a valid size is an error."""
        for size in ("", "-5", "x"):
            packs = s3_packs.Packs("")
            page = Page([(f"data/00/{NAMES[0]}", "")], False, sizes=[size])
            error = self.assertRaises(ReadError, packs.add, page)
            self.assertEqual(error.reason, Reason.PROTOCOL)

    def test_b2(self) -> None:
        """A page that goes backwards, no end of pages, a pack without a size."""

        def page(following: str | None, size: object = 5) -> dict[str, Any]:
            file = {"fileName": f"data/00/{NAMES[0]}", "contentLength": size}
            return {"files": [file], "nextFileName": following}

        packs = b2_packs.Packs("data/")
        packs.add(page("data/01/"))
        error = self.assertRaises(ReadError, packs.add, page("data/01/"))
        self.assertEqual(error.reason, Reason.PROTOCOL)
        error = self.assertRaises(ReadError, b2_packs.Packs("data/").add, page(None, None))
        self.assertEqual(error.reason, Reason.PROTOCOL)
        self.patch(b2_packs, "MOST_PAGES", 3)
        packs = b2_packs.Packs("data/")
        with self.assertRaises(ReadError) as raised:
            for number in range(4):
                packs.add(page(f"data/0{number + 1}"))
        self.assertEqual((raised.exception.reason, packs.sum.packs), (Reason.TOO_LARGE, 3))


class B2PriceTests(B2Case):
    """Many packs in a fake B2."""

    async def test_pages(self) -> None:
        """A thousand packs cost one call; other versions and other folders cost nothing."""
        fill_b2(self.fake, self.bucket, "repo/")
        fill_b2(self.fake, self.bucket, "repo2/")
        for number in range(2500):
            self.fake.account.put(self.bucket, f"repo/data/ff/{number:064x}", b"xyz")
        backend = self.backend()
        deadline = Deadline.after(reactor, 30.0)
        size = await backend.measure(deadline, self.meter)
        self.assertEqual(size, Size(7500, 2509))
        self.assertEqual(self.calls["list_file_names"], 3)


class S3PriceTests(S3Case):
    """Many packs in a fake S3."""

    async def test_pages(self) -> None:
        """A thousand packs cost one request, in both versions of the call."""
        fill_s3(self.fake, "repo/")
        fill_s3(self.fake, "repo2/")
        for number in range(2500):
            self.fake.put(f"repo/data/ff/{number:064x}", b"xyz")
        for requests, options in enumerate(({}, {"s3.list-objects-v1": "true"}), 1):
            backend = self.backend(options={"s3.region": REGION, **options})
            size = await backend.measure(self.deadline(), self.meter)
            self.assertEqual(size.packs, 2509)
            self.assertEqual(self.meter.requests["list"], 3 * requests)
