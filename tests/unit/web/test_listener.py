"""Tests of `restic_reporter.web.listener`, with real sockets."""

import os
import socket
from contextlib import closing
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    UNIXClientEndpoint,
    connectProtocol,
)
from twisted.internet.interfaces import IListeningPort, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from restic_reporter.web.listener import Address, AddressError, Listener, parse_address


class ParseAddressTests(SynchronousTestCase):
    """`parse_address`."""

    def parsed(self, text: str) -> tuple[str | None, int, str | None]:
        """Host, port and endpoint string of an address."""
        address = parse_address(text)
        self.assertEqual(address.text, text)
        return address.host, address.port, address.endpoint

    def test_plain(self) -> None:
        """A port alone is at all interfaces; an IPv6 address stands in brackets."""
        self.assertEqual(self.parsed(":9121"), (None, 9121, None))
        self.assertEqual(self.parsed("127.0.0.1:80"), ("127.0.0.1", 80, None))
        self.assertEqual(self.parsed("localhost:0"), ("localhost", 0, None))
        self.assertEqual(self.parsed("[::1]:9121"), ("::1", 9121, None))

    def test_tcp_endpoints(self) -> None:
        """Twisted's TCP endpoints are understood, with colons escaped or not."""
        self.assertEqual(self.parsed("tcp:9121"), ("0.0.0.0", 9121, None))
        self.assertEqual(self.parsed("tcp6:9121"), ("::", 9121, None))
        self.assertEqual(self.parsed("tcp:9121:interface=::1"), ("::1", 9121, None))
        self.assertEqual(self.parsed(r"tcp:9121:interface=\:\:1"), ("::1", 9121, None))
        self.assertEqual(self.parsed("tcp4:1:interface=127.0.0.1"), ("127.0.0.1", 1, None))
        self.assertEqual(self.parsed("tcp:1:interface=::1:backlog=5"), ("::1", 1, None))
        self.assertEqual(self.parsed("tcp:1:backlog=5:interface=::1"), ("::1", 1, None))

    def test_other_endpoints(self) -> None:
        """Any other endpoint string is kept as it is."""
        for text in ("unix:/run/x.sock", "unix:/run/x.sock:mode=660"):
            self.assertEqual(self.parsed(text), (None, 0, text))

    def test_refused(self) -> None:
        """What is none of them is refused, with the forms that there are."""
        for text in ("", "::1:9121", "host:port", ":-1", "x y", "٣:٣", "carrier-pigeon:5:x", ":٩"):
            error = self.assertRaises(ValueError, parse_address, text)
            self.assertIn("use :PORT, HOST:PORT", str(error))
        for text, mend in (
            ("9121", ":9121"),
            ("localhost", "localhost:9121"),
            ("[::1]", "[::1]:9121"),
        ):
            error = self.assertRaises(ValueError, parse_address, text)
            self.assertEqual(str(error), f"invalid address {text!r}; did you mean {mend!r}?")
        for text in (":65536", "tcp:99999"):
            self.assertIn(
                "the highest is 65535", str(self.assertRaises(ValueError, parse_address, text))
            )

    def test_systemd(self) -> None:
        """A systemd endpoint without its socket is refused in plain words."""
        error = self.assertRaises(ValueError, parse_address, "systemd:domain=INET:index=0")
        self.assertIn("systemd passed no such socket", str(error))


class Hello(Protocol):
    """Says hello and hangs up."""

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(b"hello")
        self.transport.loseConnection()


class Hearing(Protocol):
    """Collects what is said until the end."""

    def __init__(self) -> None:
        self.heard = b""
        self.end: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.end.callback(self.heard)


def hello_factory() -> Factory:
    """A server's factory."""
    return Factory.forProtocol(Hello)


