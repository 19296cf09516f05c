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
import socket
import socketserver
import ssl
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote_plus, urlsplit

from attrs import Factory, define

from tests.doubles.certificates import Authority
from tests.doubles.connect_proxy import ConnectProxy
from tests.doubles.fake_b2_account import Account, Key, RefusedError, Version
from tests.doubles.hostile import HostileAnswer
from tests.doubles.servers import PATIENCE

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
class Held:
    """What holds a call up."""

    came: threading.Event = Factory(threading.Event)
    go_on: threading.Event = Factory(threading.Event)

    def wait(self) -> None:
        """Wait, in the server's thread."""
        self.came.set()
        self.go_on.wait(PATIENCE)


@define
class Fault:
    """
    What happens to the next ``times`` calls of a name instead of an answer, or to it.

    With ``status`` it is an error with ``code``, or with ``body`` where that is given;
    ``drop`` closes the connection instead, ``cut`` closes it in the middle of the content,
    ``garble`` changes the content, and ``delay`` (seconds) comes before everything. ``hostile``
    is given instead of any answer. ``held`` waits before all that: it says that the call has
    come, and is told to go on.
    """

    status: int | None = None
    code: str = "internal_error"
    headers: Mapping[str, str] = Factory(dict)
    body: bytes | None = None
    drop: bool = False
    cut: bool = False
    garble: bool = False
    delay: float = 0.0
    times: int = 1
    hostile: HostileAnswer | None = None
    held: "Held | None" = None


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


class FakeB2:
    """
    The server. ``account`` is what it serves, ``latency`` is added to every answer (seconds).

    ``requests`` are the calls made, each with the host that was asked; ``sent`` counts the
    bytes of the bodies by host. ``misdirected`` counts requests at the wrong host;
    ``crashes`` are errors of its own.
    """

    def __init__(self, latency: float = 0.0) -> None:
        self.account = Account()
        self.latency = latency
        self.faults: dict[str, list[Fault]] = {}
        self.misdirected: Counter[str] = Counter()
        self.crashes: list[BaseException] = []
        self.requests: list[tuple[str, str]] = []
        self.sent: Counter[str] = Counter()
        self.authority = Authority.make()
        self._stack = contextlib.ExitStack()
        self._connections: set[socket.socket] = set()

    def close(self) -> None:
        """Stop serving, and close every connection."""
        self._stack.close()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

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
        context = self._context("127.0.0.1") if tls else None
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
        contexts = {host: self._context(host) for host in HOSTS.values()}
        outer = self._context("127.0.0.1")

        def choose(connection: Any, name: str | None, _: ssl.SSLContext) -> int | None:
            if name not in contexts:
                return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
            connection.context = contexts[name]
            return None

        outer.sni_callback = choose
        server = self._serve(outer)
        server.door = Door({role: f"https://{host}" for role, host in HOSTS.items()})
        proxy = ConnectProxy({f"{host}:443": server.port for host in HOSTS.values()})
        self._stack.callback(proxy.close)
        return proxy

    def environment(self, key: Key, proxy: ConnectProxy) -> dict[str, str]:
        """What restic must see to come in by the named door."""
        return {
            "B2_ACCOUNT_ID": key.id,
            "B2_ACCOUNT_KEY": key.secret,
            "HTTPS_PROXY": proxy.url,
        }

    def _context(self, host: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile() as file:
            file.write(self.authority.issue(host))
            file.flush()
            context.load_cert_chain(file.name)
        return context

    def _serve(self, context: ssl.SSLContext | None) -> "_Server":
        server = _Server(self, context, self._connections)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        self._stack.callback(stop)
        return server


class _Server(socketserver.ThreadingTCPServer):
    """One port."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    allow_reuse_address = True
    door: Door

    def __init__(
        self, fake: FakeB2, context: ssl.SSLContext | None, connections: set[socket.socket]
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.fake = fake
        self.port = int(self.server_address[1])
        self._context = context
        self._connections = connections

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._context is not None:
            # The handshake comes with the first read, in the connection's own thread.
            connection = self._context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exception()
        if error is not None and not isinstance(error, OSError):
            self.fake.crashes.append(error)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        self._respond()

    def do_HEAD(self) -> None:
        self._respond()

    def do_POST(self) -> None:
        self._respond()

    def _respond(self) -> None:
        fake = self.server.fake
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        role = self.server.door.role(self.headers.get("Host", ""))
        url = urlsplit(self.path)
        api = _API.match(url.path)
        call = api[2] if api else "b2_download_file_by_name"
        fake.requests.append((call, self.headers.get("Host", "")))
        fault = fake.take_fault(call)
        if fault.held is not None:
            fault.held.wait()
        time.sleep(fake.latency + fault.delay)
        if fault.drop:
            self.close_connection = True
            return
        if fault.hostile is not None:
            self.close_connection = True
            fault.hostile.give_on(self.connection)
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
