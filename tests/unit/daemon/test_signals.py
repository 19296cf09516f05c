"""Tests of `restic_reporter.daemon.signals`, with real signals to real processes."""

import contextlib
import os
import signal
import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredQueue
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

NUMBERS = (signal.SIGHUP, signal.SIGUSR1)

# What every child begins with. It tells what happens on descriptor 1, a line for each event.
HEAD = """
import os, signal, sys
from twisted.internet import reactor
from restic_reporter.daemon.signals import install_handlers, quiet_second_stop

def tell(text):
    os.write(1, (text + "\\n").encode())

install_handlers(reactor, hup=lambda: tell("hup"), usr1=lambda: tell("usr1"))
"""

# Runs the reactor when a line has come on standard input.
LATE_REACTOR = """
tell("installed")
sys.stdin.readline()
tell("starting")
reactor.callWhenRunning(tell, "running")
reactor.run()
"""

# Holds signals, and has handlers in place when a line has come on standard input.
HELD = """
from restic_reporter.daemon.signals import hold_signals

came = hold_signals()
tell("held")
sys.stdin.readline()
install_handlers(
    reactor, hup=lambda: tell("hup"), usr1=lambda: tell("usr1"), held=came
)
reactor.callWhenRunning(tell, "running")
reactor.run()
"""

# Its end waits for USR1; every log event of debug and above is a line.
SLOW_STOP = """
from twisted.application.service import Application, Service
from twisted.internet.defer import Deferred
from twisted.logger import formatEvent, globalLogPublisher

def observe(event):
    if event["log_namespace"].startswith("restic_reporter"):
        tell(event["log_level"].name + " " + formatEvent(event))

class Slow(Service):
    def startService(self):
        globalLogPublisher.addObserver(observe)
        reactor.callWhenRunning(quiet_second_stop, reactor)
        reactor.callWhenRunning(tell, "running")

    def stopService(self):
        done = Deferred()
        install_handlers(
            reactor, hup=lambda: None, usr1=lambda: done.called or done.callback(None)
        )
        tell("stopping")
        return done

application = Application("slow")
Slow().setServiceParent(application)
"""

# Starts slowly: it runs the reactor when a line has come on standard input.
SLOW_START = """
from twisted.application.service import Application, Service
from restic_reporter.daemon.signals import stop_once_running

class Slow(Service):
    def privilegedStartService(self):
        stop_once_running(reactor)
        tell("starting")
        sys.stdin.readline()

    def startService(self):
        reactor.callWhenRunning(quiet_second_stop, reactor)

    def stopService(self):
        tell("stopping")

application = Application("slow")
Slow().setServiceParent(application)
"""

TWISTD = "from twisted.scripts.twistd import run; run()"


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


class HandlersInProcessTests(ProcessTestCase):
    """Tests of `install_handlers` in a process of their own."""

    async def started(self, script: str = LATE_REACTOR) -> Child:
        """A child whose reactor runs."""
        child = self.start("-c", HEAD + script)
        await self.expect(child, "installed")
        assert child.transport is not None
        child.transport.write(b"\n")
        await self.expect(child, "starting", "running")
        return child

    async def test_running(self) -> None:
        """Each signal leads to its own call, and the process lives."""
        child = await self.started()
        for number, line in 2 * ((signal.SIGHUP, "hup"), (signal.SIGUSR1, "usr1")):
            child.send(number)
            await self.expect(child, line)

    async def test_before_the_reactor_runs(self) -> None:
        """Signals that come before the reactor runs are calls when it does, and not sooner."""
        child = self.start("-c", HEAD + LATE_REACTOR)
        await self.expect(child, "installed")
        child.send(signal.SIGHUP)
        child.send(signal.SIGUSR1)
        assert child.transport is not None
        child.transport.write(b"\n")
        await self.expect(child, "starting")
        found = {await child.lines.get() for _ in range(3)}
        self.assertEqual(found, {"hup", "usr1", "running"}, child.errors.decode())

    async def test_hundred_at_once(self) -> None:
        """A hundred signals at once are at most as many calls, at least one, and no harm."""
        child = await self.started()
        for _ in range(100):
            child.send(signal.SIGUSR1)
        await self.expect(child, "usr1")
        child.send(signal.SIGHUP)
        seen = 1
        while (line := await child.lines.get()) == "usr1":
            seen += 1
        self.assertEqual(line, "hup")
        self.assertLessEqual(seen, 100)


