"""Hostile and honest servers on real sockets against the HTTP client."""

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXServerEndpoint

from restic_reporter.concurrency.deadline import Deadline
from restic_reporter.http import basic_auth
from restic_reporter.model.errors import Reason
from restic_reporter.model.repository import Transport
from tests.doubles.certificates import Authority
from tests.doubles.hostile import (
    HostileServer,
    ServerConnection,
    answer,
)
from tests.doubles.http_case import LIMIT, SECRET, ServerCase, reactor


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

    async def test_close_idle(self) -> None:
        """Kept connections are closed; one that is in use serves the next request too."""
        asked: Deferred[ServerConnection] = Deferred()
        server = await self.serve(asked.callback)
        asking = Deferred.fromCoroutine(self.get(server))
        busy = await asked
        server.behave = lambda c: c.push(answer(b"[]"))
        await self.get(server)
        await self.client.close_idle()
        idle = server.connections[1]
        await idle.lost
        busy.push(answer(b"[1]"))
        self.assertEqual((await asking).body, b"[1]")
        await self.get(server)
        self.assertEqual(server.connections, [busy, idle])

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
