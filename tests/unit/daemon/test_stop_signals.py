"""Tests of how signals stop the real twistd."""

import signal
from pathlib import Path

from tests.doubles.signal_programs import HEAD, Child, ProcessTestCase

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
