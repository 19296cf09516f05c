"""What an account at a fake Backblaze B2 holds, and what tests do to it."""

import hashlib
import threading
import time
from bisect import insort
from collections.abc import Iterable

from attrs import Factory, define

from tests.doubles.fake_b2_objects import (
    ALL_CAPABILITIES,
    Bucket,
    Key,
    RefusedError,
    Token,
    Version,
)


@define
class Contents:
    """Buckets with their files, keys, and the tokens that keys were exchanged for."""

    buckets: dict[str, Bucket] = Factory(dict)
    keys: dict[str, Key] = Factory(dict)
    tokens: dict[str, Token] = Factory(dict)
    lock: threading.RLock = Factory(threading.RLock)
    _made: int = 0

    def add_bucket(self, name: str) -> Bucket:
        """A new, empty, private bucket."""
        bucket = Bucket(self.new_id("bucket"), name)
        self.buckets[bucket.id] = bucket
        return bucket

    def add_key(
        self,
        capabilities: Iterable[str] = ALL_CAPABILITIES,
        buckets: Iterable[Bucket] | None = None,
        prefix: str = "",
    ) -> Key:
        """A new key, restricted as told."""
        number = self.new_id("key")
        ids = None if buckets is None else tuple(bucket.id for bucket in buckets)
        # With characters that change where they are encoded carelessly.
        key = Key(number, f"K{number}/+secret=", tuple(capabilities), ids, prefix)
        self.keys[key.id] = key
        return key

    def put(
        self, bucket: Bucket, name: str, content: bytes = b"", sha1: str | None = ""
    ) -> Version:
        """A new version of a file; ``sha1`` is what B2 says of it (by default the truth)."""
        said = hashlib.sha1(content).hexdigest() if sha1 == "" else sha1
        with self.lock:
            return self.add(bucket, name, "upload", content, said)

    def remove(self, bucket: Bucket, name: str) -> None:
        """Remove all versions of a file."""
        with self.lock:
            del bucket.versions[name]
            bucket.names.remove(name)

    def hide(self, bucket: Bucket, name: str) -> Version:
        """Hide a file."""
        with self.lock:
            return self.add(bucket, name, "hide", b"", None)

    def expire_tokens(self) -> None:
        """A day goes by for all tokens."""
        for token in self.tokens.values():
            token.expired = True

    def key_of(self, token: str | None) -> Key:
        """Whose token this is."""
        known = self.tokens.get(token or "")
        if known is None:
            raise RefusedError(401, "bad_auth_token", "the token is not valid")
        if known.expired:
            raise RefusedError(401, "expired_auth_token", "the token has expired")
        return known.key

    def new_id(self, kind: str) -> str:
        """A new id of a bucket, key, token or file."""
        with self.lock:
            self._made += 1
            return f"{kind}{self._made:012x}"

    def add(
        self, bucket: Bucket, name: str, action: str, content: bytes, sha1: str | None
    ) -> Version:
        """A new version of a file."""
        version = Version(self.new_id("file"), name, action, content, sha1, int(time.time() * 1000))
        if name not in bucket.versions:
            bucket.versions[name] = []
            insort(bucket.names, name)
        bucket.versions[name].insert(0, version)
        return version

    def check(self, key: Key, capability: str, bucket_id: str, name: str = "") -> Bucket:
        """The bucket, if the key may do that with the file there."""
        if capability not in key.capabilities:
            raise RefusedError(401, "unauthorized", f"not {capability}")
        if key.bucket_ids is not None and bucket_id not in key.bucket_ids:
            raise RefusedError(401, "unauthorized", "another bucket")
        if not name.startswith(key.prefix):
            raise RefusedError(401, "unauthorized", "another prefix")
        if bucket_id not in self.buckets:
            raise RefusedError(400, "bad_bucket_id", "no such bucket")
        return self.buckets[bucket_id]

    def version(self, file_id: str) -> tuple[Bucket, Version]:
        """A version of any file, and its bucket."""
        for bucket in self.buckets.values():
            for versions in bucket.versions.values():
                for version in versions:
                    if version.id == file_id:
                        return bucket, version
        raise RefusedError(404, "not_found", "no such file")
