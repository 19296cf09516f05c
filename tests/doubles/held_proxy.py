"""An HTTP proxy before a rest-server, whose answers can be held."""

import http.client
import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

_SNAPSHOTS = re.compile("/repository/snapshots/([0-9a-f]{64})?")


class HeldProxy(ThreadingHTTPServer):
    """
    Passes requests for the repository ``repository`` on to the server at ``address``.

    ``hold`` is called with ``load`` and how many snapshot files were asked for, before one is
    looked up; and with ``list`` and how many listings were made, before one is given.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: str, hold: Callable[[str, int], object]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.address, self._hold = address, hold
        self.counts = {"list": 0, "load": 0}
        self._lock = Lock()
        self._thread = Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The repository as it is seen through this."""
        return f"rest:http://127.0.0.1:{self.server_port}/repository"

    def hold(self, call: str) -> None:
        """One more ``call``; the others wait too."""
        with self._lock:
            self.counts[call] += 1
            self._hold(call, self.counts[call])

    def close(self) -> None:
        """Stop listening."""
        self.shutdown()
        self.server_close()
        self._thread.join()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Readers hang up; nothing to say."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: HeldProxy

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        asked = _SNAPSHOTS.fullmatch(self.path)
        if asked and asked[1]:
            self.server.hold("load")
        upstream = http.client.HTTPConnection(self.server.address)
        headers = {key: value for key, value in self.headers.items() if key != "Connection"}
        upstream.request(self.command, self.path, headers=headers)
        answer = upstream.getresponse()
        body = answer.read()
        upstream.close()
        if asked and not asked[1]:
            self.server.hold("list")
        self.send_response(answer.status)
        for key in ("Content-Type", "Content-Range"):
            if key in answer.headers:
                self.send_header(key, answer.headers[key])
        length = answer.headers["Content-Length"] if self.command == "HEAD" else None
        self.send_header("Content-Length", length or str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    do_HEAD = do_GET
