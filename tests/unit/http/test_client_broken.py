"""Tests of the HTTP client and connections that break or cannot be made."""

import os
import sys
from pathlib import Path

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.utils import getProcessOutputAndValue

from restic_reporter.concurrency.deadline import Deadline
from restic_reporter.http import BoundedHTTPClient
from restic_reporter.model.errors import Reason
from tests.doubles.hostile import (
    ServerConnection,
    answer,
)
from tests.doubles.http_case import ServerCase, reactor


class BrokenConnectionTests(ServerCase):
    """Servers that refuse, break or stay silent."""

    async def test_refused(self) -> None:
        """A port where nobody listens is a network error at once, tried once."""
        server = await self.serve(lambda c: None)
        await server.deafen()
        error = await self.refused(server, Reason.NETWORK)
        self.assertIn(f"127.0.0.1:{server.port}", str(error))
        self.assertEqual(self.meter.requests, {"list": 1})

    async def test_unknown_host(self) -> None:
        """A host name that cannot be resolved, or be one, is a network error."""
        for host in ("nowhere.invalid", "a..b"):
            request = self.client.request(
                "GET",
                f"http://{host}/",
                deadline=Deadline.after(reactor, 10),
                meter=self.meter,
                operation="load",
            )
            error = await self.failure(request)
            self.assertEqual(error.reason, Reason.NETWORK)
            self.assertIn(f"load at {host}:80", str(error))

    async def test_reset_then_well(self) -> None:
        """A GET whose connection is reset is sent again."""

        def behave(c: ServerConnection) -> None:
            if len(server.requests) < 3:
                c.reset()
            else:
                c.push(answer(b"[]"))

        server = await self.serve(behave)
        self.assertEqual((await self.get(server)).body, b"[]")
        self.assertEqual(self.meter.requests, {"list": 3})

    async def test_always_reset(self) -> None:
        """Three resets are a network error."""
        server = await self.serve(lambda c: c.reset())
        await self.refused(server, Reason.NETWORK)
        self.assertEqual(len(server.requests), 3)

    async def test_post_is_not_repeated(self) -> None:
        """A POST whose connection is reset is not sent again."""
        server = await self.serve(lambda c: c.reset())
        await self.refused(server, Reason.NETWORK, method="POST", body=b"{}")
        self.assertEqual(len(server.requests), 1)

    async def test_stale_connection(self) -> None:
        """A kept connection that the server drops as it is asked is replaced."""

        def behave(c: ServerConnection) -> None:
            if len(server.requests) == 2:
                c.reset()
            else:
                c.push(answer(b"[]"))

        server = await self.serve(behave)
        await self.get(server)
        self.assertEqual((await self.get(server)).body, b"[]")
        self.assertEqual((len(server.requests), len(server.connections)), (3, 2))

    async def test_silent_for_too_long(self) -> None:
        """Silence beyond the idle limit ends it before the deadline, in headers and body."""
        client = self.make_client(idle_timeout=0.3)
        for head in (b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n1"):
            with self.subTest(head):
                server = await self.serve(lambda c, h=head: c.push(h))  # type: ignore[misc]
                error = await self.refused(server, Reason.TIMEOUT, client=client)
                self.assertIn("timed out after 0.3 s without data", str(error))
                self.assertEqual(len(server.requests), 1)

    async def test_cancel(self) -> None:
        """Cancelling closes the connection and raises CancelledError, in headers and body."""
        for head in (b"", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n1"):
            with self.subTest(head):
                asked: Deferred[None] = Deferred()

                def behave(
                    c: ServerConnection, head: bytes = head, asked: Deferred[None] = asked
                ) -> None:
                    c.push(head)
                    reactor.callLater(0.05, asked.callback, None)

                server = await self.serve(behave)
                request = Deferred.fromCoroutine(self.get(server))
                await asked
                request.cancel()
                await self.assertFailure(request, CancelledError)
                await server.all_closed()
                self.assertEqual(len(server.requests), 1)

    async def test_cancel_while_connecting(self) -> None:
        """Cancelling before there is a connection raises CancelledError too."""
        server = await self.serve(lambda c: None)
        for host in ("127.0.0.1", "localhost"):
            request = Deferred.fromCoroutine(self.get(server, host=host))
            request.cancel()
            await self.assertFailure(request, CancelledError)

    async def test_unavailable_then_well(self) -> None:
        """A 503 is asked again, over the same connection."""

        def behave(c: ServerConnection) -> None:
            status = "503 Busy" if len(server.requests) == 1 else "200 OK"
            c.push(answer(b"[]", status, "Retry-After: 0"))

        server = await self.serve(behave)
        self.assertEqual((await self.get(server)).status, 200)
        self.assertEqual((len(server.requests), len(server.connections)), (2, 1))

    async def test_close_ends_requests(self) -> None:
        """Closing ends each request at once: one that connects, waits for an answer or a retry."""
        refused: Deferred[None] = Deferred()

        def chance() -> float:
            # Asked for just before the wait begins.
            reactor.callLater(0, refused.callback, None)
            return 0.0

        client = BoundedHTTPClient(reactor, random=chance)
        busy = await self.serve(lambda c: c.push(answer(b"", "503 Busy", "Retry-After: 9")))
        before = await self.timers()
        asked: Deferred[ServerConnection] = Deferred()
        silent = await self.serve(asked.callback)
        requests = [
            Deferred.fromCoroutine(self.get(server, client=client)) for server in (busy, silent)
        ]
        await refused
        await asked
        requests.append(Deferred.fromCoroutine(self.get(silent, client=client)))
        await client.close()
        self.assertEqual(await self.timers(), before)
        for request in requests:
            error = await self.failure(request)
            self.assertEqual(error.reason, Reason.NETWORK)
            self.assertIn("the HTTP client is closed", str(error))
        await silent.all_closed()


class DescriptorTests(ServerCase):
    """A process that may open nothing more."""

    async def test_no_descriptors(self) -> None:
        """Without a file descriptor left it is a network error, and well again afterwards."""
        server = await self.serve(lambda c: c.push(answer(b"[]")))
        output, errors, status = await getProcessOutputAndValue(
            sys.executable,
            ["-m", "tests.doubles.without_descriptors", f"http://127.0.0.1:{server.port}/"],
            env=os.environ,
            path=str(Path(__file__).parents[3]),
        )
        self.assertEqual(
            (output.split(), errors, status), ([b"network", b"network", b"200"], b"", 0)
        )
        self.assertEqual(len(server.requests), 1)
