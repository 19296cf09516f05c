"""The sockets of `tests.doubles.fake_s3`, in threads."""

import re
import socketserver
import ssl
import sys
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from tests.doubles.fake_b2 import Fault
from tests.doubles.fake_s3_lists import RefusedError, xml_error

if TYPE_CHECKING:
    from tests.doubles.fake_s3 import FakeS3


class _Serving:
    """What both servers have in common."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, fake: "FakeS3", address: Any, context: ssl.SSLContext | None = None) -> None:
        super().__init__(address, _Handler)  # type: ignore[call-arg]
        self.fake = fake
        self._context = context

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()  # type: ignore[misc]
        if self._context is not None:
            # The handshake comes with the first read, in the connection's own thread.
            connection = self._context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        self.fake.connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self.fake.connections.discard(request)
        super().shutdown_request(request)  # type: ignore[misc]

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exception()
        if error is not None and not isinstance(error, OSError):
            self.fake.crashes.append(error)


class TCPServer(_Serving, socketserver.ThreadingTCPServer):
    """A port."""


class UnixServer(_Serving, socketserver.ThreadingUnixStreamServer):
    """A Unix socket."""


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = False
    server: Any

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        self._respond()

    def do_HEAD(self) -> None:
        self._respond()

    def do_PUT(self) -> None:
        self._respond()

    def _respond(self) -> None:
        fake: FakeS3 = self.server.fake
        headers = {name.lower(): value for name, value in self.headers.items()}
        fault = fake.take_fault()
        if fault.held is not None:
            fault.held.wait()
        if fault.drop:
            self.close_connection = True
            return
        if fault.hostile is not None:
            self.close_connection = True
            fault.hostile.give_on(self.connection)
            return
        refused, content, moment = None, b"", 0.0
        try:
            with fake.lock:
                content, moment = fake.answer(self.command, self.path, headers)
        except RefusedError as error:
            refused = error
        if fault.status is not None:
            refused = RefusedError(fault.status, fault.code)
        if refused is not None:
            body = xml_error(refused) if fault.body is None else fault.body
            self._send(refused.status, body, fault, refused.headers)
            return
        status, where = 200, {}
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", headers.get("range", ""))
        if match:
            first, last = int(match[1]), int(match[2] or len(content) - 1)
            where = {"Content-Range": f"bytes {first}-{last}/{len(content)}"}
            status, content = 206, content[first : last + 1]
        where["Last-Modified"] = self.date_time_string(int(moment))
        where["ETag"] = '"0"'
        self._send(status, content if fault.body is None else fault.body, fault, where)

    def _send(
        self, status: int, body: bytes, fault: Fault, headers: Mapping[str, str] = {}
    ) -> None:
        self.send_response_only(status)
        self.send_header("Date", self.date_time_string(int(self.server.fake.now())))
        self.send_header("Content-Length", str(len(body)))
        for name, value in {**headers, **fault.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if fault.garble:
            body = body[::-1]
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if fault.cut else body)
        if fault.cut:
            self.close_connection = True
