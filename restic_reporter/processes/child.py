"""Child processes that cannot hang, flood or outlive the daemon."""

import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from attrs import define, evolve, field, frozen
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.error import ProcessTerminated
from twisted.internet.interfaces import IDelayedCall, IProcessTransport
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..model.errors import ReadError, Reason
from . import guard as child_guard
from .excerpt import Excerpt

# Seconds for an interrupted child to clean up before it is killed.
INTERRUPT_GRACE = 2.0

# Seconds without output, after a child's end, until its pipes are closed: another process
# may still hold them open.
PIPE_GRACE = 1.0

# Seconds to wait for a killed child. Only one that hangs in the kernel takes longer.
KILL_TIMEOUT = 5.0

# Room for a line for each of 50,000 unreadable snapshots.
STDERR_LIMIT = 8 * 2**20

_REPORT_LIMIT = 4096

_STDOUT, _STDERR = 1, 2


@frozen
class Exit:
    """
    How a child ended: it exited with ``code``, or was killed by signal number ``signal``.

    ``stderr`` is the beginning and the end of its stderr.
    """

    code: int | None
    signal: int | None
    stderr: str = field(repr=False)


def start_child(
    reactor: Any,
    arguments: list[str],
    environment: Mapping[str, str],
    on_stdout: Callable[[bytes], None],
    *,
    stdout_limit: int = sys.maxsize,
    stderr_limit: int = STDERR_LIMIT,
    on_stderr: Callable[[bytes], None] = lambda _: None,
    inputs: Mapping[int, bytes] | None = None,
    nice: bool = False,
) -> "Child":
    """
    Start a program, whose stdin is written by `Child.write`.

    ``inputs`` go to the child through further descriptors (3, 4), a pipe each. ``on_stdout``
    and ``on_stderr`` get its output in pieces; when one raises, the child is killed. A ``nice``
    child gives way to all other processes. ``reactor`` is an `IReactorProcess` and `IReactorTime`.

    :raises ReadError: ``exec`` if the program cannot be run.
    """
    child = Child(
        reactor,
        arguments[0],
        {_STDOUT: on_stdout, _STDERR: on_stderr},
        {_STDOUT: stdout_limit, _STDERR: stderr_limit},
        inputs or {},
    )
    descriptors: dict[int, str] = {0: "w", _STDOUT: "r", _STDERR: "r"}
    descriptors.update(dict.fromkeys(inputs or {}, "w"))
    descriptors.update({child_guard.LIFELINE: "w", child_guard.REPORT: "r"})
    guard = [sys.executable, "-I", "-S", child_guard.__file__]
    try:
        reactor.spawnProcess(
            child,
            sys.executable,
            [*guard, *([child_guard.NICE] if nice else []), *arguments],
            env=dict(environment),
            childFDs=descriptors,
        )
    except (OSError, ValueError) as error:
        # ValueError: a NUL or a lone surrogate in an argument or variable.
        raise _cannot_run(arguments[0], getattr(error, "strerror", None) or error) from None
    return child


def _cannot_run(program: str, cause: object) -> ReadError:
    return ReadError(Reason.EXEC, f"cannot run {program!r}: {cause}")


