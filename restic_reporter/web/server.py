"""The site: all connections together, their number, and their end."""

# Much of Twisted has no types yet.
# mypy: allow-untyped-calls

from collections import Counter
from collections.abc import Awaitable, Callable
from io import BytesIO
from itertools import chain
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.web.http import Request
from twisted.web.resource import IResource
from twisted.web.server import Site

from .channel import DEFAULT_LIMITS, BoundedChannel, Limits, State
from .compression import Compressor
from .landing import landing_page
from .metrics_page import MetricsPage
from .pages import Pages, StaticPage
from .request import BoundedRequest
from .response import TEXT


class BoundedSite(Site):
    """
    A site for HTTP/1.0 and 1.1 that keeps to its ``limits``, and can be brought to an end.

    It writes no access log; a request is a log event at level debug.
    """

    # Not the proxy of Twisted's own site, which changes to HTTP/2.
    protocol = BoundedChannel  # type: ignore[assignment]
    requestFactory = BoundedRequest
    noisy = False
    finishing = False
    events = Logger()

    def __init__(self, reactor: Any, resource: IResource, limits: Limits) -> None:
        super().__init__(resource, reactor=reactor)
        self.limits = limits
        # Each in the order in which they entered the state: the first is the longest in it.
        self._in: dict[State, dict[BoundedChannel, None]] = {state: {} for state in State}
        # Those that keep us waiting, in the order in which they began to.
        self._slow: dict[BoundedChannel, None] = {}
        self._finished: list[Deferred[None]] = []
        self._giving_up: IDelayedCall | None = None

    def acceptableProtocols(self) -> list[bytes]:
        """No HTTP/2: it would bring limits of its own."""
        return [b"http/1.1"]

    def startFactory(self) -> None:
        """Nothing: Twisted's own opens an access log, and wakes up each second for its dates."""

    def stopFactory(self) -> None:
        """Nothing, likewise."""

    def log(self, request: Request) -> None:
        """Tell of one answered request, at level debug."""
        self.events.debug(
            "{method!r} {path!r}: {code}",
            method=request.method,
            path=request.path,
            code=request.code,
        )

    def getContentFile(self, length: int | None) -> BytesIO:
        """Where a request's body goes: memory, as Twisted's temporary files have no limit."""
        return BytesIO()

    def count(self, *states: State) -> int:
        """How many connections are in one of ``states``."""
        return sum(len(self._in[state]) for state in states)

    def admit(self) -> bool:
        """
        Make room for a new connection, if need be by ending another one, of the address that
        has most: the one that has been idle longest, or else the one that has been sending its
        request, or not taking its response, longest.

        Those for which we make a response are left alone; a few more than usual may be.

        :return: whether there is room.
        """
        if self.finishing:
            return False
        limit = self.limits.max_connections
        # A burst is accepted in one turn of the reactor, and what was aborted keeps its
        # descriptor until the next one.
        if self._in[State.ABORTING] and self.count(*State) > limit * 3 // 2:
            next(iter(self._in[State.ABORTING])).cut_off()
        open_ones = self.count(State.RECEIVING, State.RESPONDING, State.IDLE)
        if open_ones >= limit:
            victim = self._most_dispensable()
            if victim is not None:
                victim.give_way()
            elif open_ones >= limit + limit // 4:
                return False
        # Those that are closing have a response on the way, but are not to pile up.
        if self.count(State.CLOSING) > limit // 4:
            next(iter(self._in[State.CLOSING])).abort()
        return True

    def _most_dispensable(self) -> BoundedChannel | None:
        open_ones = chain(
            *(self._in[one] for one in (State.RECEIVING, State.RESPONDING, State.IDLE))
        )
        numbers = Counter(channel.address for channel in open_ones)
        # Of equals the first: the longest.
        return max(
            chain(self._in[State.IDLE], self._slow),
            key=lambda channel: numbers[channel.address],
            default=None,
        )

    def stalled(self, channel: BoundedChannel) -> None:
        """The client of ``channel`` does not take its response."""
        if channel in self._in[State.RESPONDING]:
            self._slow[channel] = None

    def flowing(self, channel: BoundedChannel) -> None:
        """The client of ``channel`` goes on taking its response."""
        if channel in self._in[State.RESPONDING]:
            self._slow.pop(channel, None)

    def move(self, channel: BoundedChannel, state: State) -> None:
        """``channel``, in no matter what state, is in ``state`` from now on."""
        self._remove(channel)
        self._in[state][channel] = None
        if state is State.RECEIVING:
            self._slow[channel] = None

    def forget(self, channel: BoundedChannel) -> None:
        """``channel`` has ended."""
        self._remove(channel)
        self._note_end()

    def finish_in_flight(self, timeout: float) -> "Deferred[None]":
        """
        End the connections that wait for a request, and each other one after the response
        that it is being sent. New ones are refused; the port is the caller's business.

        :param timeout: after so many seconds what is left is cut off.
        :return: fires when there is no connection left. It cannot be cancelled.
        """
        finished: Deferred[None] = Deferred()
        self._finished.append(finished)
        if not self.finishing:
            self.finishing = True
            self._giving_up = self.reactor.callLater(timeout, self._abort_all)
            for channel in [*self._in[State.IDLE], *self._in[State.RECEIVING]]:
                channel.loseConnection()
        self._note_end()
        return finished

    def _remove(self, channel: BoundedChannel) -> None:
        for channels in (*self._in.values(), self._slow):
            channels.pop(channel, None)

    def _abort_all(self) -> None:
        for state in (State.RESPONDING, State.CLOSING):
            for channel in list(self._in[state]):
                channel.abort()

    def _note_end(self) -> None:
        if not self.finishing or self.count(*State):
            return
        if self._giving_up is not None and self._giving_up.active():
            self._giving_up.cancel()
        finished, self._finished = self._finished, []
        for deferred in finished:
            deferred.callback(None)


def make_site(
    reactor: Any,
    render: Callable[[bool], bytes | Awaitable[bytes]],
    version: str,
    limits: Limits = DEFAULT_LIMITS,
) -> BoundedSite:
    """
    The daemon's site.

    :param reactor: for time and for calls from threads.
    :param render: makes the metrics page: as OpenMetrics 1.0 if its argument is true, else
        in the text format 0.0.4. It is called on the reactor's thread and must be fast.
    :param version: the program's version, for people.
    """
    ok = StaticPage(TEXT, b"OK\n")
    pages = Pages(
        {
            b"/": landing_page(version),
            b"/metrics": MetricsPage(reactor, render, Compressor(reactor)),
            b"/-/healthy": ok,
            b"/-/ready": ok,
        }
    )
    return BoundedSite(reactor, pages, limits)
