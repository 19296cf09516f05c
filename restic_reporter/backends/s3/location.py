"""The syntax of ``s3:`` repositories, read as restic reads it, and what their hosts tell. Pure."""

import posixpath
import re
from urllib.parse import unquote_to_bytes, urlsplit

from attrs import frozen

# Host names as minio-go takes them, or an IPv6 address.
_HOST = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{1,5}))?",
    re.ASCII,
)
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_-]{1,61}[A-Za-z0-9]")
_IPV4 = re.compile(r"\d+(\.\d+){3}")

_AMAZON = re.compile(r"(.+\.)?amazonaws\.com(\.cn)?", re.IGNORECASE)
_AMAZON_REGION = re.compile(
    r"(?:.+\.)?s3(?P<special>-fips)?[.-](?:dualstack\.)?(?P<region>[a-z]{2,}(?:-[a-z]+)+-\d+)"
    r"\.(?P<link>vpce\.)?amazonaws\.com(\.cn)?",
    re.IGNORECASE,
)
# They check the region, and restic asks them for it.
_OTHER_REGION = re.compile(
    r"(?:.+\.)?s3\.(?P<region>[a-z]{2}-[a-z]+-\d+)\.(?:backblazeb2|wasabisys)\.com", re.IGNORECASE
)
_VIRTUAL = re.compile(
    r"(.+\.)?amazonaws\.com(\.cn)?|storage\.googleapis\.com|(.+\.)?aliyuncs\.com", re.IGNORECASE
)

DEFAULT_REGION = "us-east-1"

LOOKUPS = ("auto", "dns", "path")


@frozen
class S3Location:
    """
    A ``s3:`` repository, taken apart.

    ``host`` has the port, unless it is the usual one. ``base`` begins the names of the
    repository's objects: it is empty, or ends with a slash.
    """

    secure: bool
    host: str
    bucket: str
    base: str


def parse_s3(repo: str) -> S3Location:
    """
    Parse a ``s3:`` repository.

    :raises ValueError: it is invalid; the message does not repeat it, as a URL may have a
        password anywhere.
    """
    text = repo.removeprefix("s3:")
    secure = True
    if text.startswith("http"):
        secure, host, path = _parse_url(text)
        bucket, _, prefix = path.removeprefix("/").partition("/")
    else:
        host, _, rest = text.removeprefix("//").partition("/")
        bucket, _, prefix = rest.partition("/")
    match = _HOST.fullmatch(host)
    if match is None or int(match["port"] or 1) not in range(1, 65536):
        raise ValueError("has an invalid host; must look like s3:https://host/bucket/path")
    if not bucket:
        raise ValueError("has no bucket; must look like s3:https://host/bucket/path")
    if (
        not _BUCKET.fullmatch(bucket)
        or _IPV4.fullmatch(bucket)
        or any(pair in bucket for pair in ("..", ".-", "-."))
    ):
        raise ValueError("has an invalid bucket; 3 to 63 letters, digits, '.', '-', '_' and ':'")
    if match["port"] == ("443" if secure else "80"):
        host = match["name"]
    return S3Location(secure, host, bucket, _base(prefix))


def _parse_url(text: str) -> tuple[bool, str, str]:
    """Return whether a URL uses TLS, its host and its decoded path."""
    try:
        url = urlsplit(text)
    except ValueError:
        raise ValueError("is not a valid URL") from None
    if url.scheme not in ("http", "https") or not url.netloc:
        raise ValueError("must look like s3:https://host/bucket/path")
    if "@" in url.netloc:
        raise ValueError("must not have a user or password, which restic ignores; use other keys")
    if "?" in text or "#" in text:
        raise ValueError("must not have a query or fragment; write '?' as %3F and '#' as %23")
    if re.search(r"%(?![0-9A-Fa-f]{2})", url.path):
        raise ValueError("has a '%' without two hex digits after it; write '%' itself as %25")
    try:
        return url.scheme == "https", url.netloc, unquote_to_bytes(url.path).decode()
    except UnicodeDecodeError:
        raise ValueError("has a path that is not UTF-8") from None


def _base(prefix: str) -> str:
    """Return the start of all names, as restic joins ``prefix`` with them."""
    if not prefix:
        return ""
    cleaned = posixpath.normpath(prefix)
    # POSIX gives two leading slashes a meaning of their own; Go does not.
    cleaned = cleaned[1:] if cleaned.startswith("//") else cleaned
    if cleaned == ".":
        return ""
    return cleaned if cleaned == "/" else f"{cleaned}/"


def region_of(host: str) -> str | None:
    """Return the region in the name of a host of Amazon, Backblaze or Wasabi."""
    match = _AMAZON_REGION.fullmatch(host) or _OTHER_REGION.fullmatch(host)
    return match["region"].lower() if match else None


def host_in(host: str, region: str) -> str:
    """Return the host for a bucket in ``region``, which at Amazon has hosts of its own."""
    match = _AMAZON_REGION.fullmatch(host)
    if not _AMAZON.fullmatch(host) or (match and (match["special"] or match["link"])):
        return host
    end = ".cn" if region.startswith("cn-") else ""
    return f"s3.dualstack.{region}.amazonaws.com{end}"


def is_virtual(place: S3Location, lookup: str) -> bool:
    """Return whether the bucket belongs into the host's name; ``lookup`` is one of `LOOKUPS`."""
    if lookup != "auto":
        return lookup == "dns"
    # No certificate is for names with another dot.
    dotted = place.secure and "." in place.bucket
    return not dotted and _VIRTUAL.fullmatch(place.host) is not None
