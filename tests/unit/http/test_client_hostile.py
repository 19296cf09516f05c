"""Tests of the HTTP client against servers that flood, drip and send nonsense."""

import gzip
from collections.abc import Callable

from restic_reporter.model.errors import Reason
from tests.doubles.hostile import (
    BROKEN,
    FLOODS,
    MALFORMED,
    SLOW,
    ServerConnection,
    answer,
)
from tests.doubles.http_case import BUFFERS, LIMIT, SECRET, ServerCase, reactor


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
