"""The fake B2 is right: others who know B2 find in it what they expect."""

import http.client
import json
import logging
from typing import Any
from urllib.parse import urlsplit

from b2sdk.v3 import B2Api, InMemoryAccountInfo
from b2sdk.v3.exception import (
    BucketIdNotFound,
    FileNotPresent,
    InvalidAuthToken,
    NonExistentBucket,
    TransactionCapExceeded,
    Unauthorized,
)
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.b2_case import B2Case, name
from tests.doubles.fake_b2 import FakeB2
from tests.doubles.fake_b2_objects import READ_ONLY, Key, RefusedError
from tests.doubles.native_repositories import cheap_key, name_of
from tests.doubles.programs import Folder
from tests.doubles.servers import EXAMPLE_PASSWORD, restic

VERSIONS = ("restic-0.14", "restic-0.18", "restic-0.19")


def sdk(url: str, key: Key) -> B2Api:
    """Backblaze's own client, authorized."""
    logging.getLogger("b2sdk").setLevel(logging.CRITICAL)
    api = B2Api(InMemoryAccountInfo())
    api.authorize_account(key.id, key.secret, url)
    return api


class ListedAlikeTests(B2Case):
    """A repository that the real restic has made, seen by restic, by b2sdk and by us."""

    def cheapen(self, path: str) -> None:
        """Have the repository a key that is cheap to open in place of restic's own."""
        [own] = [one for one in self.bucket.names if one.startswith(f"{path}/keys/")]
        version = self.bucket.newest(own)
        assert version is not None
        cheap = cheap_key(own.rpartition("/")[2], version.content, EXAMPLE_PASSWORD)
        self.fake.account.remove(self.bucket, own)
        self.fake.account.put(self.bucket, f"{path}/keys/{name_of(cheap)}", cheap)

    async def test_alike(self) -> None:
        """All three see the same snapshots, keys and locks, and load the same bytes."""
        folder = Folder()
        self.addCleanup(folder.close)
        ca = folder.path / "ca.pem"
        ca.write_bytes(self.fake.authority.pem)
        data = folder.write("file", "content")
        proxy = self.fake.named()
        for version in VERSIONS:
            path = f"some where+/{version}"
            key = self.fake.account.add_key(buckets=[self.bucket], prefix="some where+/")
            options: dict[str, Any] = {
                "program": version,
                "environment": self.fake.environment(key, proxy),
            }
            location, trust = f"b2:some-bucket:{path}", ("--cacert", str(ca))
            restic(location, *trust, "init", **options)
            self.cheapen(path)
            for host in ("one", "two", "three"):
                restic(location, *trust, "backup", "--host", host, str(data), **options)
            restic(location, *trust, "forget", "--host", "two", "--keep-last", "1", **options)
            restic(location, *trust, "forget", "latest", **options)
            listed = json.loads(restic(location, *trust, "snapshots", "--json", **options))
            self.fake.account.put(self.bucket, f"{path}/locks/{name(1)}", b"lock")
            backend = self.backend(path, key)
            ours = await self.list(backend)
            self.assertEqual(ours.snapshots, {one["id"] for one in listed})
            self.assertEqual(len(ours.snapshots), 2)
            bucket = sdk(self.url, key).get_bucket_by_name("some-bucket")
            theirs = [
                version.file_name.removeprefix(f"{path}/")
                for version, _ in bucket.ls(path, recursive=True)
            ]
            assert ours.keys is not None
            self.assertEqual(
                sorted(one for one in theirs if not one.startswith(("config", "data", "index"))),
                sorted(
                    [
                        *(f"keys/{one}" for one in ours.keys),
                        f"locks/{name(1)}",
                        *(f"snapshots/{one}" for one in ours.snapshots),
                    ]
                ),
            )
            self.assertEqual(len(ours.locks or ()), 1)
            for one in theirs:
                if one.startswith(("keys/", "snapshots/", "config")):
                    downloaded = bucket.download_file_by_name(f"{path}/{one}").response.content
                    self.assertEqual(await self.load(backend, one, 10_000), downloaded)


