"""Tests of what a child process leaves behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from restic_reporter.processes.child import Exit
from restic_reporter.processes.run import run_child
from tests.doubles.child_case import PATH, ROOT, start
from tests.doubles.child_programs import (
    DEAF_FAMILY,
    Output,
    Watch,
    python,
    script,
    shell,
)


class LeftoverTests(TestCase):
    """Processes that outlive somebody."""

    async def test_grandchild_keeps_pipes(self) -> None:
        """The child's own answer counts, and what it leaves behind is ended with it."""
        output = Output()
        running = start(
            python(DEAF_FAMILY.replace("while True:", "if grandchild: os._exit(7)\nwhile True:")),
            output,
        )
        exit = await running
        self.assertEqual(exit, Exit(7, None, ""))
        for pid in output.data.split():
            self.assertFalse(Path(f"/proc/{int(pid)}/cwd").exists())

    async def test_escaped_grandchild(self) -> None:
        """One that has left the session and keeps the pipes is ended all the same."""
        output = Output()
        exit = await start(shell("setsid sleep 1000 & echo $!; exit 4"), output)
        self.assertEqual(exit.code, 4)
        self.assertFalse(Path(f"/proc/{int(output.data)}/cwd").exists())

    async def test_zombies(self) -> None:
        """No orphan of a child is left to the daemon, which process 1 would have to reap."""
        output = Output()
        orphans = 'sh -c "true & true & setsid true &"; sleep 0.1; '
        await run_child(
            reactor,
            [sys.executable, "-m", "tests.doubles.child_daemon", "first", *shell(orphans)],
            {**PATH, "PYTHONPATH": str(ROOT)},
            output.feed,
            stdout_limit=2**20,
        )
        self.assertEqual(output.data.decode().split("\n")[-2], "no children")

    async def test_guard_and_daemon_killed(self) -> None:
        """A guard and a daemon that are killed together take the child along."""
        program, pids = self.daemon()
        child = Watch(self, pids[0])
        self.addCleanup(os.kill, pids[2], signal.SIGKILL)
        # The daemon cannot see the guard's end before its own.
        program.send_signal(signal.SIGSTOP)
        os.kill(pids[1], signal.SIGKILL)
        program.kill()
        program.wait()
        self.assertTrue(child.gone())

    async def test_guard_killed(self) -> None:
        """When the guard is killed, so is the child, and the signal is the outcome."""
        output = Output()
        running = start(python(DEAF_FAMILY), output)
        pids = list(map(int, (await output.line).split()))
        pid, grandchild = (Watch(self, one) for one in (pids[0], pids[2]))
        self.addCleanup(os.kill, pids[2], signal.SIGKILL)
        os.kill(pids[1], signal.SIGKILL)
        exit = await running
        self.assertEqual(exit, Exit(None, signal.SIGKILL, ""))
        self.assertTrue(pid.gone())
        self.assertFalse(grandchild.gone(0))

    def daemon(self) -> "tuple[subprocess.Popen[str], list[int]]":
        """A daemon in the small with a deaf family; the ids of child, guard and grandchild."""
        program = subprocess.Popen(
            [sys.executable, "-m", "tests.doubles.child_daemon", "run", *python(DEAF_FAMILY)],
            env={**PATH, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert program.stdout is not None
        self.addCleanup(program.stdout.close)
        return program, list(map(int, program.stdout.readline().split()))

    def test_daemon_killed(self) -> None:
        """When the daemon is killed, its child, the grandchild and the guard end."""
        program, pids = self.daemon()
        family = [Watch(self, one) for one in pids]
        program.kill()
        program.wait()
        self.assertEqual([one.gone() for one in family], [True, True, True])

    def test_daemon_killed_child_frozen(self) -> None:
        """The same when somebody has stopped the child by STOP."""
        program, pids = self.daemon()
        family = [Watch(self, one) for one in pids]
        os.kill(pids[0], signal.SIGSTOP)
        program.kill()
        program.wait()
        self.assertEqual([one.gone() for one in family], [True, True, True])


class ScriptTests(TestCase):
    """Programs in files, found by ``PATH``."""

    async def test_path_of_the_child(self) -> None:
        """A bare name is looked for in the ``PATH`` of the child's environment."""
        folder = Path(self.mktemp()).resolve()
        folder.mkdir()
        script(folder / "restic", "#!/bin/sh\necho mine\n")
        output = Output()
        await start(["restic"], output, environment={"PATH": f"{folder}:/bin"})
        self.assertEqual(output.data, b"mine\n")
