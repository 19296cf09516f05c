"""What the fakes of storage services share: HTTP in threads, and what may go wrong on it."""

import contextlib
import socket
import socketserver
import ssl
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any

from attrs import Factory, define

from tests.doubles.certificates import Authority
from tests.doubles.hostile import HostileAnswer
from tests.doubles.programs import PATIENCE


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


def tls_context(authority: Authority, host: str = "127.0.0.1") -> ssl.SSLContext:
    """A server's side of TLS, with a certificate for this host."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(authority.issue(host))
        file.flush()
        context.load_cert_chain(file.name)
    return context


class FakeService:
    """A fake of a service; ``crashes`` are errors of its own."""

    def __init__(self) -> None:
        self.crashes: list[BaseException] = []
        self.connections: set[socket.socket] = set()
        self.stack = contextlib.ExitStack()

    def serve(self, server: "_Listening") -> None:
        """Serve in a thread until `close`."""
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        self.stack.callback(stop)

    def close(self) -> None:
        """Stop serving, and close every connection."""
        self.stack.close()
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Listening(socketserver.ThreadingMixIn, socketserver.BaseServer):
    """What both kinds of servers have in common."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(
        self,
        fake: FakeService,
        address: Any,
        handler: "type[Handler]",
        context: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(address, handler)
        self.fake = fake
        self._context = context

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        if connection.family != socket.AF_UNIX:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._context is not None:
            # The handshake comes with the first read, in the connection's own thread.
            connection = self._context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        self.fake.connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self.fake.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exception()
        if error is not None and not isinstance(error, OSError):
            self.fake.crashes.append(error)


class Port(_Listening, socketserver.TCPServer):
    """A port of 127.0.0.1."""

    def __init__(
        self,
        fake: FakeService,
        handler: "type[Handler]",
        context: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(fake, ("127.0.0.1", 0), handler, context)
        self.port = int(self.server_address[1])


class UnixSocket(_Listening, socketserver.UnixStreamServer):
    """A Unix socket."""


class Handler(BaseHTTPRequestHandler):
    """One connection; a subclass has ``respond``."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = False
    server: Any

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""

    def respond(self) -> None:
        """Answer the request."""
        raise NotImplementedError

    def do_GET(self) -> None:
        self.respond()

    do_HEAD = do_PUT = do_POST = do_GET

    def misbehaves(self, fault: Fault, latency: float = 0.0) -> bool:
        """Wait as ``fault`` says; whether it is anything in place of an answer, which is done."""
        if fault.held is not None:
            fault.held.wait()
        time.sleep(latency + fault.delay)
        if fault.hostile is not None and not fault.drop:
            fault.hostile.give_on(self.connection)
        if not fault.drop and fault.hostile is None:
            return False
        self.close_connection = True
        return True
