"""Sending one whole response, however slowly its client takes it."""

# Much of Twisted has no types yet.
# mypy: allow-untyped-calls

from io import BytesIO

from twisted.internet.interfaces import IPushProducer
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

TEXT = b"text/plain; charset=utf-8"
SLICE = 64 * 1024


@implementer(IPushProducer)
class BodyProducer:
    """
    Writes ``body`` in slices, each when the transport has room for it, and then finishes
    the request.

    The body itself is shared, not copied: a client that does not read costs one slice. As
    the request is finished only when there is room again, answers to pipelined requests do
    not pile up either.

    Twisted's own `NoRangeStaticProducer` writes from the reactor's next turn on. With it none
    of the clients that come in one turn is done with before the next one is to be admitted.
    """

    def __init__(self, request: Request, body: bytes) -> None:
        """``body`` is not sent where the method is HEAD: Twisted leaves it out."""
        self._request = request
        self._body = BytesIO(body)
        self._paused = False

    def start(self) -> None:
        """Send the headers and what there is room for."""
        self._request.registerProducer(self, True)
        self.resumeProducing()

    def pauseProducing(self) -> None:
        """The transport is full."""
        self._paused = True

    def resumeProducing(self) -> None:
        """The transport has room."""
        self._paused = False
        while not self._paused:
            piece = self._body.read(SLICE)
            if piece:
                self._request.write(piece)
            else:
                self._request.unregisterProducer()
                self._request.finish()
                return

    def stopProducing(self) -> None:
        """The connection is gone; let go of the body, and of the request, which has this too."""
        self._paused = True
        self._body.close()
        self._request.unregisterProducer()


def respond(request: Request, code: int, content_type: bytes, body: bytes) -> int:
    """
    Answer ``request`` with ``body``, or with its headers alone where the method is HEAD.

    Headers that are already set stay. The connection must not be lost yet.

    :return: ``NOT_DONE_YET``, for ``render`` to return.
    """
    request.setResponseCode(code)
    request.setHeader(b"Content-Type", content_type)
    request.setHeader(b"Content-Length", b"%d" % len(body))
    request.setHeader(b"X-Content-Type-Options", b"nosniff")
    BodyProducer(request, body).start()
    return NOT_DONE_YET


def respond_text(request: Request, code: int, line: str) -> int:
    """Answer with one line of plain text; like `respond`."""
    return respond(request, code, TEXT, f"{line}\n".encode())