class ListenerTests(TestCase):
    """`Listener`."""

    def bound(self, host: str | None = "127.0.0.1", port: int = 0) -> tuple[Listener, int]:
        """A listener that has taken its address, and its port."""
        listener = Listener(Address("the address", host, port))
        made: list[socket.socket] = []
        make = socket.socket

        def note(*arguments: Any) -> socket.socket:
            made.append(make(*arguments))
            return made[-1]

        patch = self.patch(socket, "socket", note)
        try:
            listener.bind()
        finally:
            patch.restore()
        self.addCleanup(listener.release)
        self.taken = made[-1]
        return listener, self.taken.getsockname()[1]

    async def listen(self, listener: Listener) -> IListeningPort:
        """Serve; the port is closed at the end of the test."""
        port = await listener.listen(reactor, hello_factory())
        self.addCleanup(port.stopListening)
        return port

    async def heard(self, endpoint: IStreamClientEndpoint) -> bytes:
        """What a client hears."""
        hearing = await connectProtocol(endpoint, Hearing())
        heard: bytes = await hearing.end
        return heard

    def connects(self, port: int, family: int = socket.AF_INET, host: str = "127.0.0.1") -> bool:
        """Whether anybody listens."""
        with closing(socket.socket(family)) as client:
            client.settimeout(5)
            return client.connect_ex((host, port)) == 0

    async def test_bound_refuses(self) -> None:
        """From `bind` on connections are refused, from `listen` on they are served."""
        listener, port = self.bound()
        self.assertFalse(self.connects(port))
        served = await self.listen(listener)
        self.assertEqual(served.getHost().port, port)  # type: ignore[attr-defined]
        self.assertEqual(await self.heard(TCP4ClientEndpoint(reactor, "127.0.0.1", port)), b"hello")

    async def test_no_descriptor_left(self) -> None:
        """When the server stops, the address is free and no descriptor is left."""
        counts = []
        for _ in range(3):  # the first time the reactor opens some of its own
            listener, port = self.bound()
            served = await listener.listen(reactor, hello_factory())
            await self.heard(TCP4ClientEndpoint(reactor, "127.0.0.1", port))
            await maybeDeferred(served.stopListening)
            self.assertFalse(self.connects(port))
            counts.append(len(os.listdir("/proc/self/fd")))
        self.assertEqual(counts[1], counts[2])

    def test_in_use(self) -> None:
        """A port at which somebody listens is an error at once, with the address as written."""
        with closing(socket.create_server(("127.0.0.1", 0))) as other:
            error = self.assertRaises(AddressError, self.bound, port=other.getsockname()[1])
        self.assertEqual(str(error), "cannot listen on 'the address': Address already in use")

    def test_all_interfaces_in_use(self) -> None:
        """All interfaces cannot be had while somebody listens at one of them."""
        with closing(socket.create_server(("127.0.0.1", 0))) as other:
            self.assertRaises(AddressError, self.bound, None, other.getsockname()[1])

    def test_in_use_before_listening(self) -> None:
        """A port that another daemon has taken, but does not serve yet, is in use as well."""
        _, port = self.bound()
        self.assertRaises(AddressError, self.bound, port=port)

    async def test_taken_meanwhile(self) -> None:
        """Where somebody else got to listen there first, `listen` says so."""
        with closing(socket.socket()) as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", 0))
            listener, _ = self.bound(port=other.getsockname()[1])
            other.listen()
            with self.assertRaises(AddressError) as caught:
                await listener.listen(reactor, hello_factory())
        self.assertIn("'the address': Address already in use", str(caught.exception))
        self.assertEqual(self.taken.fileno(), -1)

    def test_restart(self) -> None:
        """An address is free as soon as it is released, old connections or not."""
        server = socket.create_server(("127.0.0.1", 0))
        port = server.getsockname()[1]
        with closing(socket.create_connection(("127.0.0.1", port))):
            accepted, _ = server.accept()
            accepted.close()
            server.close()
            self.assertEqual(self.bound(port=port)[1], port)

    def test_release(self) -> None:
        """Released, the address is free; releasing twice does no harm."""
        listener, port = self.bound()
        listener.release()
        listener.release()
        socket.create_server(("127.0.0.1", port)).close()

    def test_unknown_host(self) -> None:
        """A host that is not there, or cannot be one, is an error that says so."""
        for host in ("192.0.2.1", "nowhere.invalid", "a..b", "x" * 70):
            error = self.assertRaises(AddressError, self.bound, host)
            self.assertIn("cannot listen on 'the address': ", str(error))

    async def test_localhost(self) -> None:
        """localhost, which may stand for two addresses, is served at its IPv4 address."""
        stream = (socket.SOCK_STREAM, 6, "")
        both = [
            (socket.AF_INET6, *stream, ("::1", 0, 0, 0)),
            (socket.AF_INET, *stream, ("127.0.0.1", 0)),
        ]
        self.patch(socket, "getaddrinfo", lambda *_, **__: both)
        listener, port = self.bound("localhost")
        await self.listen(listener)
        self.assertTrue(self.connects(port))

    async def test_ipv6(self) -> None:
        """An IPv6 address is served, and only that; `::` is IPv6 alone."""
        for host in ("::1", "::"):
            listener, port = self.bound(host)
            await self.listen(listener)
            self.assertEqual(await self.heard(TCP6ClientEndpoint(reactor, "::1", port)), b"hello")
            self.assertFalse(self.connects(port))

    async def test_all_interfaces(self) -> None:
        """Without a host both IPv4 and IPv6 are served."""
        listener, port = self.bound(None)
        await self.listen(listener)
        self.assertEqual(await self.heard(TCP4ClientEndpoint(reactor, "127.0.0.1", port)), b"hello")
        self.assertEqual(await self.heard(TCP6ClientEndpoint(reactor, "::1", port)), b"hello")

    def test_without_ipv6(self) -> None:
        """On a host without IPv6 all interfaces are those of IPv4."""
        made = socket.socket

        def no_ipv6(family: int, kind: int) -> socket.socket:
            if family == socket.AF_INET6:
                raise OSError("no IPv6")
            return made(family, kind)

        self.patch(socket, "socket", no_ipv6)
        self.bound(None)
        self.assertEqual(self.taken.family, socket.AF_INET)

    async def test_endpoint(self) -> None:
        """Any other endpoint is served through Twisted."""
        path = os.path.relpath(self.mktemp())
        listener = Listener(parse_address(f"unix:{path}"))
        listener.bind()
        await self.listen(listener)
        self.assertEqual(await self.heard(UNIXClientEndpoint(reactor, path)), b"hello")

    async def test_bad_endpoint(self) -> None:
        """An endpoint that cannot be served is an error with the address as written."""
        listener = Listener(parse_address("unix:/nowhere/at/all.sock"))
        with self.assertRaises(AddressError) as caught:
            await listener.listen(reactor, hello_factory())
        self.assertIn("'unix:/nowhere/at/all.sock'", str(caught.exception))
