"""A request with a small body in memory, and error pages without details."""

# Much of Twisted has no types yet.
# mypy: allow-untyped-calls

from twisted.python.failure import Failure
from twisted.web.http import INTERNAL_SERVER_ERROR
from twisted.web.server import Request

from .channel import BoundedChannel
from .response import respond_text

SERVER = b"restic-reporter"


class BoundedRequest(Request):
    """Rejects a body beyond the site's limit, and hides the version of Twisted."""

    channel: BoundedChannel
    _body_size = 0

    def handleContentChunk(self, data: bytes) -> None:
        """Keep a piece of the body, if the whole is within the limit."""
        self._body_size += len(data)
        if self._body_size > self.channel.connections.limits.max_body:
            self.channel.refuse_body()
        else:
            super().handleContentChunk(data)

    def write(self, data: bytes) -> None:
        """Write headers and data, with a ``Server`` header of our own and those of the site."""
        if not self.startedWriting:
            self.setHeader(b"Server", SERVER)
            for name, value in self.channel.site.security.config.headers.items():
                self.setHeader(name, value)
        super().write(data)

    def processingFailed(self, reason: Failure) -> Failure:
        """Respond to an unexpected exception with 500, or abort a started response."""
        self._log.failure("error in a web page", failure=reason)
        if self.startedWriting:
            self.loseConnection()
        else:
            respond_text(self, INTERNAL_SERVER_ERROR, "500 Internal Server Error")
        return reason
