"""
A server that is Backblaze B2 to those who call it.

It runs in threads beside the tests. Callers come in by two kinds of doors: the direct one is
four ports of 127.0.0.1 (authorize, api, download, upload), for those who take the URL of the
authorize call; the named one is a single TLS port that knows itself by Backblaze's own host
names, for those who know only these: `tests.doubles.connect_proxy` leads them there. What is
asked at the wrong host is refused.

    python -m tests.doubles.fake_b2

runs one until it is interrupted, and prints how to reach it.
"""

import base64
import binascii
import contextlib
import json
import re
import signal
import ssl
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote_plus, urlsplit

from attrs import define

from tests.doubles.certificates import Authority
from tests.doubles.connect_proxy import ConnectProxy
from tests.doubles.fake_b2_account import Account
from tests.doubles.fake_b2_objects import Key, RefusedError, Version
from tests.doubles.fake_http import FakeService, Fault, Handler, Port, tls_context

# Backblaze's host names, by what they are for.
HOSTS = {
    "authorize": "api.backblazeb2.com",
    "api": "api004.backblazeb2.com",
    "download": "f004.backblazeb2.com",
    "upload": "pod-040-1000-00.backblaze.com",
}

_API = re.compile(r"/b2api/v([1-4])/(b2_[a-z_]+)")
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@define
class Door:
    """A way in: the base URL for each role, and the roles by the Host header."""

    urls: Mapping[str, str]

    def role(self, host: str) -> str | None:
        """What the host of this name is for."""
        for role, url in self.urls.items():
            if host in (urlsplit(url).netloc, f"{urlsplit(url).netloc}:443"):
                return role
        return None


class FakeB2(FakeService):
    """
    The server. ``account`` is what it serves, ``latency`` is added to every answer (seconds).

    ``requests`` are the calls made, each with the host that was asked; ``sent`` counts the
    bytes of the bodies by host. ``misdirected`` counts requests at the wrong host.
    """

    def __init__(self, latency: float = 0.0) -> None:
        super().__init__()
        self.account = Account()
        self.latency = latency
        self.faults: dict[str, list[Fault]] = {}
        self.misdirected: Counter[str] = Counter()
        self.requests: list[tuple[str, str]] = []
        self.sent: Counter[str] = Counter()
        self.authority = Authority.make()

    def fault(self, call: str, **how: Any) -> Fault:
        """Let something go wrong with the next calls of this name."""
        fault = Fault(**how)
        self.faults.setdefault(call, []).append(fault)
        return fault

    def take_fault(self, call: str) -> Fault:
        """What happens to the call that comes now."""
        with self.account.lock:
            waiting = self.faults.get(call)
            if not waiting:
                return Fault()
            waiting[0].times -= 1
            return waiting.pop(0) if waiting[0].times <= 0 else waiting[0]

    def direct(self, tls: bool = False) -> str:
        """Open a direct door; the URL for the authorize call."""
        context = tls_context(self.authority) if tls else None
        servers = {role: self._serve(context) for role in HOSTS}
        scheme = "https" if tls else "http"
        door = Door(
            {role: f"{scheme}://127.0.0.1:{server.port}" for role, server in servers.items()}
        )
        for server in servers.values():
            server.door = door
        return door.urls["authorize"]

    def named(self) -> ConnectProxy:
        """Open a named door; the proxy that leads to it."""
        contexts = {host: tls_context(self.authority, host) for host in HOSTS.values()}
        outer = tls_context(self.authority)

        def choose(connection: Any, name: str | None, _: ssl.SSLContext) -> int | None:
            if name not in contexts:
                return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
            connection.context = contexts[name]
            return None

        outer.sni_callback = choose
        server = self._serve(outer)
        server.door = Door({role: f"https://{host}" for role, host in HOSTS.items()})
        proxy = ConnectProxy({f"{host}:443": server.port for host in HOSTS.values()})
        self.stack.callback(proxy.close)
        return proxy

    def environment(self, key: Key, proxy: ConnectProxy) -> dict[str, str]:
        """What restic must see to come in by the named door."""
        return {
            "B2_ACCOUNT_ID": key.id,
            "B2_ACCOUNT_KEY": key.secret,
            "HTTPS_PROXY": proxy.url,
        }

    def _serve(self, context: ssl.SSLContext | None) -> "_Port":
        server = _Port(self, _Handler, context)
        self.serve(server)
        return server


class _Port(Port):
    """One port, and the way in that it belongs to."""

    door: Door


