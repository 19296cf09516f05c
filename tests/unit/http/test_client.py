"""Hostile and honest servers on real sockets against the HTTP client."""

import gzip
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor as default_reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint, UNIXServerEndpoint
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import deferLater
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

from restic_reporter.concurrency.deadline import Deadline
from restic_reporter.http import BoundedHTTPClient, Response, basic_auth
from restic_reporter.http import client as client_module
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.model.repository import Transport
from restic_reporter.model.snapshots import Meter
from tests.doubles.certificates import Authority
from tests.doubles.hostile import (
    BROKEN,
    FLOODS,
    MALFORMED,
    SLOW,
    TOLD,
    HostileAnswer,
    HostileServer,
    ServerConnection,
    answer,
)

reactor: Any = default_reactor
LIMIT = 100_000
# What a client that has stopped reading still lets a server write: socket buffers of both
# sides and the server's own (loopback buffers grow to some megabytes).
BUFFERS = 12_000_000
SECRET = TOLD


class ServerCase(TestCase):
    """A client, and servers that end with the test."""

    timeout = 20

    def setUp(self) -> None:
        # Their true length is tested with a clock of the test's own.
        self.patch(client_module, "BROKEN_WAITS", (0.01, 0.02))
        self.client = self.make_client()
        self.meter = Meter()

    def make_client(self, idle_timeout: float = 5.0) -> BoundedHTTPClient:
        """A client without jitter that ends with the test."""
        client = BoundedHTTPClient(reactor, random=lambda: 0.0, idle_timeout=idle_timeout)
        self.addCleanup(lambda: Deferred.fromCoroutine(client.close()))
        return client

    async def serve(
        self,
        behave: Callable[[ServerConnection], object],
        on_connect: Callable[[ServerConnection], object] | None = None,
    ) -> HostileServer:
        """A plain HTTP server."""
        server = HostileServer(behave, on_connect)
        await server.listen(TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1"))
        self.addCleanup(lambda: Deferred.fromCoroutine(server.stop()))
        return server

    async def get(
        self,
        server: HostileServer,
        *,
        method: str = "GET",
        scheme: str = "http",
        host: str = "127.0.0.1",
        seconds: float = 10.0,
        client: BoundedHTTPClient | None = None,
        **kwargs: Any,
    ) -> Response:
        """Ask ``server``, with credentials and a query that no message may show."""
        return await (client or self.client).request(
            method,
            f"{scheme}://{host}:{server.port}/repo/snapshots/?token={SECRET}",
            headers={"Authorization": basic_auth("user", SECRET), "X-Token": SECRET},
            deadline=Deadline.after(reactor, seconds),
            body_limit=LIMIT,
            meter=self.meter,
            operation="list",
            **kwargs,
        )

    async def timers(self) -> list[IDelayedCall]:
        """What the reactor is to do later, in its next turn: the test's own timeout among it."""
        await deferLater(reactor, 0)
        return list(reactor.getDelayedCalls())

    async def failure(self, request: Awaitable[Response]) -> ReadError:
        """The error that ``request`` ends with."""
        try:
            response = await request
        except ReadError as error:
            return error
        raise self.failureException(f"no error, but {response}")

    async def refused(self, server: HostileServer, reason: Reason, **kwargs: Any) -> ReadError:
        """
        The error that asking ``server`` gives, for ``reason``.

        It shows no secret, and the server sees all its connections closed.
        """
        error = await self.failure(self.get(server, **kwargs))
        await server.all_closed()
        self.assertEqual(error.reason, reason, str(error))
        text = f"{error} {error!r}"
        for secret in (SECRET, basic_auth("user", SECRET).split()[1], "token="):
            self.assertNotIn(secret, text)
        self.assertIn("list at ", text)
        return error

    async def assert_refused(self, hostile: HostileAnswer, **kwargs: Any) -> None:
        """
        The answer of the table ends as it must.

        The server can push no more than buffers take, and the meter has no more than the limit.
        """
        self.meter = Meter()
        server = await self.serve(lambda c: hostile.give(c, reactor))
        await self.refused(server, hostile.reason, **kwargs)
        self.assertEqual(len(server.requests), hostile.tries)
        self.assertEqual(self.meter.requests, {"list": hostile.tries})
        self.assertLess(server.pushed, BUFFERS)
        most = LIMIT + 70_000 if hostile.body is None else hostile.body
        self.assertLessEqual(self.meter.received_bytes.get("list", 0), most)


class HostileTests(ServerCase):
    """The table of hostile answers."""

    async def test_floods(self) -> None:
        """What does not end is cut off, soon, and asked for once."""
        for name, hostile in FLOODS.items():
            with self.subTest(name):
                await self.assert_refused(hostile)

    async def test_malformed(self) -> None:
        """What is not HTTP, or encoded, is refused, and its text is not shown."""
        for name, hostile in MALFORMED.items():
            with self.subTest(name):
                await self.assert_refused(hostile)

    async def test_broken(self) -> None:
        """What is cut short is asked for again."""
        for name, hostile in BROKEN.items():
            with self.subTest(name):
                await self.assert_refused(hostile)

    async def test_slow(self) -> None:
        """What does not come to an end is given up at the deadline."""
        client = self.make_client(idle_timeout=0.5)
        for name, hostile in SLOW.items():
            with self.subTest(name):
                await self.assert_refused(hostile, client=client, seconds=0.3)


class HonestServerTests(ServerCase):
    """What well-behaved servers get."""

    async def test_answer(self) -> None:
        """Status, headers and body come back; the credentials and the path were sent."""
        server = await self.serve(lambda c: c.push(answer(b"[]", "200 OK", "X-Kind: list")))
        response = await self.get(server)
        self.assertEqual((response.status, response.body), (200, b"[]"))
        self.assertEqual(response.headers.getRawHeaders("x-kind"), ["list"])
        [request] = server.requests
        lines = request.decode().split("\r\n")
        self.assertEqual(lines[0], f"GET /repo/snapshots/?token={SECRET} HTTP/1.1")
        self.assertIn("Authorization: " + basic_auth("user", SECRET), lines)
        self.assertIn(f"Host: 127.0.0.1:{server.port}", lines)

    async def test_no_encoding_is_accepted(self) -> None:
        """The request accepts no content encoding but identity."""
        server = await self.serve(lambda c: c.push(answer(b"[]")))
        await self.get(server)
        accepted = [
            line for line in server.requests[0].split(b"\r\n") if b"encoding" in line.lower()
        ]
        self.assertEqual(accepted, [b"Accept-Encoding: identity"])

    async def test_reuse(self) -> None:
        """Requests one after another use one connection."""
        server = await self.serve(lambda c: c.push(answer(b"[]")))
        for _ in range(5):
            await self.get(server)
        self.assertEqual((len(server.requests), len(server.connections)), (5, 1))

    async def test_close_ends_idle_connections(self) -> None:
        """Closing the client closes kept connections before it returns."""
        server = await self.serve(lambda c: c.push(answer(b"[]")))
        client = self.make_client()
        await self.get(server, client=client)
        self.assertFalse(server.connections[0].closed)
        await client.close()
        await server.all_closed()
        error = await self.refused(server, Reason.NETWORK, client=client)
        self.assertIn("closed", str(error))

    async def test_connection_close(self) -> None:
        """A server that closes after each answer is asked over new connections."""

        def behave(c: ServerConnection) -> None:
            c.push(answer(b"[]", "200 OK", "Connection: close"))
            c.close()

        server = await self.serve(behave)
        for _ in range(2):
            self.assertEqual((await self.get(server)).body, b"[]")
        self.assertEqual(len(server.connections), 2)
        self.assertEqual(self.meter.requests, {"list": 2})

    async def test_body_until_close(self) -> None:
        """A body that ends with an orderly close of the connection is taken for whole."""

        def behave(c: ServerConnection) -> None:
            c.push(b"HTTP/1.0 200 OK\r\n\r\n[1]")
            c.close()

        self.assertEqual((await self.get(await self.serve(behave))).body, b"[1]")

    async def test_chunked(self) -> None:
        """A chunked body comes back whole, and its bytes are counted without the framing."""
        chunks = b"3\r\n[1,\r\n2;x=y\r\n2]\r\n0\r\nTrailer: x\r\n\r\n"
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        server = await self.serve(lambda c: c.push(head + chunks))
        self.assertEqual((await self.get(server)).body, b"[1,2]")
        self.assertEqual(self.meter.received_bytes, {"list": 5})

    async def test_body_at_the_limit(self) -> None:
        """A body of exactly the limit is read, and counted."""
        server = await self.serve(lambda c: c.push(answer(b"x" * LIMIT)))
        self.assertEqual(len((await self.get(server)).body), LIMIT)
        self.assertEqual(self.meter.received_bytes, {"list": LIMIT})

    async def test_post(self) -> None:
        """A request's body is sent, with its length."""
        server = await self.serve(lambda c: c.push(answer(b"{}")))
        await self.get(server, method="POST", body=b'{"a": 1}')
        self.assertIn(b"Content-Length: 8", server.requests[0])
        self.assertTrue(server.connections[0].received.endswith(b'\r\n\r\n{"a": 1}'))

    async def test_head(self) -> None:
        """HEAD ends with the headers, and the connection is used again."""
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n"
        server = await self.serve(lambda c: c.push(head))
        for _ in range(2):
            self.assertEqual((await self.get(server, method="HEAD")).body, b"")
        self.assertEqual(len(server.connections), 1)

    async def test_interim_answer(self) -> None:
        """A 1xx answer before the real one is passed over."""
        interim = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
        server = await self.serve(lambda c: c.push(interim + answer(b"[]")))
        self.assertEqual((await self.get(server)).body, b"[]")

    async def test_unix_socket(self) -> None:
        """With a UNIX socket, requests go there whatever the URL's host, and are kept alive."""
        path = self.mktemp()[-60:].replace("/", "-")
        server = HostileServer(lambda c: c.push(answer(b"[]")))
        await server.listen(UNIXServerEndpoint(reactor, path))
        self.addCleanup(lambda: Deferred.fromCoroutine(server.stop()))
        for _ in range(2):
            response = await self.client.request(
                "GET",
                "http://nowhere.invalid/repo/",
                transport=Transport(unix_socket=path),
                deadline=Deadline.after(reactor, 5),
                meter=self.meter,
                operation="list",
            )
            self.assertEqual(response.body, b"[]")
        self.assertEqual(len(server.connections), 1)
        self.assertIn(b"Host: nowhere.invalid", server.requests[0])

    async def test_transports_are_apart(self) -> None:
        """A connection made for one Transport is not used for another, even to one server."""
        server = await self.serve(lambda c: c.push(answer(b"[]")))
        other = Transport(ca_certificates=Authority.make().pem)
        for _ in range(2):
            await self.get(server)
            await self.get(server, transport=other)
        self.assertEqual(len(server.connections), 2)


class FloodTests(ServerCase):
    """Servers that send more than they should."""

    def flood(self, head: bytes, block: bytes) -> Callable[[ServerConnection], None]:
        """Behaviour: ``head``, then ``block`` for ever."""

        def behave(connection: ServerConnection) -> None:
            connection.push(head)
            connection.flood(block)

        return behave

    async def test_one_byte_too_many(self) -> None:
        """A body one byte beyond the limit is refused, announced or not."""
        body = b"x" * (LIMIT + 1)
        for reply in (answer(body), b"HTTP/1.1 200 OK\r\n\r\n" + body):
            server = await self.serve(lambda c, r=reply: c.push(r))  # type: ignore[misc]
            await self.refused(server, Reason.TOO_LARGE)
            self.assertEqual(len(server.requests), 1)

    async def test_flood_after_the_answer(self) -> None:
        """What comes after a complete answer is not read; the connection is closed."""
        server = await self.serve(self.flood(answer(b"[]"), b"x" * 65536))
        self.assertEqual((await self.get(server)).body, b"[]")
        await server.all_closed()
        self.assertLess(server.pushed, BUFFERS)

    async def test_flood_before_the_request(self) -> None:
        """A server that pours before it is asked is cut off."""
        server = await self.serve(
            lambda c: None, self.flood(b"HTTP/1.1 200 OK\r\n", b"X-Header: value\r\n")
        )
        await self.refused(server, Reason.TOO_LARGE)
        self.assertLess(server.pushed, BUFFERS)

    async def test_unasked_bytes_on_a_kept_connection(self) -> None:
        """Bytes that arrive on an idle connection end it; the next request gets a new one."""
        server = await self.serve(lambda c: c.push(answer(b"[]")))
        await self.get(server)
        server.connections[0].push(answer(b'["planted"]'))
        await server.all_closed()
        self.assertEqual((await self.get(server)).body, b"[]")
        self.assertEqual(len(server.connections), 2)


class MalformedTests(ServerCase):
    """Servers whose answers are not what HTTP, or we, allow."""

    async def test_gzip(self) -> None:
        """An encoded body is refused by its header, unread and not decoded."""
        bomb = gzip.compress(b"\0" * 10_000_000)
        for encoding in ("gzip", "gzip, gzip", "identity, gzip", "br", "GZIP"):
            with self.subTest(encoding):
                header = f"Content-Encoding: {encoding}"
                reply = answer(gzip.compress(bomb), "200 OK", header)
                server = await self.serve(lambda c, r=reply: c.push(r))  # type: ignore[misc]
                await self.refused(server, Reason.PROTOCOL)
                self.assertEqual(len(server.requests), 1)
        self.assertEqual(self.meter.received_bytes, {})

    async def test_identity(self) -> None:
        """A Content-Encoding of identity changes nothing."""
        server = await self.serve(
            lambda c: c.push(answer(b"[]", "200 OK", "Content-Encoding: identity"))
        )
        self.assertEqual((await self.get(server)).body, b"[]")

    async def test_truncated_once(self) -> None:
        """A body that is whole the second time is what comes back, alone."""

        def behave(c: ServerConnection) -> None:
            if len(server.requests) == 1:
                c.push(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n[1")
                c.close()
            else:
                c.push(answer(b"[1,2]"))

        server = await self.serve(behave)
        self.assertEqual((await self.get(server)).body, b"[1,2]")

    async def test_reset_body_until_close(self) -> None:
        """A body of unknown length that ends with a reset is not taken for whole."""

        def behave(c: ServerConnection) -> None:
            c.push(b"HTTP/1.1 200 OK\r\n\r\n[1")
            reactor.callLater(0.05, c.reset)

        server = await self.serve(behave)
        await self.refused(server, Reason.NETWORK)
        self.assertEqual(len(server.requests), 3)

    async def test_redirect(self) -> None:
        """A redirect is refused, to the same host or another, which is never contacted."""
        other = await self.serve(lambda c: c.push(answer(b"[]")))
        other_place = f"http://127.0.0.1:{other.port}"
        for status in ("301 Moved", "302 Found", "307 Temporary", "308 Permanent", "304 Same"):
            for target, shown in (
                (f"{other_place}/steal?token={SECRET}", other_place),
                (f"http://user:{SECRET}@127.0.0.1:{other.port}/", other_place),
                (f"/elsewhere?token={SECRET}", "the same host"),
                ("http://[::1/", "an invalid URL"),
                ("http://" + "h" * 500 + "/", "//" + "h" * 193 + "'"),
            ):
                with self.subTest(f"{status} {target}"):
                    reply = answer(b"moved", status, f"Location: {target}")
                    server = await self.serve(lambda c, r=reply: c.push(r))  # type: ignore[misc]
                    error = await self.refused(server, Reason.REDIRECT)
                    self.assertIn(status[:3], str(error))
                    self.assertIn(shown, str(error))
                    self.assertEqual(len(server.requests), 1)
        self.assertEqual(other.connections, [])

    async def test_refused_is_not_kept(self) -> None:
        """The connection of a refused answer is closed, not kept for the next request."""
        server = await self.serve(lambda c: c.push(answer(b"", "302 Found", "Location: /")))
        before = await self.timers()
        await self.refused(server, Reason.REDIRECT)
        # A connection that is kept has a timeout.
        self.assertEqual(await self.timers(), before)

    async def test_cookies(self) -> None:
        """Cookies are neither kept nor sent."""
        server = await self.serve(lambda c: c.push(answer(b"[]", "200 OK", "Set-Cookie: a=b")))
        await self.get(server)
        await self.get(server)
        self.assertNotIn(b"cookie", server.requests[1].lower())

    async def test_other_statuses(self) -> None:
        """4xx answers come back to the caller with their body."""
        server = await self.serve(lambda c: c.push(answer(b"no", "403 Forbidden")))
        response = await self.get(server)
        self.assertEqual((response.status, response.body), (403, b"no"))


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
