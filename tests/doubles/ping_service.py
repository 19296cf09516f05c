"""A service that is pinged, such as Healthchecks."""

import queue
import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from attrs import frozen

from tests.doubles.programs import PATIENCE


@frozen
class Ping:
    """A request: its method, the path with the query, the body and its type."""

    method: str
    path: str
    body: str = ""
    type: str | None = None


class PingService(ThreadingHTTPServer):
    """
    Answers with ``status``, or those of ``answers`` in turn, and keeps the ``pings``.

    With a ``certificate`` (PEM, with its key) it speaks TLS.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, certificate: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.scheme = "http" if certificate is None else "https"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.pings: queue.Queue[Ping] = queue.Queue()
        self.status = 200
        self.answers: list[int] = []
        self._thread = Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.server_port}"

    def url(self, path: str) -> str:
        """The URL of a path with a slash at its beginning."""
        return f"{self.scheme}://{self.address}{path}"

    def ping(self) -> Ping:
        """The next ping, as soon as it has come."""
        return self.pings.get(timeout=PATIENCE)

    def all(self) -> list[Ping]:
        """Those that have come, and were not asked for."""
        return [self.pings.get_nowait() for _ in range(self.pings.qsize())]

    def close(self) -> None:
        """Stop listening."""
        self.shutdown()
        self.server_close()
        self._thread.join()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients hang up; nothing to say."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server: PingService

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
        service = self.server
        status = service.answers.pop(0) if service.answers else service.status
        service.pings.put(Ping(self.command, self.path, body, self.headers["Content-Type"]))
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.send_header("Retry-After", "0")
        if status == 301:
            self.send_header("Location", service.url("/elsewhere"))
        self.end_headers()
        self.wfile.write(b"OK")

    do_POST = do_GET
