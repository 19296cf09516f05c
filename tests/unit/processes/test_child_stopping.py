"""Tests of how a child process is stopped."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import TestCase

from restic_reporter.concurrency.deadline import Deadline, within
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.processes import child
from restic_reporter.processes.run import run_child
from tests.doubles.child_case import PATH, ROOT, start
from tests.doubles.child_programs import (
    DEAF_FAMILY,
    Output,
    Watch,
    python,
    running,
    shell,
)


class StoppingTests(TestCase):
    """What happens to a child that is not wanted any more."""

    async def test_interrupted(self) -> None:
        """A cancelled child gets INT, and the time to clean up; then it is gone."""
        mark = Path(self.mktemp()).resolve()
        output = Output()
        program = (
            "import signal, sys, pathlib\n"
            f"def clean(*_): pathlib.Path({str(mark)!r}).write_text('clean'); sys.exit()\n"
            "signal.signal(signal.SIGINT, clean)\n"
            "print('before', file=sys.stderr, flush=True)\n"
            "print('ready', flush=True)\n"
            "signal.pause()\n"
        )
        running = start(python(program), output)
        await output.line
        running.cancel()
        self.assertNoResult(running)
        error: Any = await self.assertFailure(running, CancelledError)
        self.assertEqual(mark.read_text(), "clean")
        self.assertEqual(error.stderr, "before\n")

    async def test_deaf(self) -> None:
        """One that ignores INT and TERM is killed, and so is what it has started elsewhere."""
        self.patch(child, "INTERRUPT_GRACE", 0.2)
        output = Output()
        running = start(python(DEAF_FAMILY), output)
        family = [Watch(self, int(one)) for one in (await output.line).split()]
        running.cancel()
        await self.assertFailure(running, CancelledError)
        self.assertEqual([one.gone(0) for one in family], [True, True, True])

    async def test_deadline(self) -> None:
        """At the deadline a deaf child is killed, and the reason is the time."""
        output = Output()
        work = run_child(reactor, python(DEAF_FAMILY), PATH, output.feed, stdout_limit=2**20)
        deadline = Deadline.after(reactor, 1.0)
        error: Any = await self.assertFailure(
            Deferred.fromCoroutine(within(deadline, work, "reading")), ReadError
        )
        self.assertEqual(error.reason, Reason.TIMEOUT)
        for pid in output.data.split():
            self.assertFalse(Path(f"/proc/{int(pid)}/cwd").exists())

    async def test_frozen(self) -> None:
        """Neither a child nor a guard that somebody has stopped by STOP stays."""
        self.patch(child, "INTERRUPT_GRACE", 0.2)
        for victim in (0, 1):
            output = Output()
            running = start(python(DEAF_FAMILY), output)
            pids = list(map(int, (await output.line).split()))
            family = [Watch(self, one) for one in pids]
            os.kill(pids[victim], signal.SIGSTOP)
            running.cancel()
            await self.assertFailure(running, CancelledError)
            self.assertEqual([one.gone(0) for one in family], [True, True, True])

    async def test_any_moment(self) -> None:
        """Nothing stays of a child that is cancelled at whatever moment of its start."""
        marker = f"marker-{os.getpid()}-{id(self)}"
        program = [*python("import signal\nwhile True: signal.pause()"), marker]
        children = []
        for delay in range(12):
            one = start(program, Output())
            reactor.callLater(delay * 0.02, one.cancel)
            children.append(self.assertFailure(one, CancelledError))
        for failed in children:
            await failed
        self.assertEqual(running(marker), [])

    async def test_cancelled_again(self) -> None:
        """More cancellations do not make it return before the child is gone."""
        self.patch(child, "INTERRUPT_GRACE", 0.2)
        output = Output()
        running = start(python(DEAF_FAMILY), output)
        family = [Watch(self, int(one)) for one in (await output.line).split()]
        for _ in range(3):
            running.cancel()
            self.assertNoResult(running)
        await self.assertFailure(running, CancelledError)
        self.assertEqual([one.gone(0) for one in family], [True, True, True])

    async def test_consumer_fails(self) -> None:
        """When the output cannot be used, the child is killed and the error comes out."""

        def fail(data: bytes) -> None:
            pids.append(int(data))
            watches.append(Watch(self, int(data)))
            raise KeyError("unusable")

        pids: list[int] = []
        watches: list[Watch] = []
        program = shell("trap '' INT TERM; echo $$; while :; do sleep 1000; done")
        work = run_child(reactor, program, PATH, fail, stdout_limit=2**20)
        await self.assertFailure(Deferred.fromCoroutine(work), KeyError)
        self.assertEqual(len(pids), 1)
        self.assertTrue(watches[0].gone(0))

    async def test_flood(self) -> None:
        """A child that floods an output is killed; no more than the limit is taken."""
        for target in ("", " >&2"):
            output = Output()
            program = shell(f"echo $$; exec cat /dev/zero{target}")
            running = start(program, output, 2**22)
            watch = Watch(self, int(await output.line))
            error: Any = await self.assertFailure(running, ReadError)
            self.assertEqual(error.reason, Reason.TOO_LARGE)
            self.assertLessEqual(len(output.data), 2**22)
            self.assertTrue(watch.gone(0))

    async def test_memory(self) -> None:
        """A flood of 1 GB does not show in the daemon's memory."""
        for target in ("", " >&2"):
            output = Output()
            program = shell(f"head -c 1000000000 /dev/zero{target}")
            await run_child(
                reactor,
                [sys.executable, "-m", "tests.doubles.child_daemon", "memory", *program],
                {**PATH, "PYTHONPATH": str(ROOT)},
                output.feed,
                stdout_limit=2**20,
            )
            reason, grown = output.data.decode().split()
            self.assertEqual(reason, "too_large")
            self.assertLess(int(grown), 32 * 1024)
