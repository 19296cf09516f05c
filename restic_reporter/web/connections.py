"""All connections of clients together: their limits, their states, their number and their end."""

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
    What clients may cost. Times are in seconds, sizes in bytes.

    ``keep_alive`` is how long a connection may wait for its next request: more than two
    scrapes at a usual interval of a minute.
    """

    max_connections: int = 512
    max_body: int = 64 * 1024
    request_timeout: float = 30.0
    response_timeout: float = 30.0
    keep_alive: float = 130.0
    close_timeout: float = 15.0


DEFAULT_LIMITS = Limits()


class State(Enum):
    """What a connection waits for."""

    RECEIVING = auto()  # the rest of a request, or its first one
    RESPONDING = auto()  # the client, or us, to be done with a response
    IDLE = auto()  # the next request
    CLOSING = auto()  # the client to take what was written last
    ABORTING = auto()  # nothing any more


class Connection(Protocol):
    """One connection, as far as it concerns the others."""

    address: str
    state: State

    def give_way(self) -> None:
        """Make room for another connection."""

    def loseConnection(self) -> None:
        """Close when what was written has been taken, or when that takes too long."""

    def abort(self) -> None:
        """Close at once."""

    def cut_off(self) -> None:
        """Close within this call, where `abort` takes until the reactor's next turn."""


def _empty() -> dict[State, dict[Connection, None]]:
    return {state: {} for state in State}


@define(eq=False)
class Connections:
    """The connections of one site, kept to ``limits``, which can be brought to an end."""

    clock: IReactorTime
    limits: Limits
    finishing: bool = field(init=False, default=False)
    # Each in the order in which they entered the state: the first is the longest in it.
    _by_state: dict[State, dict[Connection, None]] = field(init=False, factory=_empty)
    # Those that keep us waiting, in the order in which they began to.
    _slow: dict[Connection, None] = field(init=False, factory=dict)
    _finished: list[Deferred[None]] = field(init=False, factory=list)
    _giving_up: IDelayedCall | None = field(init=False, default=None)

    def count(self, *states: State) -> int:
        """How many connections are in one of ``states``."""
        return sum(len(self._by_state[state]) for state in states)

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
        if self._by_state[State.ABORTING] and self.count(*State) > limit * 3 // 2:
            next(iter(self._by_state[State.ABORTING])).cut_off()
        open_ones = self.count(State.RECEIVING, State.RESPONDING, State.IDLE)
        if open_ones >= limit:
            victim = self._most_dispensable()
            if victim is not None:
                victim.give_way()
            elif open_ones >= limit + limit // 4:
                return False
        # Those that are closing have a response on the way, but are not to pile up.
        if self.count(State.CLOSING) > limit // 4:
            next(iter(self._by_state[State.CLOSING])).abort()
        return True

    def _most_dispensable(self) -> Connection | None:
        open_ones = chain(
            *(self._by_state[one] for one in (State.RECEIVING, State.RESPONDING, State.IDLE))
        )
        numbers = Counter(channel.address for channel in open_ones)
        # Of equals the first: the longest.
        return max(
            chain(self._by_state[State.IDLE], self._slow),
            key=lambda channel: numbers[channel.address],
            default=None,
        )

    def stalled(self, channel: Connection) -> None:
        """The client of ``channel`` does not take its response."""
        if channel in self._by_state[State.RESPONDING]:
            self._slow[channel] = None

    def flowing(self, channel: Connection) -> None:
        """The client of ``channel`` goes on taking its response."""
        if channel in self._by_state[State.RESPONDING]:
            self._slow.pop(channel, None)

    def move(self, channel: Connection, state: State) -> None:
        """``channel``, in no matter what state, is in ``state`` from now on."""
        self._remove(channel)
        self._by_state[state][channel] = None
        if state is State.RECEIVING:
            self._slow[channel] = None

    def forget(self, channel: Connection) -> None:
        """``channel`` has ended."""
        self._remove(channel)
        self._note_end()

    def finish_in_flight(self, timeout: float) -> Deferred[None]:
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
