"""Child services of the daemon: the secret stores and the web server."""

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from twisted.application.service import Service
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory

from ..interfaces import ISecretStore
from ..redaction.secret import Secret
from ..web.listener import Listener
from ..web.security.tls import ServerTLS
from ..web.server import BoundedSite

# Seconds that responses in flight may take at stop.
_SCRAPE_TIMEOUT = 5.0


class SecretStores(Service):
    """The secret stores by name; a bug in one is logged and harms no other."""

    _log = Logger()

    def __init__(self, stores: Mapping[str, ISecretStore]) -> None:
        self.stores = stores

    def startService(self) -> None:
        """Let each log in."""
        super().startService()
        self._each("start", lambda store: store.start())

    def stopService(self) -> None:
        """Stop each, without waiting."""
        super().stopService()
        self._each("stop", lambda store: store.stop())

    def forget_failures(self) -> None:
        """Let each retry at once, after a signal of the user."""
        self._each("retry", lambda store: store.forget_failures())

    def secrets(self) -> Iterable[Secret]:
        """Return the stores' own secrets."""
        return [one for store in self.stores.values() for one in store.secrets()]

    def _each(self, verb: str, call: Callable[[ISecretStore], object]) -> None:
        for name, store in self.stores.items():
            try:
                call(store)
            except Exception:
                self._log.failure("secret store {name!r} failed to {verb}", name=name, verb=verb)


class WebServer(Service):
    """The port, and the site on it from `open` on."""

    _log = Logger()

    def __init__(self, reactor: Any, listener: Listener, site: BoundedSite) -> None:
        self._reactor = reactor
        self._listener = listener
        self._site = site
        self._port: IListeningPort | None = None
        self._stopped = False

    @property
    def address(self) -> str:
        """Return the address as the user wrote it."""
        return self._listener.address.text

    def privilegedStartService(self) -> None:
        """Bind the port while privileged, or raise an `AddressError`; listen only in `open`."""
        self._listener.bind()

    async def open(self) -> None:
        """Serve from now on, unless stopped; raise an `AddressError` if another process does."""
        if self._stopped:
            return
        factory: IProtocolFactory = self._site
        how = ""
        if self._site.security.config.tls is not None:
            tls = ServerTLS(self._site.security)
            factory = TLSMemoryBIOFactory(tls, False, factory, self._reactor)
            how = " with TLS"
        self._port = await self._listener.listen(self._reactor, factory)
        if self._stopped:
            self._port.stopListening()
            return
        host: Any = self._port.getHost()
        if isinstance(host, UNIXAddress):
            address = os.fsdecode(host.name or b"")
        else:
            address = f"[{host.host}]" if ":" in host.host else host.host
            address += f":{host.port}"
        self._log.info("listening on {address}{how}", address=address, how=how)

    def stopService(self) -> "Deferred[Any]":
        """Refuse new connections; fire when all responses in flight are sent."""
        super().stopService()
        self._stopped = True
        self._listener.release()
        ends: list[Deferred[Any]] = [self._site.connections.finish_in_flight(_SCRAPE_TIMEOUT)]
        if self._port is not None:
            ends.append(maybeDeferred(self._port.stopListening))
        ended = DeferredList(ends, consumeErrors=True)
        ended.addCallback(lambda _: self._site.security.checks.stop())
        return ended
