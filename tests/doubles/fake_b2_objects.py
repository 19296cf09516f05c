"""What an account at Backblaze B2 has, and how the API shows it."""

from typing import Any

from attrs import Factory, define, field, frozen

ALL_CAPABILITIES = (
    *("listBuckets", "readBuckets", "writeBuckets", "deleteBuckets"),
    *("listFiles", "readFiles", "writeFiles", "deleteFiles"),
)
READ_ONLY = ("listBuckets", "listFiles", "readFiles")

ACCOUNT_ID = "0123456789ab"


class RefusedError(Exception):
    """B2 says no."""

    def __init__(self, status: int, code: str, message: str = "no") -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message = status, code, message


@frozen
class Key:
    """An application key; ``bucket_ids`` is ``None`` and ``prefix`` is empty for no restriction."""

    id: str
    secret: str
    capabilities: tuple[str, ...] = ALL_CAPABILITIES
    bucket_ids: tuple[str, ...] | None = None
    prefix: str = ""


@frozen
class Version:
    """One version of a file, or the marker that hides it."""

    id: str
    name: str
    action: str
    content: bytes = field(repr=False)
    sha1: str | None
    timestamp: int


@define
class Bucket:
    """A bucket: the versions of each name, newest first; ``names`` is sorted as B2 sorts."""

    id: str
    name: str
    versions: dict[str, list[Version]] = Factory(dict)
    names: list[str] = Factory(list)

    def newest(self, name: str) -> Version | None:
        """What a download by name gives."""
        versions = self.versions.get(name)
        return versions[0] if versions and versions[0].action == "upload" else None


@define
class Token:
    """What an authorization gave."""

    key: Key
    expired: bool = False


def shown_bucket(bucket: Bucket) -> Any:
    """A bucket as the API shows it."""
    return {
        "accountId": ACCOUNT_ID,
        "bucketId": bucket.id,
        "bucketName": bucket.name,
        "bucketType": "allPrivate",
        "bucketInfo": {},
        "corsRules": [],
        "lifecycleRules": [],
        "options": [],
        "revision": 1,
        "defaultServerSideEncryption": {"isClientAuthorizedToRead": False, "value": None},
        "fileLockConfiguration": {"isClientAuthorizedToRead": False, "value": None},
        "replicationConfiguration": {"isClientAuthorizedToRead": False, "value": None},
    }


def shown_version(version: Version, bucket_id: str) -> Any:
    """A version of a file as the API shows it."""
    return {
        "accountId": ACCOUNT_ID,
        "action": version.action,
        "bucketId": bucket_id,
        "contentLength": len(version.content),
        "contentMd5": None,
        "contentSha1": version.sha1,
        "contentType": "application/octet-stream" if version.action == "upload" else None,
        "fileId": version.id,
        "fileInfo": {},
        "fileName": version.name,
        "uploadTimestamp": version.timestamp,
        "serverSideEncryption": {"algorithm": None, "mode": None},
        "fileRetention": {"isClientAuthorizedToRead": False, "value": None},
        "legalHold": {"isClientAuthorizedToRead": False, "value": None},
    }
