"""Tests of `restic_reporter.concurrency.resolver`."""

import socket
import sys
from typing import Any

from twisted.internet import reactor
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHostnameResolver, IHostResolution, IResolutionReceiver
from twisted.trial.unittest import TestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from restic_reporter.concurrency.resolver import DaemonThreadResolver
from tests.doubles.programs import Folder


@implementer(IResolutionReceiver)
class Receiver:
    """Gathers the addresses of one look-up."""

    def __init__(self) -> None:
        self.addresses: list[Any] = []
        self.complete: Deferred[list[Any]] = Deferred()

    def resolutionBegan(self, resolution: IHostResolution) -> None:
        verifyObject(IHostResolution, resolution)

    def addressResolved(self, address: Any) -> None:
        self.addresses.append(address)

    def resolutionComplete(self) -> None:
        self.complete.callback(self.addresses)


class ResolverTests(TestCase):
    """Looking names up."""

    def look_up(self, name: str, getaddrinfo: Any = socket.getaddrinfo) -> "Deferred[list[Any]]":
        """The addresses of ``name`` at port 80."""
        resolver = DaemonThreadResolver(reactor, getaddrinfo)  # type: ignore[arg-type]
        verifyObject(IHostnameResolver, resolver)
        receiver = Receiver()
        resolver.resolveHostName(receiver, name, 80)
        return receiver.complete

    async def test_name(self) -> None:
        """A name has the addresses that the C library knows."""
        addresses = await self.look_up("localhost")
        self.assertIn(IPv4Address("TCP", "127.0.0.1", 80), addresses)

    async def test_unknown_name(self) -> None:
        """A name that nobody knows has none."""

        def unknown(*arguments: Any) -> Any:
            raise socket.gaierror("unknown")

        self.assertEqual(await self.look_up("no.such.host", unknown), [])

    def test_literals(self) -> None:
        """An address is its own, at once and without a thread."""
        for name, address in (
            ("127.0.0.1", IPv4Address("TCP", "127.0.0.1", 80)),
            ("::1", IPv6Address("TCP", "::1", 80)),
        ):
            self.assertEqual(self.successResultOf(self.look_up(name, None)), [address])

    def test_hanging_look_up_does_not_hold_the_end_up(self) -> None:
        """A process whose look-up hangs ends at once when its reactor is stopped."""
        folder = Folder()
        self.addCleanup(folder.close)
        program = folder.run(
            [
                sys.executable,
                "-c",
                "import threading\n"
                "from twisted.internet import reactor\n"
                "from tests.unit.concurrency.test_resolver import Receiver\n"
                "from restic_reporter.concurrency.resolver import DaemonThreadResolver\n"
                "def hang(*arguments):\n"
                "    reactor.callFromThread(reactor.stop)\n"
                "    threading.Event().wait()\n"
                "resolver = DaemonThreadResolver(reactor, hang)\n"
                "reactor.callWhenRunning(resolver.resolveHostName, Receiver(), 'x.invalid')\n"
                "reactor.run()\n"
                "print('ended', threading.active_count())\n",
            ],
            {"PYTHONPATH": ":".join(sys.path)},
        )
        program.wait_for("ended 2")
        self.assertEqual(program.end(), 0)