class HoldSignalsTests(ProcessTestCase):
    """Tests of `hold_signals` in a process of their own."""

    async def started(self) -> Child:
        """A child that holds its signals."""
        child = self.start("-c", HEAD + HELD)
        await self.expect(child, "held")
        return child

    async def test_hup_and_usr1(self) -> None:
        """They are calls once the reactor runs, each at most one."""
        for numbers, expected in (
            (NUMBERS, {"hup", "usr1", "running"}),
            ((signal.SIGHUP, signal.SIGHUP), {"hup", "running"}),
            ((), {"running"}),
        ):
            child = await self.started()
            for number in numbers:
                child.send(number)
            assert child.transport is not None
            child.transport.write(b"\n")
            found = {await child.lines.get() for _ in expected}
            self.assertEqual(found, expected, child.errors.decode())
            child.send(signal.SIGUSR1)
            await self.expect(child, "usr1")

    async def test_int_and_term(self) -> None:
        """They end the process by that signal, without a word."""
        for number in (signal.SIGINT, signal.SIGTERM):
            child = await self.started()
            child.send(number)
            await self.expect(child, "ended: ")
            self.assertEqual(await child.ended, -number)


class TwistdTestCase(ProcessTestCase):
    """A test that starts the real twistd."""

    async def started(self, *options: str, tail: str, until: str = "running") -> Child:
        """A child that is twistd with the service in ``tail``, and has told ``until``."""
        tac = Path(self.mktemp())
        tac.write_text(HEAD + tail)
        child = self.start("-c", TWISTD, "-n", "--pidfile=", *options, "-y", str(tac))
        while (line := await child.lines.get()) != until:
            self.assertNotIn("ended", line)
        return child

    async def next_of_ours(self, child: Child) -> str:
        """The next line that is not twistd's own log."""
        while True:
            line = await child.lines.get()
            self.assertNotIn("Traceback", line)
            self.assertNotIn("ReactorNotRunning", line)
            if not line.startswith("20"):
                return line

    async def ended(self, child: Child) -> int:
        """The exit status of a child that writes nothing of its own any more."""
        self.assertEqual(await self.next_of_ours(child), "ended: ")
        return await child.ended


class StopOnceRunningTests(TwistdTestCase):
    """Tests of `stop_once_running`."""

    async def test_before_the_reactor_runs(self) -> None:
        """INT and TERM wait for the reactor, stop it, and end the process by the first of them;
        more of them do no harm."""
        for first, *others in (
            (signal.SIGINT,),
            (signal.SIGTERM,),
            (signal.SIGTERM, signal.SIGTERM, signal.SIGINT),
        ):
            child = await self.started(tail=SLOW_START, until="starting")
            child.send(first)
            while "Received SIG" not in await child.lines.get():
                pass
            for number in others:
                child.send(number)
            assert child.transport is not None
            child.transport.write(b"\n")
            self.assertEqual(await self.next_of_ours(child), "stopping")
            self.assertEqual(await self.ended(child), -first)


class QuietSecondStopTests(TwistdTestCase):
    """Tests of `quiet_second_stop`, with a service that stops slowly."""

    async def started(self, *options: str, tail: str = SLOW_STOP, until: str = "running") -> Child:
        """A child that is twistd with a service that stops slowly, and runs."""
        return await super().started(*options, tail=tail, until=until)

    async def test_one_signal(self) -> None:
        """One INT or TERM still ends the process by that signal."""
        for number in (signal.SIGINT, signal.SIGTERM):
            child = await self.started()
            child.send(number)
            self.assertEqual(await self.next_of_ours(child), "stopping")
            child.send(signal.SIGUSR1)
            self.assertEqual(await self.ended(child), -number)

    async def test_later_signals(self) -> None:
        """Later signals are logged at debug, and the first decides how the process ends."""
        child = await self.started()
        child.send(signal.SIGINT)
        self.assertEqual(await self.next_of_ours(child), "stopping")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
            child.send(number)
            self.assertEqual(
                await self.next_of_ours(child), f"debug already stopping: {number.name}"
            )
        child.send(signal.SIGUSR1)
        self.assertEqual(await self.ended(child), -signal.SIGINT)

    async def test_both_at_once(self) -> None:
        """Signals that come in one moment are one stop."""
        child = await self.started()
        child.send(signal.SIGINT)
        child.send(signal.SIGTERM)
        lines = {await self.next_of_ours(child) for _ in range(2)}
        self.assertEqual(len(lines), 2)
        self.assertIn("stopping", lines)
        [debug] = lines - {"stopping"}
        self.assertIn("debug already stopping: SIG", debug)
        child.send(signal.SIGUSR1)
        self.assertIn(await self.ended(child), (-signal.SIGINT, -signal.SIGTERM))

    async def test_stopped_by_itself(self) -> None:
        """A signal to a reactor that stops without one is too late to matter."""
        child = await self.started(tail=SLOW_STOP + "reactor.callWhenRunning(reactor.stop)\n")
        self.assertEqual(await self.next_of_ours(child), "stopping")
        child.send(signal.SIGTERM)
        self.assertEqual(await self.next_of_ours(child), "debug already stopping: SIGTERM")
        child.send(signal.SIGUSR1)
        self.assertEqual(await self.ended(child), 0)

    async def test_log_rotation_gives_way(self) -> None:
        """With a log file, USR1 stays ours."""
        child = await self.started("--logfile", self.mktemp())
        child.send(signal.SIGUSR1)
        self.assertEqual(await self.next_of_ours(child), "usr1")
