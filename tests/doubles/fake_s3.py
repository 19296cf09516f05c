"""
A server that is S3 to those who read: it lists and gives objects, and verifies each signature.

It runs in threads beside the tests, on a port of 127.0.0.1 and, if asked, on a Unix socket, where
any host name leads to it. Amazon's own code (botocore) computes what it compares signatures with.
"""

import re
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from attrs import Factory, define
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.doubles.certificates import Authority
from tests.doubles.fake_http import FakeService, Fault, Port, UnixSocket, tls_context
from tests.doubles.fake_s3_http import S3Handler
from tests.doubles.fake_s3_lists import RefusedError, listing

BUCKET, REGION = "some-bucket", "eu-test-1"
KEY_ID, SECRET = "AKIATEST", "se/cr+et=0123"

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/,]+)/(\d{8})/([^/,]+)/s3/aws4_request, ?"
    r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})"
)
_CLOCK_TOLERANCE = 15 * 60


@define
class FakeBucket:
    """A bucket: ``objects`` by name, with content and time; ``region`` is any if ``None``."""

    region: str | None = REGION
    objects: dict[str, tuple[bytes, float]] = Factory(dict)
    is_public: bool = False


@define
class Quirks:
    """
    In what the server differs: ``page`` names are a page; ``unordered`` lists backwards,
    ``ignores_start`` lists from the first name; ``loops`` gives the same token always, ``mute``
    none; ``plain`` encodes no names, ``encodes_slashes`` more than others; ``redirects`` sends who
    comes with the wrong region away; ``change`` rewrites a page.
    """

    page: int = 1000
    unordered: bool = False
    ignores_start: bool = False
    loops: bool = False
    mute: bool = False
    plain: bool = False
    encodes_slashes: bool = False
    redirects: bool = False
    change: Callable[[bytes], bytes] = lambda page: page


class FakeS3(FakeService):
    """
    The server. ``keys`` are secrets by the access key's id, ``tokens`` the session tokens that
    temporary ones need.

    ``requests`` are the method, host, path and query of each request; ``faults`` happen in turn.
    ``now`` is its clock.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        super().__init__()
        self.keys = {KEY_ID: SECRET}
        self.tokens: dict[str, str] = {}
        self.buckets = {BUCKET: FakeBucket()}
        self.quirks = Quirks()
        self.now = now
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str, str, dict[str, str]]] = []
        self.lock = threading.Lock()
        self.port = self._listen()

    @property
    def url(self) -> str:
        """Where the server is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def bucket(self) -> FakeBucket:
        """The usual bucket."""
        return self.buckets[BUCKET]

    def listen_at(self, path: str) -> None:
        """Serve at a Unix socket too."""
        self.serve(UnixSocket(self, path, S3Handler))

    def listen_with_tls(self) -> tuple[str, bytes]:
        """Serve over TLS too; the URL, and the authority's certificate."""
        authority = Authority.make()
        return f"https://127.0.0.1:{self._listen(tls_context(authority))}", authority.pem

    def _listen(self, context: ssl.SSLContext | None = None) -> int:
        server = Port(self, S3Handler, context)
        self.serve(server)
        return server.port

    def put(self, name: str, content: bytes = b"", time: float | None = None) -> None:
        """Store an object in the usual bucket."""
        self.bucket.objects[name] = (content, self.now() if time is None else time)

    def put_folder(self, path: Path, base: str) -> None:
        """Store all files of a folder."""
        for file in path.rglob("*"):
            if file.is_file():
                self.put(f"{base}{file.relative_to(path)}", file.read_bytes())

    def fault(self, **how: Any) -> Fault:
        """Let something go wrong with the next request."""
        self.faults.append(Fault(**how))
        return self.faults[-1]

    @property
    def counts(self) -> dict[str, int]:
        """How many requests of each kind came since the last look."""
        counts: Counter[str] = Counter()
        for method, _, _, query in self.requests:
            listed = "prefix" in query
            counts["list" if listed else "location" if "location" in query else method] += 1
        self.requests.clear()
        return dict(counts)

    def take_fault(self) -> Fault:
        """What happens to the request that comes now."""
        with self.lock:
            if not self.faults:
                return Fault()
            self.faults[0].times -= 1
            return self.faults.pop(0) if self.faults[0].times <= 0 else self.faults[0]

    def answer(self, method: str, target: str, headers: Mapping[str, str]) -> tuple[bytes, float]:
        """
        The content and time of an object, or a page of a listing.

        :raises RefusedError: what S3 would refuse.
        """
        url = urlsplit(target)
        host = headers["host"]
        query = dict(parse_qsl(url.query, keep_blank_values=True, strict_parsing=bool(url.query)))
        self.requests.append((method, host, url.path, query))
        name, _, key = unquote(url.path, errors="strict").removeprefix("/").partition("/")
        for virtual in self.buckets:
            if host.startswith(f"{virtual}."):
                name, key = virtual, unquote(url.path).removeprefix("/")
        bucket = self.buckets.get(name)
        if bucket is None:
            raise RefusedError(404, "NoSuchBucket")
        self._verify(method, target, headers, bucket)
        if method not in ("GET", "HEAD"):
            raise RefusedError(405, "MethodNotAllowed")
        if key:
            if key not in bucket.objects:
                raise RefusedError(404, "NoSuchKey")
            return bucket.objects[key]
        if "location" in query:
            text = bucket.region or ""
            return f"<LocationConstraint>{text}</LocationConstraint>".encode(), 0
        return self.quirks.change(listing(bucket.objects, query, self.quirks)), 0

    def _verify(
        self, method: str, target: str, headers: Mapping[str, str], bucket: FakeBucket
    ) -> None:
        if "authorization" not in headers and bucket.is_public:
            return
        match = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
        if match is None:
            raise RefusedError(403, "AccessDenied")
        key_id, day, region, names, signature = match.groups()
        if key_id not in self.keys:
            raise RefusedError(403, "InvalidAccessKeyId")
        if bucket.region not in (None, region) and "location" not in target:
            where = {"x-amz-bucket-region": bucket.region or ""}
            if self.quirks.redirects:
                where["Location"] = "https://elsewhere/"
                raise RefusedError(301, "PermanentRedirect", where)
            raise RefusedError(400, "AuthorizationHeaderMalformed", region=bucket.region or "")
        stamp = headers.get("x-amz-date", "")
        if not {"host", "x-amz-date", "x-amz-content-sha256"} <= set(names.split(";")):
            raise RefusedError(403, "AccessDenied")
        request = AWSRequest(
            method, f"http://{headers['host']}{target}", {n: headers[n] for n in names.split(";")}
        )
        request.context["timestamp"] = stamp
        auth = S3SigV4Auth(Credentials(key_id, self.keys[key_id]), "s3", region)
        to_sign = auth.string_to_sign(request, auth.canonical_request(request))
        if not stamp.startswith(day) or auth.signature(to_sign, request) != signature:
            raise RefusedError(403, "SignatureDoesNotMatch")
        moment = time.mktime(time.strptime(f"{stamp} UTC", "%Y%m%dT%H%M%SZ %Z")) - time.timezone
        if abs(moment - self.now()) > _CLOCK_TOLERANCE:
            raise RefusedError(403, "RequestTimeTooSkewed")
        token = headers.get("x-amz-security-token")
        if token != self.tokens.get(key_id):
            raise RefusedError(400 if token else 403, "InvalidToken")