class _Handler(Handler):
    """One connection."""

    def respond(self) -> None:
        """Answer a call."""
        fake = self.server.fake
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        role = self.server.door.role(self.headers.get("Host", ""))
        url = urlsplit(self.path)
        api = _API.match(url.path)
        call = api[2] if api else "b2_download_file_by_name"
        fake.requests.append((call, self.headers.get("Host", "")))
        fault = fake.take_fault(call)
        if self.misbehaves(fault, fake.latency):
            return
        if fault.status is not None:
            fake.account.count(call)
            self._refuse(RefusedError(fault.status, fault.code), fault)
            return
        try:
            if role != _role(call):
                fake.misdirected[call] += 1
                raise RefusedError(421, "misdirected", "not at this host")
            with fake.account.lock:
                self._answer(call, int(api[1]) if api else 0, url.path, url.query, body, fault)
        except RefusedError as refused:
            self._refuse(refused, fault)

    def _answer(
        self, call: str, version: int, path: str, query: str, body: bytes, fault: Fault
    ) -> None:
        account, door = self.server.fake.account, self.server.door
        token = self.headers.get("Authorization")
        if call == "b2_authorize_account":
            key_id, secret = _basic(token)
            self._json(200, account.authorize(version, key_id, secret, door.urls), fault)
        elif call == "b2_upload_file":
            name = unquote_plus(self.headers.get("X-Bz-File-Name", ""))
            sha1 = self.headers.get("X-Bz-Content-Sha1", "")
            self._json(200, account.upload(token, name, sha1, body), fault)
        elif call == "b2_download_file_by_name":
            parts = path.split("/", 3)
            if len(parts) != 4 or parts[:2] != ["", "file"]:
                raise RefusedError(404, "not_found", "no such path")
            self._content(account.download(parts[2], unquote_plus(parts[3]), token), fault)
        elif call == "b2_download_file_by_id":
            self._content(account.download_by_id(parse_qs(query)["fileId"][0], token), fault)
        elif self.command != "POST":
            raise RefusedError(405, "method_not_allowed")
        else:
            try:
                arguments = json.loads(body)
            except ValueError:
                raise RefusedError(400, "bad_json") from None
            self._json(200, account.call(call, token, arguments, door.urls["upload"]), fault)

    def _refuse(self, refused: RefusedError, fault: Fault) -> None:
        value = {"status": refused.status, "code": refused.code, "message": refused.message}
        body = json.dumps(value).encode() if fault.body is None else fault.body
        headers = {"Content-Type": "application/json;charset=UTF-8", **fault.headers}
        self._send(refused.status, headers, body, fault)

    def _json(self, status: int, value: Any, fault: Fault) -> None:
        body = json.dumps(value, indent=2).encode() if fault.body is None else fault.body
        self._send(status, {"Content-Type": "application/json;charset=UTF-8"}, body, fault)

    def _content(self, version: Version, fault: Fault) -> None:
        content, status = version.content, 200
        headers = {
            "Content-Type": "application/octet-stream",
            "Accept-Ranges": "bytes",
            "X-Bz-File-Id": version.id,
            "X-Bz-File-Name": quote(version.name),
            "X-Bz-Content-Sha1": version.sha1 or "none",
            "X-Bz-Upload-Timestamp": str(version.timestamp),
        }
        asked = _RANGE.fullmatch(self.headers.get("Range", ""))
        if asked:
            first = int(asked[1])
            last = min(int(asked[2] or len(content)), len(content) - 1)
            if first > last:
                raise RefusedError(416, "range_not_satisfiable")
            headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
            content, status = content[first : last + 1], 206
        self._send(status, headers, content, fault)

    def _send(self, status: int, headers: Mapping[str, str], body: bytes, fault: Fault) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if fault.garble:
            body = bytes([body[0] ^ 1]) + body[1:]
        if fault.cut:
            body = body[: len(body) // 2]
            self.close_connection = True
        if self.command != "HEAD":
            self.server.fake.sent[self.headers.get("Host", "")] += len(body)
            self.wfile.write(body)
        self.wfile.flush()


def _role(call: str) -> str:
    """Which host serves a call."""
    if call == "b2_authorize_account":
        return "authorize"
    if call == "b2_upload_file":
        return "upload"
    return "download" if call.startswith("b2_download") else "api"


def _basic(header: str | None) -> tuple[str, str]:
    """User name and password of HTTP's basic authentication."""
    scheme, _, text = (header or "").partition(" ")
    try:
        decoded = base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        decoded = ""
    if scheme != "Basic" or ":" not in decoded:
        raise RefusedError(401, "unauthorized", "no credentials")
    key_id, _, secret = decoded.partition(":")
    return key_id, secret


def main() -> None:
    """Serve until interrupted."""
    fake = FakeB2()
    key = fake.account.add_key()
    bucket = fake.account.add_bucket("some-bucket")
    ca = Path(tempfile.mkdtemp(), "ca.pem")
    ca.write_bytes(fake.authority.pem)
    print(f"restic -r b2:{bucket.name}:path --cacert {ca} snapshots")
    for name, value in fake.environment(key, fake.named()).items():
        print(f"  with {name}={value}")
    print(f"b2_api_url: {fake.direct()}, or {fake.direct(tls=True)} with cacert", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()
    fake.close()


if __name__ == "__main__":
    main()
