"""The address of the web server: bound at start, served after the first collection."""

import errno
import re
import socket
from typing import Any

from attrs import define, frozen
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort, IProtocolFactory

# Bursts of connections wait here, up to the kernel's own limit.
_BACKLOG = 1024
_ALL_IPV4 = "0.0.0.0"  # noqa: S104 - documented: an address without a host means all interfaces

# A backlog is ignored: ours is as long as the kernel allows.
_TCP_ENDPOINT = re.compile(
    r"(?P<kind>tcp|tcp4|tcp6):(?P<port>\d+)"
    r"(:backlog=\d+)?(:interface=(?P<host>[^=]*?))?(:backlog=\d+)?",
    re.ASCII,
)
_PLAIN = re.compile(r"(?P<host>\[[^\]]*\]|[^:]*):(?P<port>\d+)", re.ASCII)
_PORT_OR_HOST = re.compile(r"\d+|[\w.-]+|\[[^\]]*\]", re.ASCII)


class AddressError(Exception):
    """The address cannot be used; the message names it and the cause."""


@frozen
class Address:
    """
    The address of ``--bind``.

    A TCP ``host`` (``None``: all interfaces) and ``port``, or any other Twisted ``endpoint``
    string. ``text`` is the address as written.
    """

    text: str
    host: str | None = None
    port: int = 0
    endpoint: str | None = None


def parse_address(text: str) -> Address:
    """
    Parse ``:PORT``, ``HOST:PORT``, ``[V6]:PORT`` or a Twisted server endpoint string.

    In ``tcp:PORT:interface=V6`` the colons of the interface need no backslash.

    :raises ValueError: it is none of these.
    """
    endpoint = _TCP_ENDPOINT.fullmatch(text)
    match = endpoint or _PLAIN.fullmatch(text)
    if match is not None:
        port = int(match["port"])
        if port > 65535:
            raise ValueError(f"invalid port in {text!r}; the highest is 65535")
        host = (match["host"] or "").replace("\\", "").strip("[]")
        if endpoint and not host:
            host = "::" if endpoint["kind"] == "tcp6" else _ALL_IPV4
        return Address(text, host or None, port)
    if _PORT_OR_HOST.fullmatch(text):
        mend = f":{text}" if text.isdigit() else f"{text}:9121"
        raise ValueError(f"invalid address {text!r}; did you mean {mend!r}?")
    try:
        # Only to check the syntax: this opens nothing.
        serverFromString(object(), text)
    except Exception as error:
        why = "systemd passed no such socket" if text.startswith("systemd:") else error
        raise ValueError(
            f"invalid address {text!r}; use :PORT, HOST:PORT, [V6]:PORT or an endpoint: {why}"
        ) from None
    return Address(text, endpoint=text)


@define
class Listener:
    """
    An address, from its binding until the server stops.

    A TCP socket that is bound but does not listen yet refuses connections and reserves the
    address. So a port in use fails at start, and a privileged port is bound before
    privileges are dropped.
    """

    address: Address
    _socket: socket.socket | None = None

    def bind(self) -> None:
        """
        Bind the address. Blocks while a host name is looked up.

        :raises AddressError: it is in use or invalid.
        """
        if self.address.endpoint is not None:
            return
        try:
            self._socket = _bound_socket(self.address.host, self.address.port)
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", "invalid host name") or error
            raise AddressError(f"cannot listen on {self.address.text!r}: {why}") from None

    def release(self) -> None:
        """Release the address without serving it."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def listen(self, reactor: Any, factory: IProtocolFactory) -> IListeningPort:
        """
        Serve ``factory`` at the address.

        :raises AddressError: the address is in use or invalid.
        """
        try:
            if self._socket is None:
                endpoint = serverFromString(reactor, self.address.text)
                port: IListeningPort = await endpoint.listen(factory)
                return port
            # Set only now, so that a restart need not wait for old connections.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.listen(_BACKLOG)
            # The port works on a copy of the descriptor.
            port = reactor.adoptStreamPort(self._socket.fileno(), self._socket.family, factory)
            return port
        except Exception as error:
            why = getattr(error, "strerror", None) or error
            raise AddressError(f"cannot listen on {self.address.text!r}: {why}") from None
        finally:
            self.release()


def _bound_socket(host: str | None, port: int) -> socket.socket:
    if host is None:
        try:
            return _bind(socket.AF_INET6, ("::", port), dual_stack=True)
        except OSError:
            # No IPv6 here; a port in use fails again.
            return _bind(socket.AF_INET, (_ALL_IPV4, port))
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    # Prefer IPv4 for a name with both, like localhost.
    family, _, _, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
    return _bind(family, address)


def _bind(family: int, address: Any, dual_stack: bool = False) -> socket.socket:
    """
    Return a bound socket that no other process can share.

    Linux lets two sockets with SO_REUSEADDR bind to one port while neither listens, so the
    first attempt is without it. If that fails, the port is in use or only has old
    connections: the second attempt shows which.
    """
    try:
        return _try_bind(family, address, dual_stack, reuse=0)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return _try_bind(family, address, dual_stack, reuse=1)


def _try_bind(family: int, address: Any, dual_stack: bool, reuse: int) -> socket.socket:
    taken = socket.socket(family, socket.SOCK_STREAM)
    try:
        taken.setblocking(False)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
        if family == socket.AF_INET6:
            taken.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if dual_stack else 1)
        taken.bind(address)
    except BaseException:
        taken.close()
        raise
    return taken
