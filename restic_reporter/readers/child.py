"""Child processes that cannot hang, flood or outlive the daemon."""

import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ProcessTerminated
from twisted.internet.interfaces import IDelayedCall, IProcessTransport
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..errors import ReadError, Reason
from . import child_guard

# How long an interrupted child may take to clean up before it is killed.
INTERRUPT_GRACE = 2.0

# How long after a child's end its pipes may still bring what it wrote; beyond that,
# somebody else holds them.
PIPE_GRACE = 1.0

# How long a killed child is waited for. Only one that is stuck in the kernel takes longer.
KILL_PATIENCE = 5.0

STDERR_LIMIT = 2**20
_STDERR_KEPT = 2**14

_STDOUT, _STDERR = 1, 2


@frozen
class Exit:
    """
    How a child ended: by itself with ``code``, or by the signal with number ``signal``.

    ``stderr`` is the beginning of what it wrote there.
    """

    code: int | None
    signal: int | None
    stderr: str


async def run_child(
    reactor: Any,
    arguments: list[str],
    environment: Mapping[str, str],
    on_stdout: Callable[[bytes], None],
    *,
    stdout_limit: int,
    inputs: Mapping[int, bytes] | None = None,
) -> Exit:
    """
    Run a program to its end.

    ``inputs`` are what the child may read from further descriptors (3, 4), a pipe each.
    ``on_stdout`` gets what it prints, piece by piece; when it raises, the child is killed
    and the error comes out here.

    When this is cancelled the child is interrupted, and killed if that does not help; it
    returns only when the child and all that it has started are gone. ``reactor`` is an
    `IReactorProcess` and `IReactorTime`.

    :raises ReadError: ``exec`` where the program cannot be run, ``too_large`` where it
        writes more than ``stdout_limit`` bytes, or more than `STDERR_LIMIT` to stderr.
    """
    child = _Child(reactor, on_stdout, stdout_limit, inputs or {})
    guard = str(Path(child_guard.__file__))
    descriptors: dict[int, str] = {0: "w", _STDOUT: "r", _STDERR: "r"}
    descriptors.update(dict.fromkeys(inputs or {}, "w"))
    descriptors.update({child_guard.LIFELINE: "w", child_guard.ALIVE: "r"})
    try:
        reactor.spawnProcess(
            child,
            sys.executable,
            [sys.executable, "-I", "-S", guard, *arguments],
            env=dict(environment),
            childFDs=descriptors,
        )
    except (OSError, ValueError) as error:
        # ValueError: a NUL in an argument or variable.
        message = getattr(error, "strerror", None) or error
        raise ReadError(Reason.EXEC, f"cannot run {arguments[0]!r}: {message}") from None
    try:
        await child.ended()
    except CancelledError:
        child.stop()
        await child.gone()
        raise
    if child.failure is not None:
        raise child.failure
    if child.exit.code == child_guard.CANNOT_RUN_STATUS and child.exit.stderr.startswith(
        child_guard.CANNOT_RUN
    ):
        cause = child.exit.stderr.removeprefix("restic-reporter: ").splitlines()[0]
        raise ReadError(Reason.EXEC, cause)
    return child.exit


class _Child(ProcessProtocol):
    """One child from its start until its last pipe is closed."""

    _log = Logger()
    transport: IProcessTransport

    def __init__(
        self,
        reactor: Any,
        on_stdout: Callable[[bytes], None],
        stdout_limit: int,
        inputs: Mapping[int, bytes],
    ) -> None:
        self._reactor = reactor
        self._on_stdout = on_stdout
        self._inputs = inputs
        self._room = {_STDOUT: stdout_limit, _STDERR: STDERR_LIMIT}
        self._stderr = bytearray()
        self._waiting: list[Deferred[None]] = []
        self._timer: IDelayedCall | None = None
        self._exited = False
        self._over = False
        self._stopped = False
        self.failure: Exception | None = None
        self.exit = Exit(None, None, "")

    def ended(self) -> "Deferred[None]":
        """Fires when the child is gone and its pipes are closed."""
        waiting: Deferred[None] = Deferred()
        if self._over:
            waiting.callback(None)
        else:
            self._waiting.append(waiting)
        return waiting

    async def gone(self) -> None:
        """Wait for the end of a stopped child, but not for ever, whoever cancels meanwhile."""
        limit = self._reactor.seconds() + INTERRUPT_GRACE + PIPE_GRACE + KILL_PATIENCE
        while not self._over:
            if self._reactor.seconds() >= limit:
                self._log.error("process {pid} cannot be killed", pid=self.transport.pid)
                return
            wait = self.ended()
            call = self._reactor.callLater(max(0.0, limit - self._reactor.seconds()), wait.cancel)
            with suppress(CancelledError):
                await wait
            if call.active():
                call.cancel()

    def stop(self) -> None:
        """Interrupt the child; kill it, with all it has started, when that does not help."""
        if self._stopped or self._exited:
            return
        self._stopped = True
        self._signal(signal.SIGINT)
        self._timer = self._reactor.callLater(INTERRUPT_GRACE, self._kill)

    def _kill(self) -> None:
        self._signal(signal.SIGKILL)
        self.transport.closeChildFD(child_guard.LIFELINE)

    def _signal(self, number: int) -> None:
        """Signal the child's process group; or the child alone if it has none of its own yet."""
        pid = self.transport.pid
        if pid is None:
            return
        with suppress(ProcessLookupError, PermissionError):
            try:
                os.killpg(pid, number)
            except ProcessLookupError:
                os.kill(pid, number)

    def connectionMade(self) -> None:
        self.transport.closeChildFD(0)
        for descriptor, content in self._inputs.items():
            self.transport.writeToChild(descriptor, content)
            self.transport.closeChildFD(descriptor)

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        if self.failure is not None or self._stopped:
            return
        self._room[childFD] -= len(data)
        if self._room[childFD] < 0:
            name = "stdout" if childFD == _STDOUT else "stderr"
            self._fail(ReadError(Reason.TOO_LARGE, f"it writes endlessly to {name}"))
        elif childFD == _STDERR:
            self._stderr += data[: _STDERR_KEPT - len(self._stderr)]
        else:
            try:
                self._on_stdout(data)
            except Exception as error:
                self._fail(error)

    def _fail(self, error: Exception) -> None:
        # What it prints is of no use any more, so there is nothing to wait for.
        self.failure = error
        self._kill()

    def processExited(self, reason: Failure) -> None:
        self._exited = True
        status = reason.value
        if isinstance(status, ProcessTerminated):
            code, number = status.exitCode, status.signal
        else:
            code, number = 0, None
        self.exit = Exit(code, number, "")
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self.transport.closeChildFD(child_guard.LIFELINE)
        self._timer = self._reactor.callLater(PIPE_GRACE, self.transport.loseConnection)

    def processEnded(self, reason: Failure) -> None:
        self._over = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        text = self._stderr.decode("utf-8", "replace")
        self.exit = Exit(self.exit.code, self.exit.signal, text)
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(None)
