"""Tests of the S3 backend, over real sockets against a fake S3."""

from typing import Any

from attrs import evolve

from restic_reporter.backends.s3 import names as names_module
from restic_reporter.model.errors import Reason
from restic_reporter.model.snapshots import Listing
from restic_reporter.restic_format.file_names import fingerprint
from tests.doubles.fake_s3 import BUCKET, REGION, FakeBucket
from tests.doubles.s3_case import S3Case, fill, name

OPTIONS = {"s3.region": REGION}


class ListTests(S3Case):
    """What is listed, and with how many requests."""

    async def test_unchanged(self) -> None:
        """Each listing is one request, with the region from the first answer."""
        names = fill(self.fake, "repo/", 10, locks=2)
        self.fake.put(f"repo/locks/{name(0)}", b"lock", 1_700_000_000.25)
        self.fake.put(f"repo/locks/{name(1)}", b"lock", 1_600_000_000)
        self.fake.put(f"repo/keys/{name(-1)}", b"-1", 1_500_000_000.5)
        backend = self.backend()
        locks = frozenset({name(0), name(1)})
        keys = frozenset({name(-1)})
        expected = Listing(
            names,
            locks,
            keys,
            lock_times=(1_600_000_000, 1_700_000_000.25),
            key_times={name(-1): 1_500_000_000.5},
        )
        self.assertEqual(await self.list(backend), expected)
        self.assertEqual(self.fake.counts, {"list": 2})
        for _ in range(2):
            self.assertEqual(await self.list(backend), expected)
            self.assertEqual(self.fake.counts, {"list": 1})
        self.assertEqual(self.meter.requests, {"list": 4})
        self.assertGreater(self.meter.received_bytes["list"], 3000)
        self.assertEqual(await self.list(self.backend("other/../repo")), expected)
        self.assertEqual(self.fake.counts, {"list": 1})

    async def test_stored_times(self) -> None:
        """The snapshots' times are those of their upload, as far as they are valid."""
        fill(self.fake, "repo/", 3)
        self.fake.put(f"repo/snapshots/{name(1)}", b"snapshot", 1_700_000_000.25)
        listing = await self.list(self.backend())
        assert listing.stored_times is not None
        self.assertEqual(
            await listing.stored_times([name(1), name(7)]), {name(1): 1_700_000_000.25}
        )

    async def test_configured_region(self) -> None:
        """With the region in the config the first listing is one request too."""
        fill(self.fake, "repo/")
        await self.list(self.backend(options=OPTIONS))
        self.assertEqual(self.fake.counts, {"list": 1})

    async def test_paths(self) -> None:
        """Any path: the root, blanks, characters of URLs, a slash at the beginning."""
        for path, base in (
            ("", ""), ("/x", "/x/"), ("a%20b", "a b/"), ("%C3%BC+%2B~", "ü++~/"),
            ("a/b/c", "a/b/c/"), ("%3Fx=1&y", "?x=1&y/"), ("a%25b", "a%b/"),
        ):  # fmt: skip
            self.fake.buckets[BUCKET] = FakeBucket()
            names = fill(self.fake, base)
            backend = self.backend(path)
            self.assertEqual((await self.list(backend)).snapshots, names, path)
            key = await self.load(backend, f"keys/{name(-1)}")
            self.assertEqual(key, b"-1")

    async def test_encoding(self) -> None:
        """Names may be encoded in three ways; foreign ones may have what XML does not allow."""
        fill(self.fake, "repo/")
        for quirk in ("plain", "encodes_slashes", "page"):
            names = fill(self.fake, "a +%2B&/")
            setattr(self.fake.quirks, quirk, 2)
            if quirk != "plain":
                self.fake.put("a +%2B&/locks/\x01\x1f")
            for old in (False, True):
                for in_order in (True, False):
                    options = {**OPTIONS, "s3.list-objects-v1": old}
                    backend = self.backend("a%20+%252B&", options=options)
                    backend.session.in_order = in_order
                    self.assertEqual((await self.list(backend)).snapshots, names)
            setattr(self.fake.quirks, quirk, 0 if quirk != "page" else 1000)

    async def test_foreign_names(self) -> None:
        """Names that are none of restic's do not count, and folders made by other tools neither."""
        names = fill(self.fake, "repo/")
        for path in (
            *(f"repo/snapshots/{one}" for one in ("x", name(7)[:-1], name(7).upper())),
            *(f"repo/{folder}/" for folder in ("keys", "locks", "snapshots")),
            f"repo/snapshots/sub/{name(7)}",
            f"repo/snapshots2/{name(7)}",
            f"repo/keyset/{name(7)}",
            f"repo/keys/{name(7)}.tmp",
            "repo/locks/ä&<>\"'",
            f"repository/snapshots/{name(7)}",
            f"snapshots/{name(7)}",
        ):
            self.fake.put(path)
        self.fake.put(f"repo/keys/{name(-1)}", b"-1", 5)
        for in_order in (True, False):
            backend = self.backend(options=OPTIONS)
            backend.session.in_order = in_order
            listing = await self.list(backend)
            keys = frozenset({name(-1)})
            expected = Listing(names, frozenset(), keys, lock_times=(), key_times={name(-1): 5})
            self.assertEqual(listing, expected)

    async def test_pages(self) -> None:
        """Many names take a request for each thousand; none is lost, by either version."""
        names = fill(self.fake, "repo/", 2500, locks=3)
        for old in (False, True):
            backend = self.backend(options={**OPTIONS, "s3.list-objects-v1": old})
            for page, requests in ((1000, 3), (70, 36), (1, 25)):
                self.fake.quirks.page = page
                if page == 1:
                    self.patch(names_module, "MOST_PAGES", 25)
                    await self.assert_fails(self.list(backend), Reason.TOO_LARGE)
                else:
                    self.patch(names_module, "MOST_PAGES", 1000)
                    listing = await self.list(backend)
                    self.assertEqual((listing.snapshots, len(listing.locks or ())), (names, 3))
                self.assertEqual(self.fake.counts, {"list": requests})

    async def test_foreign_folders_cost_nothing(self) -> None:
        """What others keep before, between and behind the folders is not listed page by page."""
        names = fill(self.fake, "", 3, locks=1)
        for number in range(2300):
            for folder in ("laptop", "media", "web", "archive"):
                self.fake.put(f"{folder}/data/{name(number)}")
        for old in (False, True):
            backend = self.backend("", options={**OPTIONS, "s3.list-objects-v1": old})
            found = await self.list(backend)
            self.assertEqual((found.snapshots, found.locks), (names, {name(0)}))
            self.assertEqual(self.fake.counts, {"list": 3})

    async def test_three_lists(self) -> None:
        """A server that lists out of order, or from its first name, is asked folder by folder."""
        names = fill(self.fake, "repo/", 25, locks=2)
        for quirk in ("unordered", "ignores_start"):
            for old in (False, True):
                for page, pages in ((1000, 3), (10, 5)):
                    self.tools.shared.clear()
                    options = {**OPTIONS, "s3.list-objects-v1": old}
                    backend = self.backend(options=options)
                    setattr(self.fake.quirks, quirk, True)
                    self.fake.quirks.page = page
                    for requests in (1 + pages, pages):
                        listing = await self.list(backend)
                        self.assertEqual(listing.snapshots, names)
                        self.assertEqual(len(listing.lock_times or ()), 2)
                        self.assertEqual(self.fake.counts, {"list": requests})
            setattr(self.fake.quirks, quirk, False)

    async def test_no_repository(self) -> None:
        """Without a key file there is none, whatever else is there; nor without a bucket."""
        await self.assert_fails(self.list(self.backend()), Reason.NOT_FOUND, "check the path")
        fill(self.fake, "repo/")
        del self.fake.bucket.objects[f"repo/keys/{name(-1)}"]
        await self.assert_fails(self.list(self.backend()), Reason.NOT_FOUND, "check the path")
        del self.fake.buckets[BUCKET]
        await self.assert_fails(self.list(self.backend()), Reason.NOT_FOUND, "no such bucket")

    async def test_list_keys(self) -> None:
        """The keys come from the same listing."""
        fill(self.fake, "repo/")
        backend = self.backend()
        keys = await backend.list_keys(self.deadline(), self.meter)
        self.assertEqual(keys, {name(-1)})


