"""Tests of `restic_reporter.daemon.signals`, with real signals to real processes."""

import signal

from tests.doubles.signal_programs import HEAD, Child, ProcessTestCase

NUMBERS = (signal.SIGHUP, signal.SIGUSR1)


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
