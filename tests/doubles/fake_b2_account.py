"""
An account at Backblaze B2 as it looks to callers of the native API, versions 1 to 4.

Strict: what B2 would refuse is refused, with B2's status and code. `FakeB2` in
`tests.doubles.fake_b2` is the server around it.
"""

import hashlib
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from typing import Any

from attrs import Factory, define

from tests.doubles.fake_b2_contents import Contents
from tests.doubles.fake_b2_objects import (
    ACCOUNT_ID,
    Key,
    RefusedError,
    Token,
    Version,
    shown_bucket,
    shown_version,
)

# What Backblaze bills each call as.
CLASSES = {
    **dict.fromkeys(
        ("b2_get_upload_url", "b2_upload_file", "b2_hide_file", "b2_delete_file_version"), "A"
    ),
    **dict.fromkeys(
        ("b2_download_file_by_name", "b2_download_file_by_id", "b2_get_file_info"), "B"
    ),
    **dict.fromkeys(
        (
            *("b2_authorize_account", "b2_list_buckets", "b2_create_bucket"),
            *("b2_list_file_names", "b2_list_file_versions"),
        ),
        "C",
    ),
}

# The fields that each call must and may have.
_FIELDS: dict[str, tuple[set[str], set[str]]] = {
    "b2_list_buckets": ({"accountId"}, {"bucketId", "bucketName", "bucketTypes"}),
    "b2_create_bucket": (
        {"accountId", "bucketName", "bucketType"},
        {"bucketInfo", "lifecycleRules", "corsRules"},
    ),
    "b2_list_file_names": ({"bucketId"}, {"startFileName", "maxFileCount", "prefix", "delimiter"}),
    "b2_list_file_versions": (
        {"bucketId"},
        {"startFileName", "startFileId", "maxFileCount", "prefix", "delimiter"},
    ),
    "b2_get_upload_url": ({"bucketId"}, set()),
    "b2_hide_file": ({"bucketId", "fileName"}, set()),
    "b2_get_file_info": ({"fileId"}, set()),
    "b2_delete_file_version": ({"fileId", "fileName"}, {"bypassGovernance"}),
}


