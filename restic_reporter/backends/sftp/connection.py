"""One ssh, in a guarded child process, and the SFTP session over its pipes."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from ...model.errors import ReadError, Reason
from ...processes.child import Child, Exit, start_child
from .protocol import SFTPClient

# Seconds without any answer to a request until ssh is killed.
SILENCE_LIMIT = 30.0

# Messages of OpenSSH's client; any other means that there is no connection.
_PATTERNS = tuple(
    (reason, re.compile(pattern))
    for reason, pattern in (
        (
            Reason.AUTH,
            r"Permission denied \(|Too many authentication failures|Host key verification failed",
        ),
        (Reason.PROTOCOL, r"subsystem request failed"),
        (
            Reason.NETWORK,
            r"Could not resolve hostname|Connection (refused|timed out|reset|closed)|timed out"
            r"|No route to host|Network is unreachable|kex_exchange_identification|not responding",
        ),
    )
)

_MESSAGE_LIMIT = 300


@define(eq=False)
class Connection:
    """
    A login that runs: ``client`` is its session. ``ended`` is called with it when it is lost.
    """

    _log = Logger()

    _reactor: Any
    _words: Sequence[str]
    _ended: "Callable[[Connection], object]"
    client: SFTPClient = field(init=False)
    _child: Child = field(init=False)
    _heard_at: float = 0.0
    _watch: IDelayedCall | None = None

    def __attrs_post_init__(self) -> None:
        self.client = SFTPClient(self._begin_watch, self._note_answer)

    async def open(self, environment: Mapping[str, str]) -> None:
        """
        Log in, and wait for the session to begin.

        :raises ReadError: ``auth`` if the login is refused, ``exec`` if the program cannot be
            run, otherwise mostly ``network``.
        """
        self._child = start_child(
            self._reactor, list(self._words), environment, self.client.dataReceived
        )
        self._begin_watch()
        Deferred.fromCoroutine(self._wait_for_end())
        self.client.makeConnection(self._child)
        try:
            await self.client.ready
        except CancelledError:
            self.close()
            raise

    def close(self) -> None:
        """End ssh; kill it if it does not end by itself."""
        self._child.stop()

    def closed(self) -> "Deferred[None]":
        """Return a Deferred that fires when ssh has ended."""
        return self._child.ended()

    async def _wait_for_end(self) -> None:
        await self._child.ended()
        if self._watch is not None and self._watch.active():
            self._watch.cancel()
        try:
            error = explain_end(self._words[0], self._child.result(), self.client.ready.called)
        except ReadError as failure:
            error = failure
        except Exception:
            self._log.failure("cannot read the answers of {program!r}", program=self._words[0])
            error = ReadError(Reason.INTERNAL, "SFTP: a bug in this program; see the log")
        self._ended(self)
        self.client.lose(error)

    def _begin_watch(self) -> None:
        if not self.client.waits:
            self._heard_at = self._reactor.seconds()
        if self._watch is None:
            self._watch = self._reactor.callLater(SILENCE_LIMIT, self._check_silence)

    def _note_answer(self) -> None:
        self._heard_at = self._reactor.seconds()

    def _check_silence(self) -> None:
        self._watch = None
        if self.client.ready.called and not self.client.waits:
            return
        left = self._heard_at + SILENCE_LIMIT - self._reactor.seconds()
        if left > 0:
            self._watch = self._reactor.callLater(left, self._check_silence)
            return
        message = f"SFTP: {self._words[0]!r} has answered nothing for {SILENCE_LIMIT:.0f} s"
        self._child.fail(ReadError(Reason.TIMEOUT, message))


def explain_end(program: str, exit: Exit, was_open: bool) -> ReadError:
    """Return the error that the end of the login's program means."""
    lines = [" ".join(_printable(line).split()) for line in exit.stderr.splitlines()]
    lines = [line for line in lines if line]
    how = f"signal {exit.signal}" if exit.code is None else f"exit status {exit.code}"
    what = f"SFTP: {program!r} {'lost the connection' if was_open else 'failed'} with {how}"
    # The reason comes last; before it, a server may have printed a banner.
    for line in reversed(lines):
        for reason, pattern in _PATTERNS:
            if pattern.search(line):
                return ReadError(reason, f"{what}: {line[:_MESSAGE_LIMIT]}")
    said = lines[-1][:_MESSAGE_LIMIT] if lines else "no error message"
    return ReadError(Reason.NETWORK, f"{what}: {said}")


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)
