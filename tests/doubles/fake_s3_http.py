"""The answers of `tests.doubles.fake_s3` over HTTP."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tests.doubles.fake_http import Fault, Handler
from tests.doubles.fake_s3_lists import RefusedError, xml_error

if TYPE_CHECKING:
    from tests.doubles.fake_s3 import FakeS3


class S3Handler(Handler):
    """One connection."""

    def respond(self) -> None:
        """Answer a request."""
        fake: FakeS3 = self.server.fake
        headers = {name.lower(): value for name, value in self.headers.items()}
        fault = fake.take_fault()
        if self.misbehaves(fault):
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
