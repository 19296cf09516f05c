"""Tests for how many clients the site serves, over real connections."""

import contextlib
import os
import resource
import socket

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from restic_reporter.concurrency.deadline import sleep
from restic_reporter.web.connections import Limits, State
from tests.doubles.web_clients import Client, SiteTestCase, get, reactor

MEGABYTE = 1_000_000


@implementer(IReadDescriptor)
class Readable:
    """``event`` fires when something can be read from ``client``, or its end."""

    def __init__(self, client: socket.socket) -> None:
        self.event: Deferred[None] = Deferred()
        self._client = client
        reactor.addReader(self)

    def fileno(self) -> int:
        """Its descriptor."""
        return self._client.fileno()

    def doRead(self) -> None:
        """Tell it, once."""
        reactor.removeReader(self)
        self.event.callback(None)

    def connectionLost(self, reason: Failure) -> None:
        """The end is read like anything else."""
        if not self.event.called:
            self.doRead()

    def logPrefix(self) -> str:
        """Of this class."""
        return "Readable"


class ManyConnections(SiteTestCase):
    """What tests for many connections have in common."""

    def setUp(self) -> None:
        """Have descriptors for both ends of all connections."""
        super().setUp()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))

    def open_ones(self) -> int:
        """How many connections are open and not closing."""
        return self.site.connections.count(State.RECEIVING, State.RESPONDING, State.IDLE)


class ConnectionCountTests(ManyConnections):
    """Tests for many connections."""

    async def test_thousand_silent(self) -> None:
        """A thousand clients that say nothing keep nobody from being answered."""
        self.serve()
        connecting = [Deferred.fromCoroutine(self.connect()) for _ in range(1000)]
        await DeferredList(connecting)
        self.assertEqual((await self.ask()).status, 200)
        self.assertLessEqual(self.open_ones(), 512)

    async def test_longest_idle(self) -> None:
        """The connection that has been idle longest makes room for a new one."""
        self.serve(limits=Limits(max_connections=3))
        clients = [await self.connect() for _ in range(3)]
        for number in (0, 1, 2, 0):
            clients[number].transport.write(get())
            await clients[number].response()
        new = await self.connect(get())
        await new.response()
        await clients[1].lost
        self.assertFalse(clients[0].lost.called or clients[2].lost.called)

    async def test_idle_before_receiving(self) -> None:
        """One between two requests goes before one that may be about to send its first."""
        self.serve(limits=Limits(max_connections=2))
        silent = await self.connect()
        idle = await self.connect(get())
        await idle.response()
        await self.connect(get())
        await idle.lost
        self.assertFalse(silent.lost.called)

    async def stall(self, number: int) -> list[Client]:
        """Clients that ask for more than the kernel's buffers hold, and do not read."""
        clients = []
        for _ in range(number):
            client = await self.connect()
            client.transport.pauseProducing()
            client.transport.write(get())
            clients.append(client)
            await self.until(lambda: len(self.stalled) == len(clients))
        return clients

    async def test_not_reading(self) -> None:
        """Where nobody is idle, the one that has not taken its response longest makes room."""
        self.serve(lambda openmetrics: b"x" * 5 * MEGABYTE, Limits(max_connections=2))
        stalled = await self.stall(2)
        self.assertEqual((await self.ask("/-/ready")).status, 200)
        for client in stalled:
            client.transport.resumeProducing()
        await stalled[0].lost
        self.assertEqual((await stalled[1].response()).length, 5 * MEGABYTE)

    async def test_address_with_most(self) -> None:
        """The room is made by the address that has most connections, however long others wait."""
        self.serve(limits=Limits(max_connections=3))
        other = await self.connect(source="127.0.0.2")
        await self.until_count(1, State.RECEIVING)
        many = [await self.connect() for _ in range(2)]
        self.assertEqual((await self.ask()).status, 200)
        await many[0].lost
        other.transport.write(get("/-/healthy"))
        self.assertEqual((await other.response()).status, 200)

    async def test_being_answered(self) -> None:
        """Those for which a response is made are not ended for others, of whom few may come."""
        page: Deferred[bytes] = Deferred()

        async def render(openmetrics: bool) -> bytes:
            return await page

        self.serve(render, Limits(max_connections=8))
        waiting = []
        for number in range(1, 11):
            waiting.append(await self.connect(get()))
            await self.until_count(number, State.RESPONDING)
        self.assertEqual(await self.exchange(get("/-/ready")), b"")
        page.callback(b"a 1\n")
        for client in waiting:
            self.assertEqual((await client.response()).status, 200)

    async def test_no_descriptors(self) -> None:
        """Without a free descriptor clients are turned away, and later ones are answered."""
        self.serve()
        self.assertEqual((await self.ask()).status, 200)
        sockets = [socket.socket() for _ in range(5)]
        for client in sockets:
            self.addCleanup(client.close)
            client.setblocking(False)
        highest = max(int(name) for name in os.listdir("/proc/self/fd"))
        taken = []
        while (descriptor := os.open(os.devnull, os.O_RDONLY)) < highest:
            taken.append(descriptor)
        taken.append(descriptor)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptor + 1, hard))
        try:
            self.assertRaises(OSError, os.open, os.devnull, os.O_RDONLY)
            for client in sockets:
                client.connect_ex(("127.0.0.1", self.port))
            for client in sockets:
                await Readable(client).event
                with contextlib.suppress(ConnectionError):
                    self.assertEqual(client.recv(1), b"")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for descriptor in taken:
                os.close(descriptor)
        self.assertEqual((await self.ask()).status, 200)


class BurstTests(ManyConnections):
    """Tests for a thousand requests at once, which over TLS take the processor too long."""

    async def test_thousand(self) -> None:
        """A thousand clients that come at once are all answered, and no more than 512 stay."""
        self.serve(lambda openmetrics: b"a 1\n" * 1000)
        connecting = [Deferred.fromCoroutine(self.connect(get())) for _ in range(1000)]
        clients = [client for _, client in await DeferredList(connecting)]
        answers = await DeferredList([client.response() for client in clients])
        self.assertEqual({answer.status for _, answer in answers}, {200})
        self.assertLessEqual(self.open_ones(), 512)
        await self.until_count(0, State.CLOSING, State.ABORTING)
        self.assertEqual((await self.ask()).status, 200)

    async def test_thousand_not_reading(self) -> None:
        """A thousand clients that ask and never read keep nobody from being answered."""
        self.serve(lambda openmetrics: b"a 1\n" * 2000)
        request = get() * 100

        async def flood() -> None:
            client = await self.connect()
            client.transport.pauseProducing()
            client.transport.write(request)

        flooding = [Deferred.fromCoroutine(flood()) for _ in range(1000)]
        for _ in range(20):
            for path in ("/-/healthy", "/metrics"):
                self.assertEqual((await self.ask(path)).status, 200)
        await DeferredList(flooding)
        self.assertEqual((await self.ask()).status, 200)

    async def test_closing(self) -> None:
        """Connections that never take the end of what they are sent do not pile up."""
        self.serve(
            lambda openmetrics: b"x" * 5 * MEGABYTE,
            Limits(max_connections=4, close_timeout=60, request_timeout=60, response_timeout=60),
        )
        for _ in range(20):
            client = await self.connect()
            client.transport.pauseProducing()
            client.transport.write(get())
            await self.until_count(1, State.RESPONDING)
            # Until the kernel's buffers are full: being stalled for a moment is not that, and
            # nothing tells it.
            await sleep(reactor, 0.05)
            for channel in self.channels(State.RESPONDING):
                channel.loseConnection()
        self.assertEqual(self.site.connections.count(State.CLOSING), 2)
