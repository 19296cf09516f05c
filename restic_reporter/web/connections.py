"""All connections of clients: limits, states, number and end."""

from __future__ import annotations

from collections import Counter
from enum import Enum, auto
from itertools import chain
from typing import Protocol

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime


@frozen
class Limits:
    """
    Limits for clients. Times are in seconds, sizes in bytes.

    ``keep_alive`` is how long a connection may wait for its next request: longer than two
    scrapes at the usual interval of a minute.
    """

    max_connections: int = 512
    max_body: int = 64 * 1024
    request_timeout: float = 30.0
    response_timeout: float = 30.0
    keep_alive: float = 130.0
    close_timeout: float = 15.0


DEFAULT_LIMITS = Limits()


class State(Enum):
    """The state of a connection."""

    RECEIVING = auto()  # waits for the first request, or for the rest of one
    RESPONDING = auto()  # makes or sends a response
    IDLE = auto()  # waits for the next request
    CLOSING = auto()  # waits until the client has read the rest
    ABORTING = auto()  # closes at once


class Connection(Protocol):
    """The interface of a connection for `Connections`."""

    address: str
    state: State

    def give_way(self) -> None:
        """Make room for another connection."""

    def loseConnection(self) -> None:
        """Close when the client has read the rest, or at the deadline."""

    def abort(self) -> None:
        """Close at once."""

    def cut_off(self) -> None:
        """Close within this call, where `abort` takes until the reactor's next turn."""


def _empty() -> dict[State, dict[Connection, None]]:
    return {state: {} for state in State}


@define(eq=False)
class Connections:
    """The connections of one site: enforces ``limits``, and ends them at a stop."""

    clock: IReactorTime
    limits: Limits
    finishing: bool = field(init=False, default=False)
    # In the order of entering the state: the first has been in it longest.
    _by_state: dict[State, dict[Connection, None]] = field(init=False, factory=_empty)
    # Connections of slow clients, the longest waiting first.
    _slow: dict[Connection, None] = field(init=False, factory=dict)
    _finished: list[Deferred[None]] = field(init=False, factory=list)
    _giving_up: IDelayedCall | None = field(init=False, default=None)

    def count(self, *states: State) -> int:
        """Return the number of connections in ``states``."""
        return sum(len(self._by_state[state]) for state in states)

    def admit(self) -> bool:
        """
        Make room for a new connection, if needed by ending another one.

        Ends a connection of the address with the most: the longest idle one, else the slowest
        client. Keeps connections whose response is being made, even some beyond the limit.

        :return: whether there is room.
        """
        if self.finishing:
            return False
        limit = self.limits.max_connections
        # A burst is accepted in one turn of the reactor, and aborted connections keep their
        # descriptors until the next turn.
        if self._by_state[State.ABORTING] and self.count(*State) > limit * 3 // 2:
            next(iter(self._by_state[State.ABORTING])).cut_off()
        open_ones = self.count(State.RECEIVING, State.RESPONDING, State.IDLE)
        if open_ones >= limit:
            victim = self._most_dispensable()
            if victim is not None:
                victim.give_way()
            elif open_ones >= limit + limit // 4:
                return False
        # Closing connections still send a response, but must not pile up.
        if self.count(State.CLOSING) > limit // 4:
            next(iter(self._by_state[State.CLOSING])).abort()
        return True

    def _most_dispensable(self) -> Connection | None:
        open_ones = chain(
            *(self._by_state[one] for one in (State.RECEIVING, State.RESPONDING, State.IDLE))
        )
        numbers = Counter(channel.address for channel in open_ones)
        # The first of equals: it has waited longest.
        return max(
            chain(self._by_state[State.IDLE], self._slow),
            key=lambda channel: numbers[channel.address],
            default=None,
        )

    def stalled(self, channel: Connection) -> None:
        """Note that the client of ``channel`` does not read its response."""
        if channel in self._by_state[State.RESPONDING]:
            self._slow[channel] = None

    def flowing(self, channel: Connection) -> None:
        """Note that the client of ``channel`` reads its response again."""
        if channel in self._by_state[State.RESPONDING]:
            self._slow.pop(channel, None)

    def move(self, channel: Connection, state: State) -> None:
        """Move ``channel`` from any state to ``state``."""
        self._remove(channel)
        self._by_state[state][channel] = None
        if state is State.RECEIVING:
            self._slow[channel] = None

    def forget(self, channel: Connection) -> None:
        """Remove ``channel``, which has ended."""
        self._remove(channel)
        self._note_end()

    def finish_in_flight(self, timeout: float) -> Deferred[None]:
        """
        Close connections without a request at once, all others after their response.

        Rejects new connections; the caller closes the port.

        :param timeout: seconds after which the remaining connections are aborted.
        :return: fires when no connection is left. It cannot be cancelled.
        """
        finished: Deferred[None] = Deferred()
        self._finished.append(finished)
        if not self.finishing:
            self.finishing = True
            self._giving_up = self.clock.callLater(timeout, self._abort_all)
            for channel in [*self._by_state[State.IDLE], *self._by_state[State.RECEIVING]]:
                channel.loseConnection()
        self._note_end()
        return finished

    def _remove(self, channel: Connection) -> None:
        for channels in (*self._by_state.values(), self._slow):
            channels.pop(channel, None)

    def _abort_all(self) -> None:
        for state in (State.RESPONDING, State.CLOSING):
            for channel in list(self._by_state[state]):
                channel.abort()

    def _note_end(self) -> None:
        if not self.finishing or self.count(*State):
            return
        if self._giving_up is not None and self._giving_up.active():
            self._giving_up.cancel()
        finished, self._finished = self._finished, []
        for deferred in finished:
            deferred.callback(None)