@define(eq=False)
class Child(ProcessProtocol):
    """
    One child, with its guard, from its start until its last pipe is closed.

    The reactor's process is the guard. ``take`` gets the output of stdout and stderr, at most
    ``remaining`` bytes of each.
    """

    _log = Logger()

    _reactor: Any
    _program: str
    _take: Mapping[int, Callable[[bytes], None]]
    _remaining: dict[int, int]
    _inputs: Mapping[int, bytes]
    _stderr: Excerpt = field(factory=Excerpt)
    _report: bytes = b""
    _waiting: "list[Deferred[None]]" = field(factory=list)
    _timer: IDelayedCall | None = None
    _got_output: bool = False
    _exited: bool = False
    _ended: bool = False
    _stopped: bool = False
    _failure: Exception | None = None
    _unable: str | None = None
    _exit: Exit = Exit(None, None, "")
    transport: IProcessTransport = field(init=False)

    @property
    def exit(self) -> Exit:
        """Return how it ended, as far as known, with its stderr so far."""
        return evolve(self._exit, stderr=self._stderr.text())

    def result(self) -> Exit:
        """
        Return how it ended, after its end.

        :raises Exception: the one given to `fail`, or from who takes its output.
        """
        if self._failure is not None:
            raise self._failure
        if self._unable is not None:
            raise _cannot_run(self._program, self._unable)
        return self.exit

    def write(self, data: bytes) -> None:
        """Write to its stdin, unless it has closed that or has ended."""
        with suppress(KeyError):
            self.transport.writeToChild(0, data)

    def ended(self) -> "Deferred[None]":
        """Return a Deferred that fires when the child has ended and its pipes are closed."""
        waiting: Deferred[None] = Deferred()
        if self._ended:
            waiting.callback(None)
        else:
            self._waiting.append(waiting)
        return waiting

    async def wait_until_gone(self) -> None:
        """Wait for a stopped child to end, with a timeout; a cancellation does not end the wait."""
        limit = self._reactor.seconds() + INTERRUPT_GRACE + PIPE_GRACE + KILL_TIMEOUT
        while not self._ended:
            remaining = limit - self._reactor.seconds()
            if remaining <= 0:
                self._log.error("cannot kill process {pid}", pid=self.transport.pid)
                return
            with suppress(CancelledError, TimeoutError):
                await self.ended().addTimeout(remaining, self._reactor)

    def stop(self) -> None:
        """Interrupt the child; if it goes on, kill it and its descendants."""
        if self._stopped or self._exited:
            return
        self._stopped = True
        self._signal_guard(signal.SIGINT)
        self._timer = self._reactor.callLater(INTERRUPT_GRACE, self._kill)

    def _kill(self) -> None:
        """Make the guard kill all; continue it in case it was stopped."""
        self.transport.closeChildFD(child_guard.LIFELINE)
        self._signal_guard(signal.SIGCONT)

    def _signal_guard(self, number: int) -> None:
        pid = self.transport.pid
        # After its end the id may belong to another process.
        if pid is not None and not self._exited:
            with suppress(OSError):
                os.kill(pid, number)

    def connectionMade(self) -> None:
        for descriptor, content in self._inputs.items():
            self.transport.writeToChild(descriptor, content)
            self.transport.closeChildFD(descriptor)

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        if childFD == child_guard.REPORT:
            self._report = (self._report + data)[:_REPORT_LIMIT]
            return
        self._got_output = True
        if self._failure is not None or self._stopped:
            return
        self._remaining[childFD] -= len(data)
        if self._remaining[childFD] < 0:
            name = "stdout" if childFD == _STDOUT else "stderr"
            self.fail(ReadError(Reason.TOO_LARGE, f"too much output on {name}"))
            return
        if childFD == _STDERR:
            self._stderr.add(data)
        try:
            self._take[childFD](data)
        except Exception as error:
            self.fail(error)

    def fail(self, error: Exception) -> None:
        """Kill it without waiting, because of ``error``; drop the rest of its output."""
        self._failure = error
        self._kill()

    def _reported(self) -> dict[str, str]:
        """Return the guard's reports by their first word."""
        lines = self._report.decode("utf-8", "replace").splitlines()
        return {word: rest for word, _, rest in (line.partition(" ") for line in lines)}

    def processExited(self, reason: Failure) -> None:
        if isinstance(reason.value, ProcessTerminated) and "status" not in self._reported():
            self._kill_unguarded()
        self._exited = True
        self._cancel_timer()
        self._timer = self._reactor.callLater(PIPE_GRACE, self._check_pipes)

    def _cancel_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _kill_unguarded(self) -> None:
        """Kill the child, whose guard was killed."""
        group = self._reported().get("child", "")
        if group.isdecimal():
            with suppress(OSError):
                os.killpg(int(group), signal.SIGKILL)

    def _check_pipes(self) -> None:
        # The reactor reads some kilobytes of each pipe in each turn; turns may be seconds
        # apart under load. One more turn shows whether there is more.
        self._got_output = False
        self._timer = self._reactor.callLater(0, self._close_pipes)

    def _close_pipes(self) -> None:
        if self._got_output:
            self._timer = self._reactor.callLater(PIPE_GRACE, self._check_pipes)
            return
        for descriptor in (0, *self._inputs, _STDOUT, _STDERR, child_guard.REPORT):
            self.transport.closeChildFD(descriptor)

    def processEnded(self, reason: Failure) -> None:
        self._ended = True
        self._cancel_timer()
        # No cycle stays: see `daemon.garbage`.
        self._timer, self._take = None, {}
        self._set_exit(reason.value)
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(None)

    def _set_exit(self, ending: object) -> None:
        """Set how the child ended, from its guard's reports or from the guard's own end."""
        told = self._reported()
        if "failed" in told:
            self._unable = told["failed"]
        elif "status" in told:
            code = os.waitstatus_to_exitcode(int(told["status"]))
            self._exit = Exit(code, None, "") if code >= 0 else Exit(None, -code, "")
        elif isinstance(ending, ProcessTerminated) and ending.signal is not None:
            self._exit = Exit(None, ending.signal, "")
        else:
            self._unable = "its guard process failed"
