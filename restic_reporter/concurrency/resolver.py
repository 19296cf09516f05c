"""Resolves host names in daemon threads."""

import socket
from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, frozen
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IReactorFromThreads,
    IResolutionReceiver,
)
from twisted.logger import Logger
from zope.interface import implementer

from .daemon_threads import in_daemon_thread


@implementer(IHostResolution)
@define
class _Resolution:
    name: str

    def cancel(self) -> None:
        """Do nothing: a look-up cannot be stopped, and its result is ignored."""


@implementer(IHostnameResolver)
@frozen
class DaemonThreadResolver:
    """
    Resolves names with the C library, each in its own daemon thread.

    Twisted's resolver uses the reactor's thread pool, which delays the end of the process:
    with a dead DNS server by half a minute. The caller limits the number of look-ups and
    the time of each.
    """

    _log = Logger()

    reactor: IReactorFromThreads
    getaddrinfo: Callable[..., Any] = socket.getaddrinfo

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        """See `IHostnameResolver`."""
        resolution = _Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        looked_up = Deferred.fromCoroutine(self._look_up(hostName, portNumber))

        def deliver(addresses: list[IPv4Address | IPv6Address]) -> None:
            for address in addresses:
                if addressTypes is None or isinstance(address, tuple(addressTypes)):
                    resolutionReceiver.addressResolved(address)
            resolutionReceiver.resolutionComplete()

        looked_up.addCallback(deliver)
        looked_up.addErrback(lambda failure: self._log.failure("bug in name resolution", failure))
        return resolution

    async def _look_up(self, name: str, port: int) -> list[IPv4Address | IPv6Address]:
        if isIPAddress(name):
            return [IPv4Address("TCP", name, port)]
        if isIPv6Address(name) and "%" not in name:
            return [IPv6Address("TCP", name, port)]
        try:
            found = await in_daemon_thread(
                self.reactor, self.getaddrinfo, name, port, 0, socket.SOCK_STREAM
            )
        except (OSError, UnicodeError):
            return []
        return [
            IPv4Address("TCP", *address)
            if family == socket.AF_INET
            else IPv6Address("TCP", *address)
            for family, _, _, _, address in found
            if family in (socket.AF_INET, socket.AF_INET6)
        ]
