"""What the tests of the HTTP client share: servers on real sockets."""

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet import reactor as default_reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from restic_reporter.concurrency.deadline import Deadline
from restic_reporter.http import BoundedHTTPClient, Response, basic_auth
from restic_reporter.http import client as client_module
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.model.snapshots import Meter
from tests.doubles.hostile import (
    TOLD,
    HostileAnswer,
    HostileServer,
    ServerConnection,
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