class FakeTests(SynchronousTestCase):
    """The fake, asked by Backblaze's own client and by hand."""

    def setUp(self) -> None:
        self.fake = FakeB2()
        self.addCleanup(self.fake.close)
        self.bucket = self.fake.account.add_bucket("some-bucket")
        self.key = self.fake.account.add_key()
        self.url = self.fake.direct()

    def names(self, api: B2Api, path: str = "", **options: Any) -> list[str]:
        """What b2sdk lists."""
        bucket = api.get_bucket_by_name("some-bucket")
        return [folder or version.file_name for version, folder in bucket.ls(path, **options)]

    def test_files(self) -> None:
        """Uploads, versions, hide markers and deletions are B2's."""
        api = sdk(self.url, self.key)
        bucket = api.get_bucket_by_name("some-bucket")
        odd = "a b+c/ü%41?#.txt"
        first = bucket.upload_bytes(b"first", odd)
        second = bucket.upload_bytes(b"second", odd)
        bucket.upload_bytes(b"other", "b")
        self.assertEqual(self.names(api), ["a b+c/", "b"])
        self.assertEqual(self.names(api, recursive=True), [odd, "b"])
        self.assertEqual(bucket.download_file_by_name(odd).response.content, b"second")
        self.assertEqual(bucket.download_file_by_id(first.id_).response.content, b"first")
        self.assertEqual(bucket.download_file_by_name(odd, range_=(1, 2)).response.content, b"ec")
        marker = bucket.hide_file(odd)
        self.assertEqual(self.names(api, recursive=True), ["b"])
        self.assertEqual(len(self.names(api, recursive=True, latest_only=False)), 4)
        self.assertRaises(FileNotPresent, bucket.download_file_by_name, odd)
        api.delete_file_version(marker.id_, odd)
        api.delete_file_version(second.id_, odd)
        self.assertEqual(bucket.download_file_by_name(odd).response.content, b"first")
        api.delete_file_version(first.id_, odd)
        self.assertEqual(self.names(api, recursive=True), ["b"])

    def test_pages(self) -> None:
        """Listings come in pages, in the order of UTF-8, and are billed by the thousand."""
        made = [f"{number:04}" for number in range(2500)] + ["~", "ü", "ﬀ", "😀"]
        for one in reversed(made):
            self.fake.account.put(self.bucket, one)
        for eager in (False, True):
            self.fake.account.eager = eager
            api = sdk(self.url, self.key)
            self.fake.account.reset_counts()
            self.assertEqual(self.names(api, recursive=True, fetch_count=1000), made)
            self.assertEqual(self.fake.account.calls["b2_list_file_names"], 3)
            self.fake.account.reset_counts()
            self.assertEqual(self.names(api, recursive=True, fetch_count=10_000), made)
            self.assertEqual(self.fake.account.calls["b2_list_file_names"], 1)
            self.assertEqual(self.fake.account.transactions["C"], 3)

    def test_keys(self) -> None:
        """Restrictions hold: bucket, several buckets, prefix, capabilities."""
        other = self.fake.account.add_bucket("other-bucket")
        self.fake.account.put(self.bucket, "in/file", b"x")
        self.fake.account.put(self.bucket, "out/file", b"x")
        two = sdk(self.url, self.fake.account.add_key(READ_ONLY, [self.bucket, other]))
        self.assertEqual(two.get_bucket_by_name("other-bucket").id_, other.id)
        self.assertEqual(two.get_bucket_by_name("some-bucket").id_, self.bucket.id)
        third = self.fake.account.add_bucket("third-bucket")
        raw, info = two.session.raw_api, two.account_info
        for arguments in ({"bucket_id": third.id}, {"bucket_name": "third-bucket"}, {}):
            self.assertRaises(
                Unauthorized,
                raw.list_buckets,
                info.get_api_url(),
                info.get_account_auth_token(),
                info.get_account_id(),
                **arguments,
            )
        self.assertRaises(Unauthorized, two.session.list_file_names, third.id)
        self.assertRaises(Unauthorized, two.get_bucket_by_name("some-bucket").hide_file, "in/file")
        inside = sdk(self.url, self.fake.account.add_key(READ_ONLY, None, "in/"))
        self.assertEqual(self.names(inside, "in/", recursive=True), ["in/file"])
        for prefix in (None, "", "in", "out/"):
            self.assertRaises(
                Unauthorized, inside.session.list_file_names, self.bucket.id, prefix=prefix
            )
        bucket = inside.get_bucket_by_name("some-bucket")
        self.assertRaises(Unauthorized, bucket.download_file_by_name, "out/file")
        self.assertRaises(NonExistentBucket, inside.get_bucket_by_name, "no-such-bucket")
        del self.fake.account.buckets[self.bucket.id]
        self.assertRaises(
            BucketIdNotFound, inside.session.list_file_names, self.bucket.id, prefix="in/"
        )
        self.assertRaises(Unauthorized, sdk, self.url, Key(self.key.id, "wrong"))
        self.assertRaises(Unauthorized, sdk, self.url, Key("wrong", self.key.secret))

    def test_tokens(self) -> None:
        """b2sdk renews a token that has expired, and knows a cap."""
        api = sdk(self.url, self.key)
        self.fake.account.expire_tokens()
        self.fake.account.reset_counts()
        self.assertEqual(self.names(api), [])
        self.assertEqual(self.fake.account.calls["b2_authorize_account"], 1)
        self.fake.fault("b2_list_file_names", status=401, code="expired_auth_token", times=2)
        self.assertRaises(InvalidAuthToken, self.names, api)
        self.fake.fault("b2_list_file_names", status=403, code="transaction_cap_exceeded")
        self.assertRaises(TransactionCapExceeded, self.names, api)

    def ask(
        self, url: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """A request by hand: status and JSON of the answer."""
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
        try:
            if body is None:
                connection.request("GET", path, headers=headers or {})
            else:
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                connection.request("POST", path, data, headers or {})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def test_strict(self) -> None:
        """Wrong hosts, tokens, fields and hashes are refused."""
        info = sdk(self.url, self.key).account_info
        api, download = info.get_api_url(), info.get_download_url()
        self.assertEqual(len({self.url, api, download}), 3)
        token = {"Authorization": info.get_account_auth_token()}
        path, body = "/b2api/v4/b2_list_file_names", {"bucketId": self.bucket.id}
        self.assertEqual(self.ask(api, path, body, token)[0], 200)
        for url in (self.url, download):
            self.assertEqual(self.ask(url, path, body, token)[0], 421)
        self.assertEqual(self.fake.misdirected, {"b2_list_file_names": 2})
        self.assertEqual(self.ask(api, path, body, {"Host": "elsewhere", **token})[0], 421)
        for headers, code in (
            ({}, "bad_auth_token"),
            ({"Authorization": "Bearer " + token["Authorization"]}, "bad_auth_token"),
        ):
            status, answer = self.ask(api, path, body, headers)
            self.assertEqual((status, answer["code"]), (401, code))
        mistakes: list[Any] = [
            b"{",
            [],
            {},
            {**body, "fileName": "x"},
            {**body, "maxFileCount": 10_001},
            {**body, "maxFileCount": -1},
        ]
        for wrong in mistakes:
            self.assertEqual(self.ask(api, path, wrong, token)[0], 400)
        self.assertEqual(self.ask(api, "/b2api/v4/b2_nonsense", body, token)[0], 400)
        self.assertEqual(self.ask(download, "/file/some-bucket/x", None, token)[0], 404)
        self.assertEqual(self.ask(download, "/file/some-bucket/x")[0], 401)
        _, target = self.ask(api, "/b2api/v4/b2_get_upload_url", body, token)
        headers = {
            "Authorization": target["authorizationToken"],
            "X-Bz-File-Name": "x",
            "X-Bz-Content-Sha1": "0" * 40,
        }
        upload = urlsplit(target["uploadUrl"]).path
        for url in (target["uploadUrl"], api):
            status, _ = self.ask(url, upload, b"content", headers)
            self.assertEqual(status, 400 if url != api else 421)
        self.assertEqual(self.bucket.names, [])

    def test_versions_of_the_api(self) -> None:
        """Each version answers in its own form; keys of several buckets want the fourth."""
        other = self.fake.account.add_bucket("other-bucket")
        one = self.fake.account.add_key(READ_ONLY, [other], "x/")
        urls = {"api": "http://a", "download": "http://d"}
        authorize = self.fake.account.authorize
        for version in (1, 2, 3):
            answer = authorize(version, one.id, one.secret, urls)
            storage = answer["apiInfo"]["storageApi"] if version == 3 else answer
            allowed = storage if version == 3 else answer["allowed"]
            self.assertEqual(storage["apiUrl"], "http://a")
            self.assertEqual((allowed["bucketId"], allowed["namePrefix"]), (other.id, "x/"))
        storage = authorize(4, one.id, one.secret, urls)["apiInfo"]["storageApi"]
        self.assertEqual(storage["allowed"]["buckets"], [{"id": other.id, "name": other.name}])
        both = self.fake.account.add_key(READ_ONLY, [other, self.bucket])
        storage = authorize(4, both.id, both.secret, urls)["apiInfo"]["storageApi"]
        self.assertEqual(len(storage["allowed"]["buckets"]), 2)
        error = self.assertRaises(RefusedError, authorize, 3, both.id, both.secret, urls)
        self.assertEqual((error.status, error.code), (401, "unsupported"))
