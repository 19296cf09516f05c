"""What the real S3 servers of the tests have in common, and signed requests to them."""

import contextlib
import hashlib
import hmac
import http.client
import random
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from urllib.parse import quote

from tests.doubles.programs import PATIENCE, Folder

_PORTS = range(20000, 30000)


class S3Server(ABC):
    """
    A server with one bucket, and the keys of one user who may do everything.

    Each request is answered at ``address``, path style, without TLS.
    """

    bucket = "backups"
    region = "us-east-1"
    access_key_id = "test-key"
    secret_access_key = "test-secret"
    session_token = ""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.address = ""

    @abstractmethod
    def start(self) -> None:
        """Start it at the ``address`` that it had, if any; it answers when this returns."""

    @abstractmethod
    def stop(self) -> None:
        """End it; its port refuses connections from then on."""

    @property
    def url(self) -> str:
        """The bucket in restic's syntax; ``/NAME`` behind it is a repository."""
        return f"s3:http://{self.address}/{self.bucket}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that restic needs."""
        keys = {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_DEFAULT_REGION": self.region,
        }
        return keys | ({"AWS_SESSION_TOKEN": self.session_token} if self.session_token else {})

    def make_bucket(self) -> None:
        """Make the bucket."""
        status, body = self.ask("PUT")
        assert status == 200, body

    def ask(
        self,
        method: str,
        key: str = "",
        query: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        secret: str | None = None,
        region: str | None = None,
        at: float | None = None,
    ) -> tuple[int, bytes]:
        """
        Send a signed request for an object, or for the bucket; status and body of the response.

        It may be signed with another ``secret`` or ``region``, or as if sent ``at`` another time.
        """
        path = quote(f"/{self.bucket}/{key}", safe="/-_.~")
        words = "&".join(
            f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}"
            for name, value in sorted((query or {}).items())
        )
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at))
        headers = {
            "host": self.address,
            "x-amz-content-sha256": hashlib.sha256(body).hexdigest(),
            "x-amz-date": stamp,
        }
        if self.session_token:
            headers["x-amz-security-token"] = self.session_token
        names = ";".join(headers)
        lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
        canonical = "\n".join([method, path, words, lines, names, headers["x-amz-content-sha256"]])
        scope = [stamp[:8], region or self.region, "s3", "aws4_request"]
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        signed = "\n".join(["AWS4-HMAC-SHA256", stamp, "/".join(scope), digest])
        signature = f"AWS4{secret or self.secret_access_key}".encode()
        for word in [*scope, signed]:
            signature = hmac.digest(signature, word.encode(), "sha256")
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.access_key_id}/{'/'.join(scope)}, "
            f"SignedHeaders={names}, Signature={signature.hex()}"
        )
        connection = http.client.HTTPConnection(self.address, timeout=PATIENCE)
        try:
            connection.request(method, f"{path}?{words}" if words else path, body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


def free_ports(count: int) -> list[int]:
    """
    Ports of 127.0.0.1 where nobody listens.

    They are below those that the system gives to outgoing connections, of which one might
    otherwise come before the server.
    """
    found: list[int] = []
    for port in random.sample(_PORTS, len(_PORTS)):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            found.append(port)
        if len(found) == count:
            return found
    raise AssertionError("no free ports")
