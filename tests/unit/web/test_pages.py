"""Tests for the pages, over real connections."""

import gzip
import zlib
from typing import Any

import treq
from twisted.internet.defer import Deferred, DeferredList, DeferredQueue
from twisted.web.client import Agent

from restic_reporter.web.compression import Compressor
from restic_reporter.web.connections import State
from tests.doubles.pages import OM_PAGE, TEXT, TEXT_PAGE, Renderer
from tests.doubles.web_clients import SiteTestCase, get, reactor
from tests.unit.web.test_negotiate import JUNK, PROMETHEUS_2_53, PROMETHEUS_3_5

TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"


OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class MetricsPageTests(SiteTestCase):
    """Tests for ``/metrics``."""

    async def test_text(self) -> None:
        """Without an Accept header the answer is the text format, uncompressed."""
        self.serve(Renderer())
        response = await self.ask()
        self.assertEqual(response.status, 200)
        self.assertEqual(response.body, TEXT_PAGE)
        self.assertEqual(response.headers["content-type"], TEXT_FORMAT)
        self.assertEqual(response.length, len(TEXT_PAGE))
        self.assertEqual(response.headers["vary"], "Accept, Accept-Encoding")
        self.assertEqual(response.headers["server"], "restic-reporter")
        self.assertNotIn("content-encoding", response.headers)

    async def test_openmetrics(self) -> None:
        """Prometheus gets OpenMetrics, also when it sends the header in two lines."""
        self.serve(Renderer())
        first, _, second = PROMETHEUS_3_5.partition(",text")
        for headers in (
            [f"Accept: {PROMETHEUS_2_53}"],
            [f"Accept: {PROMETHEUS_3_5}"],
            [f"Accept: {first}", f"Accept: text{second}"],
        ):
            response = await self.ask("/metrics", *headers)
            self.assertEqual(response.body, OM_PAGE)
            self.assertEqual(response.headers["content-type"], OPENMETRICS)

    async def test_gzip(self) -> None:
        """A small page and a large one are compressed where the client takes that."""
        for padding in (0, 3_000_000):
            renderer = Renderer(padding)
            self.serve(renderer)
            response = await self.ask("/metrics", "Accept-Encoding: gzip, br")
            self.assertEqual(response.headers["content-encoding"], "gzip")
            self.assertEqual(response.length, len(response.body))
            self.assertEqual(gzip.decompress(response.body), renderer(False))

    async def test_treq(self) -> None:
        """An ordinary HTTP client reads a page of megabytes whole."""
        renderer = Renderer(5_000_000)
        self.serve(renderer)
        response = await treq.get(
            f"http://127.0.0.1:{self.port}/metrics", agent=Agent(reactor), timeout=20
        )
        self.assertEqual(await treq.content(response), renderer(False))

    async def test_head(self) -> None:
        """HEAD gets the headers of GET, and nothing else."""
        self.serve(Renderer(300_000))
        for headers in ([], ["Accept-Encoding: gzip", f"Accept: {PROMETHEUS_3_5}"]):
            head = await self.ask("/metrics", *headers, method="HEAD")
            whole = await self.ask("/metrics", *headers)
            self.assertEqual(head.body, b"")
            for answer in (head, whole):
                answer.headers.pop("date")
            self.assertEqual(head.headers, whole.headers)

    async def test_query(self) -> None:
        """A query is ignored."""
        self.serve()
        for query in ("?", "?a=b&name[]=x", "?" + "&" * 5000, "?%ff"):
            self.assertEqual((await self.ask(f"/metrics{query}")).status, 200)

    async def test_bad_accept(self) -> None:
        """No Accept or Accept-Encoding header makes the answer an error."""
        self.serve(Renderer())
        for junk in (*JUNK, "," * 8000, "a;" * 4000):
            if "\x00" in junk or any(ord(character) > 255 for character in junk):
                continue
            response = await self.ask("/metrics", f"Accept: {junk}", f"Accept-Encoding: {junk}")
            self.assertEqual((response.status, response.body), (200, TEXT_PAGE), junk)
            self.assertEqual(response.headers["content-type"], TEXT_FORMAT)

    async def test_render_fails(self) -> None:
        """A page that cannot be made is a 500 without details; the log has the traceback."""

        def render(openmetrics: bool) -> bytes:
            raise ZeroDivisionError("a detail")

        self.serve(render)
        response = await self.ask("/metrics", "Accept-Encoding: gzip")
        self.assertEqual(response.status, 500)
        self.assertEqual(response.body, b"500 Internal Server Error\n")
        self.assertEqual(response.headers["content-type"], TEXT)
        (failure,) = self.flushLoggedErrors(ZeroDivisionError)
        self.assertIn('raise ZeroDivisionError("a detail")', failure.getTraceback())

    async def test_compression_fails(self) -> None:
        """A page that cannot be compressed is a 500 too, and the next scrape is fine."""
        self.serve(Renderer(300_000))

        def broken(*args: Any, **kwargs: Any) -> bytes:
            raise zlib.error("no")

        patch = self.patch(Compressor, "compress", broken)
        response = await self.ask("/metrics", "Accept-Encoding: gzip")
        self.assertEqual(response.status, 500)
        self.assertNotIn("content-encoding", response.headers)
        self.assertEqual(len(self.flushLoggedErrors(zlib.error)), 1)
        patch.restore()
        self.assertEqual((await self.ask("/metrics", "Accept-Encoding: gzip")).status, 200)

    async def test_leaves_during_compression(self) -> None:
        """A client that leaves while its page is compressed does no harm."""
        self.serve(Renderer(5_000_000))
        for _ in range(3):
            client = await self.connect(get("/metrics", "Accept-Encoding: gzip"))
            client.transport.loseConnection()
            await client.lost
        response = await self.ask("/metrics", "Accept-Encoding: gzip")
        self.assertEqual(response.status, 200)

    async def test_in_turns(self) -> None:
        """Scrapes that come while a page is made share it, though the first one leaves."""
        renders: DeferredQueue[Deferred[bytes]] = DeferredQueue()

        async def render(openmetrics: bool) -> bytes:
            page: Deferred[bytes] = Deferred()
            renders.put(page)
            return await page

        self.serve(render)
        first = await self.connect(get())
        page = await renders.get()
        others = [
            await self.connect(get("/metrics", *headers))
            for headers in ([], ["Accept-Encoding: gzip"])
        ]
        await self.until_count(3, State.RESPONDING)
        first.transport.loseConnection()
        await first.lost
        page.callback(TEXT_PAGE)
        responses = [await client.response() for client in others]
        self.assertEqual(responses[0].body, TEXT_PAGE)
        self.assertEqual(gzip.decompress(responses[1].body), TEXT_PAGE)
        self.assertEqual(renders.pending, [])

    async def test_failure_in_turns(self) -> None:
        """A page that cannot be made is a 500 for all who wait for it, and no later one."""
        renders: DeferredQueue[Deferred[bytes]] = DeferredQueue()

        async def render(openmetrics: bool) -> bytes:
            page: Deferred[bytes] = Deferred()
            renders.put(page)
            return await page

        self.serve(render)
        client = await self.connect(get())
        (await renders.get()).errback(ZeroDivisionError())
        self.assertEqual((await client.response()).status, 500)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        client = await self.connect(get())
        (await renders.get()).callback(TEXT_PAGE)
        self.assertEqual((await client.response()).status, 200)

    async def test_fresh(self) -> None:
        """A scrape that comes after another one has its own page."""
        renderer = Renderer()
        self.serve(renderer)
        client = await self.connect()
        for _ in range(3):
            client.transport.write(get())
            await client.response()
        self.assertEqual(len(renderer.calls), 3)

    async def test_shared(self) -> None:
        """Scrapes that come at the same time share a page, one for each format."""
        renderer = Renderer(5_000_000)
        self.serve(renderer)
        compressed = []
        compress = Compressor.compress

        def counted(compressor: Compressor, body: bytes) -> bytes:
            compressed.append(body)
            return compress(compressor, body)

        self.patch(Compressor, "compress", counted)
        kinds: tuple[list[str], ...] = (
            [],
            ["Accept-Encoding: gzip"],
            [f"Accept: {PROMETHEUS_3_5}"],
            [f"Accept: {PROMETHEUS_3_5}", "Accept-Encoding: gzip"],
        )
        clients = [await self.connect() for _ in range(12)]
        for number, client in enumerate(clients):
            client.transport.write(get("/metrics", *kinds[number % 4]))
        responses = await DeferredList([client.response() for client in clients])
        self.assertEqual({response.status for _, response in responses}, {200})
        self.assertEqual(sorted(renderer.calls), [False, True])
        self.assertEqual(len(compressed), 2)