class LoadTests(S3Case):
    """Loading files."""

    async def test_load(self) -> None:
        """A file is one request."""
        fill(self.fake, "repo/")
        backend = self.backend(options=OPTIONS)
        self.assertEqual(await self.load(backend, "config"), b"config")
        self.assertEqual(self.fake.counts, {"GET": 1})
        self.assertEqual(
            (self.meter.requests, self.meter.received_bytes), ({"load": 1}, {"load": 6})
        )
        # The error is longer than the file may be.
        work = self.load(backend, f"keys/{name(3)}", limit=10)
        await self.assert_fails(work, Reason.NOT_FOUND, "NoSuchKey")
        await self.assert_fails(self.load(backend, "config", limit=5), Reason.TOO_LARGE)


class MemoTests(S3Case):
    """A listing that is equal to the one before."""

    async def test_not_parsed(self) -> None:
        """It is parsed only where its snapshots are needed, and is the same."""
        names = fill(self.fake, "repo/", 5, locks=2)
        backend = self.backend(options=OPTIONS)
        first = await self.list(backend)
        parsed: list[bytes] = []
        parse = type(backend)._snapshots

        def noted(one: Any, body: bytes) -> frozenset[str]:
            parsed.append(body)
            return parse(one, body)

        self.patch(type(backend), "_snapshots", noted)
        for _ in range(2):
            again = await self.list(backend)
            self.assertEqual(fingerprint(again.snapshots), fingerprint(first.snapshots))
            self.assertEqual(evolve(again, snapshots=names), first)
        self.assertEqual(parsed, [])
        self.assertEqual(again.snapshots, names)
        self.assertEqual(len(parsed), 1)

    async def test_changed(self) -> None:
        """A change anywhere is seen: a snapshot, a lock, a key, a time."""
        fill(self.fake, "repo/", 5)
        backend = self.backend(options=OPTIONS)
        before = await self.list(backend)
        for path, time in (
            (f"repo/snapshots/{name(20)}", 1.0),
            (f"repo/locks/{name(20)}", 1.0),
            (f"repo/locks/{name(20)}", 2.0),
            (f"repo/keys/{name(20)}", 1.0),
        ):
            self.fake.put(path, b"", time)
            after = await self.list(backend)
            self.assertNotEqual(after, before, path)
            before = after
        del self.fake.bucket.objects[f"repo/snapshots/{name(0)}"]
        self.assertNotIn(name(0), (await self.list(backend)).snapshots)
