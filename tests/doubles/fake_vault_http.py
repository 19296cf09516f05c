"""The HTTP side of `tests.doubles.fake_vault`: a server of threads, which can misbehave."""

import contextlib
import json
import socket
import ssl
import struct
import tempfile
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from attrs import field, frozen

from tests.doubles.hostile import HostileAnswer


@frozen
class Request:
    """One request; ``path`` is as it was sent, without a leading ``/v1/``."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


@frozen
class Answer:
    """A status, what is sent as JSON, and headers besides."""

    status: int
    document: Any
    headers: Mapping[str, str] = field(factory=dict)


Misbehaviour = Callable[["Connection"], None]

# An answer, or what is done with the connection instead of one.
Reply = Answer | HostileAnswer | Misbehaviour


class Connection(BaseHTTPRequestHandler):
    """The server's end of a connection."""

    protocol_version = "HTTP/1.1"
    server: "Server"

    def setup(self) -> None:
        """Shake hands, in this thread."""
        if isinstance(self.request, ssl.SSLSocket):
            self.request.do_handshake()
        super().setup()

    def finish(self) -> None:
        """Forget the connection."""
        with contextlib.suppress(OSError):
            super().finish()

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        path = self.path.removeprefix("/v1/")
        parsed = json.loads(body) if body else None
        answer = self.server.serve(Request(self.command, path, headers, parsed))
        if isinstance(answer, Answer):
            self.send(answer)
        else:
            self.close_connection = True
            self.server.misbehaving.add(self)
            try:
                if isinstance(answer, HostileAnswer):
                    answer.give_on(self.connection, self.server.count)
                else:
                    answer(self)
            finally:
                self.server.misbehaving.discard(self)
                self.server.changed()

    do_GET = do_POST = do_PUT = do_LIST = do_HEAD = _serve

    def send(self, answer: Answer) -> None:
        """Send ``answer`` in Vault's way."""
        body = json.dumps(answer.document).encode() + b"\n"
        headers = {"Content-Type": "application/json", **answer.headers}
        lines = [f"{name}: {value}" for name, value in headers.items()]
        lines = [f"HTTP/1.1 {answer.status} -", *lines, f"Content-Length: {len(body)}", "", ""]
        self.wfile.write("\r\n".join(lines).encode() + body)

    def write(self, data: bytes) -> None:
        """Send ``data`` as it is."""
        self.wfile.write(data)

    def wait_for_close(self) -> None:
        """Wait until the other side has closed the connection, or the server has."""
        while self.connection.recv(4096):
            pass

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """
    Answers by ``serve`` at ``port``, each connection in a thread; `close` ends all of them.

    ``pushed`` are the bytes of hostile answers, ``misbehaving`` the connections that get
    something else than an answer, ``ports`` those of all clients. ``changed`` is called, in any
    thread, when one has got all of that.
    """

    daemon_threads = False
    request_queue_size = 128

    def __init__(
        self,
        serve: Callable[[Request], Reply],
        pem: bytes | None = None,
        changed: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__(("127.0.0.1", 0), Connection)
        self.serve = serve
        self.changed = changed
        self.pushed = 0
        self.misbehaving: set[Connection] = set()
        self.open: set[socket.socket] = set()
        self.ports: set[int] = set()
        self.port = int(self.server_address[1])
        if pem is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            with tempfile.NamedTemporaryFile() as file:
                file.write(pem)
                file.flush()
                context.load_cert_chain(file.name)
            self.socket = context.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection, and know it before its thread runs, so that `close` ends it."""
        accepted, address = super().get_request()
        self.open.add(accepted)
        self.ports.add(address[1])
        return accepted, address

    def count(self, number: int) -> None:
        """Add to ``pushed``."""
        self.pushed += number

    def shutdown_request(self, request: Any) -> None:
        """Close one connection."""
        self.open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no error here."""

    def close(self) -> None:
        """End it, and everything that it does; again is no error."""
        self.shutdown()
        self._thread.join()
        for connection in list(self.open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()


# What may happen instead of an answer


def hang(connection: Connection) -> None:
    """Never answer."""
    connection.wait_for_close()


def reset(connection: Connection) -> None:
    """Close with a TCP reset."""
    connection.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    # Not by shutdown, which would be an orderly end.
    connection.rfile.close()
    connection.connection.close()


def page(connection: Connection) -> None:
    """Answer with a page for people, as some other server would."""
    body = b"<html>Welcome</html>"
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.write(head.encode() + body)


def answer_as(body: bytes, *headers: str, status: str = "200 OK") -> Misbehaviour:
    """Answer with this very body."""

    def misbehave(connection: Connection) -> None:
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
        connection.write("\r\n".join(lines).encode() + body)

    return misbehave
