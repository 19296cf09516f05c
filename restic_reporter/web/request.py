"""A request whose body stays small and in memory, and whose errors tell nothing."""

# Much of Twisted has no types yet.
# mypy: allow-untyped-calls

from twisted.python.failure import Failure
from twisted.web.http import INTERNAL_SERVER_ERROR
from twisted.web.server import Request

from .channel import BoundedChannel
from .response import respond_text

SERVER = b"restic-reporter"


class BoundedRequest(Request):
    """Refuses a body beyond the site's limit, and does not tell which Twisted serves it."""

    channel: BoundedChannel
    _body_size = 0

    def handleContentChunk(self, data: bytes) -> None:
        """Keep a piece of the body, as long as all of it is within the limit."""
        self._body_size += len(data)
        if self._body_size > self.channel.limits.max_body:
            self.channel.refuse_body()
        else:
            super().handleContentChunk(data)

    def write(self, data: bytes) -> None:
        """Write headers and data, with a ``Server`` header of our own."""
        if not self.startedWriting:
            self.setHeader(b"Server", SERVER)
        super().write(data)

    def processingFailed(self, reason: Failure) -> Failure:
        """Answer an exception that nobody expected with 500, or cut the answer short."""
        self._log.failure("error in a web page", failure=reason)
        if self.startedWriting:
            self.loseConnection()
        else:
            respond_text(self, INTERNAL_SERVER_ERROR, "500 Internal Server Error")
        return reason
