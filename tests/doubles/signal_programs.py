"""Programs that get signals, as children of a test."""

import contextlib
import os
import signal
import sys

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredQueue
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

# What every child begins with. It tells what happens on descriptor 1, a line for each event.
HEAD = """
import os, signal, sys
from twisted.internet import reactor
from restic_reporter.daemon.signals import install_handlers, quiet_second_stop

def tell(text):
    os.write(1, (text + "\\n").encode())

install_handlers(reactor, hup=lambda: tell("hup"), usr1=lambda: tell("usr1"))
"""


class Child(ProcessProtocol):
    """A child process, the lines that it has written, and how it ended."""

    def __init__(self) -> None:
        self.lines: DeferredQueue[str] = DeferredQueue()
        self.errors = b""
        self.ended: Deferred[int] = Deferred()
        self._rest = b""

    def outReceived(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self.lines.put(line.decode())

    def errReceived(self, data: bytes) -> None:
        self.errors += data

    def processEnded(self, reason: Failure) -> None:
        error = reason.value
        assert isinstance(error, ProcessDone | ProcessTerminated)
        self.lines.put(f"ended: {self.errors.decode()}")
        self.ended.callback(-error.signal if error.signal is not None else error.exitCode)

    def send(self, number: signal.Signals) -> None:
        """Send a signal, which is pending in the child when this returns."""
        assert self.transport is not None
        self.transport.signalProcess(int(number))


class ProcessTestCase(TestCase):
    """A test that starts children, which end with it."""

    timeout = 60

    def start(self, *arguments: str) -> Child:
        """Start Python with ``arguments``."""
        child = Child()
        environment = {"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(sys.path)}
        reactor.spawnProcess(child, sys.executable, [sys.executable, *arguments], environment)
        self.addCleanup(self.end, child)
        return child

    async def end(self, child: Child) -> None:
        """Kill ``child`` unless it has ended."""
        if not child.ended.called:
            with contextlib.suppress(ProcessExitedAlready):
                child.send(signal.SIGKILL)
            await child.ended

    async def expect(self, child: Child, *lines: str) -> None:
        """Assert that ``lines`` are the next ones of ``child``."""
        for line in lines:
            self.assertEqual(await child.lines.get(), line, child.errors.decode())
