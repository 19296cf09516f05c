"""Tests of `BoundedHTTPClient` with bodies that are taken in pieces."""

from collections.abc import Callable
from typing import Any

from restic_reporter.model.errors import ReadError, Reason
from tests.doubles.hostile import ServerConnection, answer
from tests.doubles.http_case import LIMIT, ServerCase


class StreamTests(ServerCase):
    """The option ``stream``."""

    def setUp(self) -> None:
        super().setUp()
        # Of each attempt, the body so far.
        self.bodies: list[bytearray] = []

    def stream(self) -> Callable[[bytes], object]:
        """What takes the body of the next attempt."""
        self.bodies.append(bytearray())
        return self.bodies[-1].extend

    async def test_pieces(self) -> None:
        """The body goes to the stream as it comes, and is not kept; its bytes are counted."""

        def behave(c: ServerConnection) -> None:
            whole = answer(b"x" * LIMIT)
            for start in range(0, len(whole), 30_000):
                c.push(whole[start : start + 30_000])

        response = await self.get(await self.serve(behave), stream=self.stream)
        self.assertEqual((response.status, response.body), (200, b""))
        self.assertEqual(self.bodies, [b"x" * LIMIT])
        self.assertEqual(self.meter.received_bytes, {"list": LIMIT})

    async def test_other_statuses(self) -> None:
        """The body of an error is dropped."""
        server = await self.serve(lambda c: c.push(answer(b"[1]", "404 Not Found")))
        response = await self.get(server, stream=self.stream)
        self.assertEqual((response.status, response.body, self.bodies), (404, b"", [b""]))

    async def test_retry(self) -> None:
        """Another attempt begins anew."""

        def behave(c: ServerConnection) -> None:
            if len(server.requests) == 1:
                c.push(answer(b"[1,2]")[:-2])
                c.close()
            else:
                c.push(answer(b"[3]"))

        server = await self.serve(behave)
        await self.get(server, stream=self.stream)
        self.assertEqual(self.bodies, [b"[1,", b"[3]"])

    async def test_limit(self) -> None:
        """A body over the limit ends the request, as does one that the stream refuses."""
        server = await self.serve(lambda c: c.push(answer(b"x" * (LIMIT + 1))))
        await self.refused(server, Reason.TOO_LARGE, stream=self.stream)

        def refuse(_: bytes) -> object:
            raise ReadError(Reason.PARSE, "list at server: no sense")

        server = await self.serve(lambda c: c.push(answer(b"x" * LIMIT)))
        error: Any = await self.refused(server, Reason.PARSE, stream=lambda: refuse)
        self.assertEqual(error.message, "list at server: no sense")
        self.assertEqual(len(server.requests), 1)

    async def test_silent_for_longer(self) -> None:
        """A request may have an idle limit of its own."""
        client = self.make_client(idle_timeout=60.0)
        server = await self.serve(lambda c: None)
        error = await self.refused(server, Reason.TIMEOUT, client=client, idle_timeout=0.2)
        self.assertIn("timed out after 0.2 s without data", str(error))
