"""The B2 backend against a strict fake of B2: listing and loading."""

import json
from typing import Any

from restic_reporter.backends.b2 import B2Backend, listing
from restic_reporter.backends.b2.settings import B2Settings, parse_b2
from restic_reporter.model.errors import Reason
from restic_reporter.model.repository import Repository, Transport
from restic_reporter.model.snapshots import Listing
from restic_reporter.redaction.secret import Secret
from tests.doubles.b2_case import B2Case, fill, name

ONE_LIST = {"list_file_names": 1}


class ListTests(B2Case):
    """`B2Backend.list`."""

    async def test_first_and_unchanged(self) -> None:
        """The first listing authorizes and looks for the bucket; each later one is one call."""
        names = fill(self.fake, self.bucket, "repo/", 10, locks=2)
        backend = self.backend()
        locks = frozenset({name(0), name(1)})
        first = await self.list(backend)
        expected = Listing(
            names,
            locks,
            frozenset({name(-1)}),
            lock_times=first.lock_times,
            key_times=first.key_times,
        )
        self.assertEqual(first, expected)
        self.assertEqual(self.calls, {**ONE_LIST, "authorize_account": 1, "list_buckets": 1})
        for _ in range(2):
            self.assertEqual(await self.list(backend), expected)
            self.assertEqual(self.fake.account.transactions, {"C": 1})
            self.assertEqual(self.calls, ONE_LIST)
        self.assertEqual(self.meter.requests, {"auth": 1, "list": 4})
        self.assertGreater(self.meter.received_bytes["list"], 1000)

    async def test_one_session(self) -> None:
        """Repositories of one key share authorization and bucket id; other keys do not."""
        for path in ("a", "b"):
            fill(self.fake, self.bucket, f"{path}/")
            await self.list(self.backend(path))
        self.assertEqual(
            self.calls, {"list_file_names": 2, "authorize_account": 1, "list_buckets": 1}
        )
        await self.list(self.backend("a", self.fake.account.add_key()))
        self.assertEqual(
            self.calls, {"list_file_names": 1, "authorize_account": 1, "list_buckets": 1}
        )

    async def test_paths(self) -> None:
        """A path is what restic makes of it; the root of the bucket is one too."""
        for written, base in (
            ("a b+%41/ü#?", "a b+%41/ü#?/"),
            ("/x//y/../z/", "x/z/"),
            ("", ""),
            ("/", ""),
            (".", ""),
        ):
            names = fill(self.fake, self.bucket, base)
            found = await self.list(self.backend(written))
            self.assertEqual(found.snapshots, names, written)
            content = await self.load(self.backend(written), "config")
            self.assertEqual(content, b"config", written)

    async def test_pages(self) -> None:
        """One call for each 1,000 names, also where a page ends just at the end."""
        names = fill(self.fake, self.bucket, "repo/", 2999)
        backend = self.backend()
        for eager, calls in ((False, 3), (True, 4)):
            self.fake.account.eager = eager
            self.fake.account.reset_counts()
            self.assertEqual((await self.list(backend)).snapshots, names)
            self.assertEqual(self.fake.account.calls["b2_list_file_names"], calls)
            self.assertEqual(self.fake.account.transactions["C"] - calls, 0 if eager else 2)

    async def test_foreign_names(self) -> None:
        """Names that are none of restic's, hidden files and other versions do not count."""
        names = fill(self.fake, self.bucket, "repo/")
        put, bucket = self.fake.account.put, self.bucket
        for path in (
            *(f"repo/snapshots/{one}" for one in ("x", name(7)[:-1], name(7).upper())),
            f"repo/snapshots/sub/{name(7)}",
            f"repo/snapshots2/{name(7)}",
            f"repo/snapshots/{name(7)} ",
            f"repo/keyset/{name(7)}",
            f"repo/keys/{name(7)}.tmp",
            f"repository/snapshots/{name(7)}",
            f"snapshots/{name(7)}",
        ):
            put(bucket, path)
        put(bucket, f"repo/snapshots/{name(0)}", b"newer")
        put(bucket, f"repo/snapshots/{name(8)}")
        self.fake.account.hide(bucket, f"repo/snapshots/{name(8)}")
        listing = await self.list(self.backend())
        self.assertEqual(listing.snapshots, names)
        self.assertEqual((listing.locks, listing.keys), (frozenset(), {name(-1)}))

    async def test_lock_times(self) -> None:
        """The locks' times are those of their upload."""
        fill(self.fake, self.bucket, "repo/", locks=3)
        found = await self.list(self.backend())
        times = [
            versions[0].timestamp / 1000
            for path, versions in self.bucket.versions.items()
            if path.startswith("repo/locks/")
        ]
        self.assertEqual(found.lock_times, tuple(sorted(times)))

    async def test_key_times(self) -> None:
        """The keys' times are those of their upload, by name."""
        fill(self.fake, self.bucket, "repo/")
        [version] = self.bucket.versions[f"repo/keys/{name(-1)}"]
        listing = await self.list(self.backend())
        self.assertEqual(listing.key_times, {name(-1): version.timestamp / 1000})

    async def test_stored_times(self) -> None:
        """The snapshots' times are those of their upload."""
        fill(self.fake, self.bucket, "repo/", 2)
        [version] = self.bucket.versions[f"repo/snapshots/{name(1)}"]
        listing = await self.list(self.backend())
        assert listing.stored_times is not None
        found = await listing.stored_times([name(1), name(7)])
        self.assertEqual(found, {name(1): version.timestamp / 1000})

    async def test_foreign_folders_cost_nothing(self) -> None:
        """What lies before, between and after the folders is not listed page by page."""
        names = fill(self.fake, self.bucket, "", 3, locks=1)
        for number in range(3000):
            for folder in ("laptop", "media", "web", "archive"):
                self.fake.account.put(self.bucket, f"{folder}/data/{name(number)}")
        found = await self.list(self.backend(""))
        self.assertEqual((found.snapshots, found.locks), (names, {name(0)}))
        self.assertEqual(self.calls["list_file_names"], 3)

    async def test_blank_at_a_page_end(self) -> None:
        """Where to go on is passed as B2 gives it, with a blank at its end; no marker counts."""
        fill(self.fake, self.bucket, "repo/")
        following = f"repo/keys/{name(-1)} "
        page = {
            "files": [
                {"fileName": following.strip(), "action": "upload"},
                {"fileName": f"repo/snapshots/{name(9)}", "action": "hide"},
            ],
            "nextFileName": following,
        }
        self.answer("b2_list_file_names", page)
        self.assertEqual(len((await self.list(self.backend())).snapshots), 3)
        # The first call was answered by us.
        asked = self.fake.account.asked
        [arguments] = [given for name, given in asked if name == "b2_list_file_names"]
        self.assertEqual(arguments["startFileName"], following)

    def answer(self, call: str, value: Any, **how: Any) -> None:
        """Let the next call be answered with this."""
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.fake.fault(call, status=200, body=body, **how)

    async def test_nonsense(self) -> None:
        """Answers that make no sense are errors of their own."""
        fill(self.fake, self.bucket, "repo/")
        backend = self.backend()
        await self.list(backend)
        for value, reason in (
            (b"<html>", Reason.PARSE),
            (b"", Reason.PARSE),
            (b"[" * 100_000, Reason.PARSE),
            ([], Reason.PARSE),
            ({}, Reason.PARSE),
            ({"files": {}, "nextFileName": None}, Reason.PARSE),
            ({"files": [{}], "nextFileName": None}, Reason.PARSE),
            ({"files": [None], "nextFileName": None}, Reason.PARSE),
            ({"files": [], "nextFileName": 7}, Reason.PARSE),
            ({"files": [], "nextFileName": "repo/keys/"}, Reason.PROTOCOL),
            ({"files": [], "nextFileName": "repo/keys"}, Reason.PROTOCOL),
            ({"files": [], "nextFileName": ""}, Reason.PROTOCOL),
            ({"files": [], "nextFileName": None}, Reason.NOT_FOUND),
            (b"x" * (9 * 2**20), Reason.TOO_LARGE),
        ):
            self.answer("b2_list_file_names", value)
            await self.assert_fails(self.list(backend), reason)
        self.assertEqual(len((await self.list(backend)).snapshots), 3)

    async def test_too_many(self) -> None:
        """A listing without an end is given up."""
        self.patch(listing, "MOST_PAGES", 3)
        fill(self.fake, self.bucket, "repo/", 2999)
        await self.list(self.backend())
        fill(self.fake, self.bucket, "repo/", 3001)
        await self.assert_fails(self.list(self.backend()), Reason.TOO_LARGE, "3000 names")

    async def test_no_repository(self) -> None:
        """No repository, by one call; one with no snapshot is empty."""
        backend = self.backend()
        await self.assert_fails(self.list(backend), Reason.NOT_FOUND)
        self.assertEqual(self.calls["list_file_names"], 1)
        fill(self.fake, self.bucket, "repo/", 0)
        listing = await self.list(backend)
        self.assertEqual((listing.snapshots, listing.locks), (frozenset(), frozenset()))
        self.assertEqual((listing.keys, listing.lock_times), ({name(-1)}, ()))

    async def test_bucket(self) -> None:
        """A bucket that is not there; one that was made anew is found at the next listing."""
        await self.assert_fails(
            self.list(self.backend(bucket="other-bucket")), Reason.NOT_FOUND, "other-bucket"
        )
        fill(self.fake, self.bucket, "repo/")
        backend = self.backend()
        await self.list(backend)
        del self.fake.account.buckets[self.bucket.id]
        fill(self.fake, self.fake.account.add_bucket("some-bucket"), "repo/", 5)
        await self.assert_fails(self.list(backend), Reason.NOT_FOUND, "no such bucket")
        self.assertEqual(len((await self.list(backend)).snapshots), 5)

    async def test_tls(self) -> None:
        """Over TLS, with the CA of the config."""
        names = fill(self.fake, self.bucket, "repo/")
        url = self.fake.direct(tls=True)
        await self.assert_fails(self.list(self.backend(url=url)), Reason.TLS)
        self.assertEqual(self.calls, {})
        transport = Transport(ca_certificates=self.fake.authority.pem)
        backend = self.backend(url=url, transport=transport)
        self.assertEqual((await self.list(backend)).snapshots, names)
        self.assertEqual(await self.load(backend, "config"), b"config")


