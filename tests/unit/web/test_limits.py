"""Tests for what hostile, slow and numerous clients may cost, over real connections."""

import gc
import os
from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path

from twisted.internet.task import LoopingCall

from restic_reporter.web.connections import Limits, State
from tests.doubles.stepped_reactor import SteppedReactor
from tests.doubles.web_clients import Client, SiteTestCase, get

MEGABYTE = 1_000_000


def resident() -> int:
    """The memory of this process, in bytes."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class Flood:
    """Writes ``piece`` again and again, as fast as it is taken, up to ``total`` bytes."""

    def __init__(self, client: Client, piece: bytes, total: int) -> None:
        self.sent = 0
        self._client = client
        self._piece = piece
        self._total = total
        client.transport.registerProducer(self, False)

    def resumeProducing(self) -> None:
        """Write the next piece."""
        if self.sent >= self._total:
            self._client.transport.unregisterProducer()
        else:
            self.sent += len(self._piece)
            self._client.transport.write(self._piece)

    def stopProducing(self) -> None:
        """The site has had enough."""


class BodyTests(SiteTestCase):
    """Tests for request bodies."""

    async def flood(self, head: bytes, piece: bytes) -> tuple[Client, Flood]:
        """Send a body of 200 MB and wait until the site closes the connection."""
        before = resident()
        client = await self.connect(head)
        flood = Flood(client, piece, 200 * MEGABYTE)
        await client.lost
        self.assertLess(resident() - before, 20 * MEGABYTE)
        self.assertLess(flood.sent, 20 * MEGABYTE)
        self.assertEqual((await self.ask()).status, 200)
        return client, flood

    async def test_content_length(self) -> None:
        """A body of 200 MB is refused and its connection closed, and memory does not grow."""
        self.serve()
        for method in ("POST", "GET"):
            head = get("/metrics", "Content-Length: 200000000", method=method)
            await self.flood(head, b"x" * 65536)

    async def test_chunked(self) -> None:
        """So is a body without end in chunks, small or large."""
        self.serve()
        head = get("/metrics", "Transfer-Encoding: chunked", method="POST")
        await self.flood(head, b"10\r\n0123456789abcdef\r\n" * 2000)
        await self.flood(head + b"fffffff\r\n", b"x" * 65536)

    async def test_answer(self) -> None:
        """A client that waits for an answer before it sends the body is told 413, not 100."""
        self.serve()
        head = get("/metrics", "Content-Length: 65537", "Expect: 100-continue", method="POST")
        answer = await self.exchange(head)
        self.assertTrue(answer.startswith(b"HTTP/1.1 413 "), answer)
        self.assertIn(b"\r\nConnection: close\r\n", answer)
        # Large only as a whole, and complete.
        head = get("/-/ready", "Transfer-Encoding: chunked")
        answer = await self.exchange(
            head + (b"8000\r\n" + b"x" * 32768 + b"\r\n") * 3 + b"0\r\n\r\n"
        )
        self.assertTrue(answer.startswith(b"HTTP/1.1 413 "), answer)
        self.assertEqual(answer.count(b"HTTP/1.1"), 1)

    async def test_small(self) -> None:
        """A small body is taken and passed over, in either form, and the connection lives on."""
        self.serve()
        body = b"x" * 65536
        client = await self.connect()
        for header, sent in (
            ("Content-Length: 65536", body),
            ("Transfer-Encoding: chunked", b"10000\r\n" + body + b"\r\n0\r\n\r\n"),
        ):
            client.transport.write(get("/metrics", header) + sent)
            self.assertEqual((await client.response()).status, 200)

    async def test_in_memory(self) -> None:
        """No body, of no matter what length, makes a temporary file."""
        self.patch(
            __import__("twisted.web.http", fromlist=["tempfile"]).tempfile,
            "TemporaryFile",
            lambda *args: self.fail("a temporary file"),
        )
        self.serve()
        for header in ("Content-Length: 60000", "Transfer-Encoding: chunked"):
            chunk = b"" if "Length" in header else b"ea60\r\n"
            end = b"\r\n0\r\n\r\n" if chunk else b""
            client = await self.connect(get("/metrics", header) + chunk + b"x" * 60000 + end)
            self.assertEqual((await client.response()).status, 200)


class HeaderTests(SiteTestCase):
    """Tests for request lines and headers."""

    async def test_endless(self) -> None:
        """Endless request lines, headers and continuation lines are refused."""
        self.serve()
        for head, piece in (
            (b"", b"x" * 65536),
            (b"GET /", b"x" * 1000),
            (b"GET / HTTP/1.1\r\n", b"a: b\r\n" * 1000),
            (b"GET / HTTP/1.1\r\n", b"a: " + b"b" * 1000 + b"\r\n"),
            (b"GET / HTTP/1.1\r\na: b\r\n", b" \r\n" * 10000),
            (b"GET / HTTP/1.1\r\na: ", b"b" * 65536),
            (b"", b"\r\n" * 10000),
        ):
            before = resident()
            client = await self.connect(head)
            flood = Flood(client, piece, 100 * MEGABYTE)
            await client.lost
            self.assertLess(flood.sent, 20 * MEGABYTE)
            self.assertLess(resident() - before, 20 * MEGABYTE)
        self.assertEqual((await self.ask()).status, 200)

    async def test_bad(self) -> None:
        """What is not HTTP is a 400, without a traceback in the log."""
        self.serve()
        for request in (
            b"nonsense\r\n\r\n",
            b"GET /\r\n\r\n",
            b"GET /" + b"x" * 20_000,
            b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            b"GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        ):
            answer = await self.exchange(request)
            self.assertTrue(answer.startswith(b"HTTP/1.1 400 "), (request[:80], answer))
        self.assertEqual(self.flushLoggedErrors(), [])


class SlowReaderTests(SiteTestCase):
    """Tests for clients that do not read."""

    page = b"x" * (5 * MEGABYTE)

    async def unread(self, number: int, request: bytes) -> list[Client]:
        """So many clients that send ``request`` and never read."""
        clients = []
        for _ in range(number):
            client = await self.connect()
            client.transport.pauseProducing()
            client.transport.write(request)
            clients.append(client)
        await self.until_count(number, State.RESPONDING)
        return clients

    async def test_fifty(self) -> None:
        """Fifty of them hold one page together; the others are answered."""
        calls = []

        def render(openmetrics: bool) -> bytes:
            calls.append(openmetrics)
            # Not the same bytes again, as a page's text is not.
            return bytes(bytearray(self.page))

        self.serve(render)
        before = resident()
        await self.unread(50, get())
        self.assertLess(resident() - before, 60 * MEGABYTE)
        self.assertLess(len(calls), 50)
        for headers in ([], ["Accept-Encoding: gzip"]):
            self.assertEqual((await self.ask("/metrics", *headers)).status, 200)
        for path in ("/-/ready", "/"):
            self.assertEqual((await self.ask(path)).status, 200)

    async def test_response_timeout(self) -> None:
        """A response that is not taken in time ends the connection."""
        self.serve(lambda openmetrics: self.page, Limits(response_timeout=0.3, close_timeout=60))
        await self.unread(3, get())
        await self.until_count(0, *State)
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_pipelined(self) -> None:
        """One that sends requests without end and reads nothing costs no more."""
        for method, path in (
            ("GET", "/metrics"),
            ("HEAD", "/metrics"),
            ("GET", "/"),
            ("GET", "/x"),
        ):
            self.serve(lambda openmetrics: self.page, Limits(response_timeout=1))
            before = resident()
            client = await self.connect()
            client.transport.pauseProducing()
            flood = Flood(client, get(path, method=method) * 1000, 400 * MEGABYTE)
            await self.until(lambda: bool(self.stalled))
            self.assertLess(resident() - before, 40 * MEGABYTE)
            await client.lost
            self.assertLess(flood.sent, 100 * MEGABYTE)
            self.assertLess(resident() - before, 40 * MEGABYTE)

    async def test_gone(self) -> None:
        """Once they are gone, so is the page they held."""
        self.serve(lambda openmetrics: bytes(bytearray(self.page * 10)))
        before = resident()
        for client in await self.unread(3, get()):
            client.transport.abortConnection()
        await self.until_count(0, *State)
        self.assertLess(resident() - before, 20 * MEGABYTE)


class TimeoutTests(SiteTestCase):
    """Tests for the deadlines of a connection."""

    async def test_silent(self) -> None:
        """A connection on which nothing is sent is closed."""
        self.serve(limits=Limits(request_timeout=0.1))
        self.assertEqual(await self.exchange(b""), b"")

    async def test_dripped(self) -> None:
        """A request that comes a byte at a time does not extend its deadline."""
        self.serve(limits=Limits(request_timeout=0.3))
        for before in (b"", get()):
            client = await self.connect(before)
            if before:
                await client.response()
            await self.drip(client, chain(b"GET / HTTP/1.1\r\na: ", repeat(ord("b"))))

    async def drip(self, client: Client, request: Iterator[int]) -> None:
        """Send it byte by byte until the site closes the connection."""
        dripping = LoopingCall(lambda: client.transport.write(bytes([next(request)])))
        dripping.start(0.01)
        await client.lost
        dripping.stop()

    async def test_half_pipelined(self) -> None:
        """The rest of a request that came along with a whole one has the same deadline."""
        self.serve(limits=Limits(request_timeout=0.2))
        for part in (b"GET", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\na: b"):
            answer = await self.exchange(get("/-/ready") + part)
            self.assertTrue(answer.endswith(b"OK\n"), answer)

    async def test_keep_alive(self) -> None:
        """Between two requests a connection may wait longer than for the rest of one."""
        clock = SteppedReactor()
        self.serve(limits=Limits(request_timeout=30, keep_alive=130), clock=clock)
        client = await self.connect(get("/-/ready"))
        await client.response()
        await self.until_count(1, State.IDLE)
        clock.advance(129)
        client.transport.write(get("/-/ready"))
        await client.response()
        await self.until_count(1, State.IDLE)
        clock.advance(129)
        self.assertFalse(client.lost.called)
        clock.advance(1)
        await client.lost