@define
class Account(Contents):
    """
    Its contents, the calls of the API, and what callers were billed.

    ``calls`` counts by name, ``asked`` has names and arguments, ``transactions`` counts by class
    (A, B, C). With ``eager`` a full page is followed by another, empty if need be, even where
    nothing is left.
    """

    upload_tokens: dict[str, tuple[str, Key]] = Factory(dict)
    calls: Counter[str] = Factory(Counter)
    asked: list[tuple[str, Mapping[str, Any]]] = Factory(list)
    transactions: Counter[str] = Factory(Counter)
    eager: bool = False

    def reset_counts(self) -> None:
        """Count from zero."""
        self.calls.clear()
        self.transactions.clear()

    def count(self, call: str, names: int = 0) -> None:
        """Bill a call that returned so many names."""
        self.calls[call] += 1
        self.transactions[CLASSES[call]] += max(1, -(-names // 1000))

    def authorize(self, version: int, key_id: str, secret: str, urls: Mapping[str, str]) -> Any:
        """b2_authorize_account; ``urls`` are by role: api, download."""
        self.count("b2_authorize_account")
        key = self.keys.get(key_id)
        if key is None or key.secret != secret:
            raise RefusedError(401, "unauthorized", "invalid applicationKeyId or secret")
        ids = key.bucket_ids
        if version < 4 and ids is not None and len(ids) != 1:
            raise RefusedError(401, "unsupported", "a multi-bucket key needs version 4")
        token = f"4_{key.id}_{self.new_id('token')}_acct"
        self.tokens[token] = Token(key)
        buckets = None
        if ids is not None:
            named = {number: self.buckets.get(number) for number in ids}
            buckets = [
                {"id": number, "name": bucket.name if bucket else None}
                for number, bucket in named.items()
            ]
        capabilities, prefix = list(key.capabilities), key.prefix or None
        sizes = {"recommendedPartSize": 100_000_000, "absoluteMinimumPartSize": 5_000_000}
        addresses = {
            "apiUrl": urls["api"],
            "downloadUrl": urls["download"],
            "s3ApiUrl": "https://s3.example.com",
        }
        head = {"accountId": ACCOUNT_ID, "authorizationToken": token}
        if version >= 4:
            allowed = {"buckets": buckets, "capabilities": capabilities, "namePrefix": prefix}
            storage = {**sizes, **addresses, "allowed": allowed, "infoType": "storageApi"}
            return {
                **head,
                "applicationKeyExpirationTimestamp": None,
                "apiInfo": {"storageApi": storage},
            }
        only = buckets[0] if buckets else {"id": None, "name": None}
        restriction = {
            "bucketId": only["id"],
            "bucketName": only["name"],
            "capabilities": capabilities,
            "namePrefix": prefix,
        }
        if version == 3:
            storage = {**sizes, **addresses, **restriction, "infoType": "storageApi"}
            return {
                **head,
                "applicationKeyExpirationTimestamp": None,
                "apiInfo": {"storageApi": storage},
            }
        return {**head, **sizes, **addresses, "allowed": restriction}

    def call(self, name: str, token: str | None, arguments: Any, upload_url: str) -> Any:
        """Any call with JSON arguments."""
        if name not in _FIELDS:
            raise RefusedError(400, "bad_request", f"no such call: {name}")
        required, optional = _FIELDS[name]
        answer: Any = None
        try:
            key = self.key_of(token)
            if not isinstance(arguments, dict):
                raise RefusedError(400, "bad_request", "not an object")
            self.asked.append((name, arguments))
            given = {field for field, value in arguments.items() if value is not None}
            if required - given or set(arguments) - required - optional:
                wrong = sorted((required - given) | (set(arguments) - required - optional))
                raise RefusedError(400, "bad_request", f"missing or unknown field: {wrong}")
            if arguments.get("accountId", ACCOUNT_ID) != ACCOUNT_ID:
                raise RefusedError(401, "unauthorized", "another account")
            if name == "b2_get_upload_url":
                answer = self._get_upload_url(key, arguments, upload_url)
            else:
                answer = getattr(self, f"_{name.removeprefix('b2_')}")(key, arguments)
        finally:
            self.count(name, len(answer["files"]) if answer and "files" in answer else 0)
        return answer

    def download(self, bucket_name: str, name: str, token: str | None) -> Version:
        """b2_download_file_by_name."""
        self.count("b2_download_file_by_name")
        key = self.key_of(token)
        bucket = next((one for one in self.buckets.values() if one.name == bucket_name), None)
        if bucket is None:
            raise RefusedError(404, "not_found", "no such bucket")
        self.check(key, "readFiles", bucket.id, name)
        version = bucket.newest(name)
        if version is None:
            raise RefusedError(404, "not_found", "file not present")
        return version

    def download_by_id(self, file_id: str, token: str | None) -> Version:
        """b2_download_file_by_id."""
        self.count("b2_download_file_by_id")
        key = self.key_of(token)
        bucket, version = self.version(file_id)
        self.check(key, "readFiles", bucket.id, version.name)
        return version

    def upload(self, token: str | None, name: str, sha1: str, content: bytes) -> Any:
        """b2_upload_file."""
        self.count("b2_upload_file")
        bucket_id, key = self.upload_tokens.get(token or "", ("", None))
        if key is None:
            raise RefusedError(401, "bad_auth_token", "not an upload token")
        self.check(key, "writeFiles", bucket_id, name)
        if sha1 == "hex_digits_at_end":
            content, sha1 = content[:-40], content[-40:].decode("ascii", "replace")
        if hashlib.sha1(content).hexdigest() != sha1:
            raise RefusedError(400, "bad_request", "Sha1 did not match data received")
        if not name or len(name.encode()) > 1024 or name.startswith("/") or "//" in name:
            raise RefusedError(400, "bad_request", "bad file name")
        return shown_version(
            self.add(self.buckets[bucket_id], name, "upload", content, sha1), bucket_id
        )

    def _list_buckets(self, key: Key, arguments: Mapping[str, Any]) -> Any:
        if "listBuckets" not in key.capabilities:
            raise RefusedError(401, "unauthorized", "not listBuckets")
        number, name = arguments.get("bucketId"), arguments.get("bucketName")
        found = [
            bucket
            for bucket in self.buckets.values()
            if number in (None, bucket.id) and name in (None, bucket.name)
        ]
        allowed = key.bucket_ids
        if allowed is not None and (
            (number is None and name is None) or any(one.id not in allowed for one in found)
        ):
            raise RefusedError(401, "unauthorized", "restricted to buckets")
        return {"buckets": [shown_bucket(one) for one in sorted(found, key=lambda one: one.name)]}

    def _create_bucket(self, key: Key, arguments: Mapping[str, Any]) -> Any:
        if "writeBuckets" not in key.capabilities or key.bucket_ids is not None:
            raise RefusedError(401, "unauthorized", "not writeBuckets")
        if any(one.name == arguments["bucketName"] for one in self.buckets.values()):
            raise RefusedError(400, "duplicate_bucket_name")
        return shown_bucket(self.add_bucket(arguments["bucketName"]))

    def _list_file_names(self, key: Key, arguments: Mapping[str, Any]) -> Any:
        files, following = self._page(key, arguments, newest_only=True)
        return {"files": files, "nextFileName": following}

    def _list_file_versions(self, key: Key, arguments: Mapping[str, Any]) -> Any:
        files, following = self._page(key, arguments, newest_only=False)
        return {"files": files, "nextFileName": following, "nextFileId": None}

    def _page(
        self, key: Key, arguments: Mapping[str, Any], newest_only: bool
    ) -> tuple[list[Any], str | None]:
        prefix = arguments.get("prefix") or ""
        bucket = self.check(key, "listFiles", arguments["bucketId"], prefix)
        most = arguments.get("maxFileCount") or 100
        if not isinstance(most, int) or not 0 < most <= 10_000:
            raise RefusedError(400, "out_of_range", "maxFileCount")
        delimiter = arguments.get("delimiter")
        start = max(prefix, arguments.get("startFileName") or "")
        files: list[Any] = []
        folder = None
        for name in bucket.names[bisect_left(bucket.names, start) :]:
            if not name.startswith(prefix):
                break
            if folder is not None and name.startswith(folder):
                continue
            newest = bucket.newest(name)
            shown = bucket.versions[name]
            if newest_only:
                shown = [] if newest is None else [newest]
            if not shown:
                continue
            if len(files) >= most:
                return files, name
            rest = name[len(prefix) :]
            if delimiter and delimiter in rest:
                folder = prefix + rest[: rest.index(delimiter) + len(delimiter)]
                files.append({"fileName": folder, "action": "folder", "fileId": None})
            else:
                files.extend(shown_version(version, bucket.id) for version in shown)
        if self.eager and len(files) >= most:
            return files, files[-1]["fileName"] + " "
        return files, None

    def _get_upload_url(self, key: Key, arguments: Mapping[str, Any], upload_url: str) -> Any:
        bucket_id = arguments["bucketId"]
        self.check(key, "writeFiles", bucket_id, key.prefix)
        token = f"4_{key.id}_{self.new_id('token')}_upld"
        self.upload_tokens[token] = (bucket_id, key)
        url = f"{upload_url}/b2api/v4/b2_upload_file/{bucket_id}/c001"
        return {"bucketId": bucket_id, "uploadUrl": url, "authorizationToken": token}

    def _hide_file(self, key: Key, arguments: Mapping[str, Any]) -> Any:
        name = arguments["fileName"]
        bucket = self.check(key, "writeFiles", arguments["bucketId"], name)
        if name not in bucket.versions:
            raise RefusedError(400, "no_such_file", "File not present")
        if bucket.newest(name) is None:
            raise RefusedError(400, "already_hidden")
        return shown_version(self.add(bucket, name, "hide", b"", None), bucket.id)

    def _get_file_info(self, key: Key, arguments: Mapping[str, Any]) -> Any:
        bucket, version = self.version(arguments["fileId"])
        self.check(key, "readFiles", bucket.id, version.name)
        return shown_version(version, bucket.id)

    def _delete_file_version(self, key: Key, arguments: Mapping[str, Any]) -> Any:
        try:
            bucket, version = self.version(arguments["fileId"])
        except RefusedError:
            raise RefusedError(400, "file_not_present") from None
        if version.name != arguments["fileName"]:
            raise RefusedError(400, "file_not_present")
        self.check(key, "deleteFiles", bucket.id, version.name)
        bucket.versions[version.name].remove(version)
        if not bucket.versions[version.name]:
            self.remove(bucket, version.name)
        return {"fileId": version.id, "fileName": version.name}