class MakeTests(B2Case):
    """`B2Backend.make`."""

    def test_refused(self) -> None:
        """A location that restic would not take, and one without a key, cannot be served."""
        for location in ("b2:bucket-x/path", "b2:short:x", "b2:", "b2:some_bucket:path"):
            self.assertRaises(ValueError, parse_b2, location)
        settings = B2Settings(place=parse_b2("b2:some-bucket:x"))
        repository = Repository(1, "", "b2", Secret("b2:some-bucket:x"), Secret("x"), settings)
        error = self.assertRaises(ValueError, B2Backend.make, repository, self.tools)
        self.assertIn("b2_account_id", str(error))

    def test_repr(self) -> None:
        """Neither the backend nor its session shows the key."""
        backend = self.backend()
        self.assertNotIn(self.key.secret, repr(backend) + repr(backend.session))


class LoadTests(B2Case):
    """`B2Backend.load`."""

    def setUp(self) -> None:
        super().setUp()
        fill(self.fake, self.bucket, "repo/")

    async def test_loaded(self) -> None:
        """A file arrives whole, for one download, which is not billed as a listing."""
        backend = self.backend()
        path = f"keys/{name(-1)}"
        self.assertEqual(await self.load(backend, path), b"-1")
        self.assertEqual(await self.load(backend, "config"), b"config")
        self.assertEqual(
            self.fake.account.calls, {"b2_authorize_account": 1, "b2_download_file_by_name": 2}
        )
        self.assertEqual(self.fake.account.transactions, {"C": 1, "B": 2})
        self.assertEqual(self.meter.requests, {"auth": 1, "load": 2})
        self.assertEqual(self.meter.received_bytes["load"], 8)

    async def test_altered(self) -> None:
        """A content with another SHA-1 or SHA-256, or one that is cut short, is an error."""
        backend = self.backend()
        self.fake.fault("b2_download_file_by_name", garble=True)
        await self.assert_fails(self.load(backend, "config"), Reason.PROTOCOL, "SHA-1")
        self.fake.fault("b2_download_file_by_name", cut=True, times=3)
        await self.assert_fails(self.load(backend, "config"), Reason.PROTOCOL, "truncated response")
        path = f"repo/snapshots/{name(7)}"
        for said in ("", None, "unverified:" + "0" * 40):
            self.fake.account.put(self.bucket, path, b"not this", said)
            await self.assert_fails(self.load(backend, path[5:]), Reason.PROTOCOL, "SHA-")
        for said in ("0" * 40, "unverified:" + "0" * 40):
            self.fake.account.put(self.bucket, "repo/config", b"config", said)
            await self.assert_fails(self.load(backend, "config"), Reason.PROTOCOL, "SHA-1")

    async def test_without_sha1(self) -> None:
        """B2 knows no SHA-1 of large files; the SHA-256 in their name is looked at anyway."""
        backend = self.backend()
        for said in ("none", None, "unverified:"):
            self.fake.account.put(self.bucket, f"repo/snapshots/{name(7)}", b"7", said)
            self.assertEqual(await self.load(backend, f"snapshots/{name(7)}"), b"7")

    async def test_refused(self) -> None:
        """A file that is not there or too large, and a key that may not read."""
        backend = self.backend()
        await self.assert_fails(self.load(backend, "keys/x"), Reason.NOT_FOUND)
        self.fake.account.hide(self.bucket, "repo/config")
        await self.assert_fails(self.load(backend, "config"), Reason.NOT_FOUND)
        self.fake.account.put(self.bucket, "repo/config", b"c" * 1001)
        await self.assert_fails(self.load(backend, "config"), Reason.TOO_LARGE)
        self.assertEqual(len(await self.load(backend, "config", 1001)), 1001)
        blind = self.backend(key=self.fake.account.add_key(["listBuckets", "listFiles"]))
        await self.list(blind)
        await self.assert_fails(self.load(blind, "config"), Reason.AUTH, "readFiles")

    async def test_expired(self) -> None:
        """A download renews an expired authorization too."""
        backend = self.backend()
        await self.load(backend, "config")
        self.fake.account.expire_tokens()
        self.assertEqual(await self.load(backend, "config"), b"config")
        self.assertEqual(self.calls, {"authorize_account": 2, "download_file_by_name": 3})
