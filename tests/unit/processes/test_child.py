"""Tests of `restic_reporter.processes.child`, with real processes."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.processes import child
from restic_reporter.processes import guard as child_guard
from restic_reporter.processes.child import Exit
from restic_reporter.processes.run import ChildStoppedError, run_child
from tests.doubles.child_case import PATH, ROOT, start
from tests.doubles.child_programs import (
    DEAF_FAMILY,
    Output,
    python,
    shell,
)


class OutcomeTests(TestCase):
    """What a child that ends by itself gives."""

    async def test_output_and_status(self) -> None:
        """Both outputs and the exit status arrive."""
        output = Output()
        exit = await start(shell("echo out; echo wrong >&2; exit 3"), output)
        self.assertEqual(exit, Exit(3, None, "wrong\n"))
        self.assertEqual(output.data, b"out\n")

    async def test_signal(self) -> None:
        """A child that is killed by a signal gives its number."""
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV):
            exit = await start(shell(f"ulimit -c 0; kill -{int(number)} $$"), Output())
            self.assertEqual(exit, Exit(None, number, ""))

    async def test_much_output(self) -> None:
        """Output of many pipes' capacity arrives whole and in order."""
        output = Output()
        exit = await start(shell("seq 1 300000"), output, 2**24)
        self.assertEqual(exit.code, 0)
        self.assertEqual(output.data, "".join(f"{n}\n" for n in range(1, 300001)).encode())

    async def test_no_input(self) -> None:
        """The child's standard input is at its end."""
        exit = await start(["cat"], Output())
        self.assertEqual(exit.code, 0)

    async def test_inputs(self) -> None:
        """Each input is read from its descriptor, however long it is."""
        output = Output()
        long = b"long" * 100_000
        await start(shell("cat <&3; cat <&4"), output, inputs={3: b"three", 4: long})
        self.assertEqual(output.data, b"three" + long)

    async def test_inputs_by_name(self) -> None:
        """``/dev/fd/N`` works for an input."""
        output = Output()
        await start(["cat", "/dev/fd/4", "/dev/fd/3"], output, inputs={3: b"x", 4: b"y"})
        self.assertEqual(output.data, b"yx")

    async def test_unread_input(self) -> None:
        """A child need not read its inputs."""
        exit = await start(["true"], Output(), inputs={3: b"x" * 2**20})
        self.assertEqual(exit.code, 0)

    async def test_undecodable_stderr(self) -> None:
        """Bytes that are no UTF-8 show as replacement characters."""
        exit = await start(shell(r"printf '\377\n' >&2; exit 1"), Output())
        self.assertEqual(exit.stderr, "\ufffd\n")

    async def test_last_words(self) -> None:
        """The end of a long stderr is kept, as is its beginning."""
        exit = await start(shell("seq 1 200000 >&2; exit 1"), Output())
        self.assertTrue(exit.stderr.startswith("1\n2\n3\n"))
        self.assertTrue(exit.stderr.endswith("\n199999\n200000\n"))
        self.assertLess(len(exit.stderr), 2**18)

    async def test_descriptors_are_freed(self) -> None:
        """A child that has ended leaves no descriptor in the daemon, and no zombie."""
        await start(["true"], Output())
        before = sorted(os.listdir("/proc/self/fd"))
        await start(["true"], Output(), inputs={3: b"x" * 2**20})
        self.assertEqual(sorted(os.listdir("/proc/self/fd")), before)
        with self.assertRaises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)


class SurroundingsTests(TestCase):
    """What a child sees of the daemon."""

    async def test_environment(self) -> None:
        """The child's environment is exactly the one asked for; Python adds nothing."""
        output = Output()
        wanted = {"PATH": "/bin", "WORD": "two words\nand a line"}
        await start(shell("cat /proc/$$/environ"), output, environment=wanted)
        pairs = (entry.partition("=") for entry in output.data.decode().split("\0")[:-1])
        self.assertEqual({name: value for name, _, value in pairs}, wanted)

    async def test_empty_environment(self) -> None:
        """An empty environment stays empty."""
        output = Output()
        await start(shell("/bin/cat /proc/$$/environ"), output, environment={})
        self.assertEqual(output.data, b"")

    async def test_descriptors(self) -> None:
        """The child has no descriptor but its own, even where the daemon's are inheritable."""
        taken = os.open(os.devnull, os.O_RDONLY)
        self.addCleanup(os.close, taken)
        high = 100
        os.dup2(taken, high, inheritable=True)
        self.addCleanup(os.close, high)
        os.set_inheritable(taken, True)
        for inputs in ({}, {3: b"x"}, {3: b"x", 4: b"y"}):
            output = Output()
            running = start(shell("echo $$; while :; do sleep 1000; done"), output, inputs=inputs)
            pid = int(await output.line)
            found = sorted(map(int, os.listdir(f"/proc/{pid}/fd")))
            running.cancel()
            await self.assertFailure(running, ChildStoppedError)
            self.assertEqual(found, [0, 1, 2, *inputs])

    async def test_signal_dispositions(self) -> None:
        """The child ignores and blocks no signal, though Python ignores some."""
        output = Output()
        await start(["grep", "-E", "Sig(Ign|Blk)", "/proc/self/status"], output)
        masks = [int(mask, 16) for mask in output.data.split()[1::2]]
        # Above these the C library has two of its own.
        self.assertEqual([mask & 0x7FFFFFFF for mask in masks], [0, 0])

    async def test_memory_limit(self) -> None:
        """The child's memory is limited, so that an endless file in a cache ends it alone."""
        output = Output()
        await start(shell("ulimit -d"), output)
        self.assertLessEqual(int(output.data), child_guard.MEMORY_LIMIT // 1024)

    async def test_own_session(self) -> None:
        """The child is the first of a process group of its own, in another session than ours."""
        output = Output()
        running = start(python(DEAF_FAMILY), output)
        pid, guard, grandchild = map(int, (await output.line).split())
        sessions = {os.getsid(one) for one in (pid, guard, grandchild)}
        groups = [os.getpgid(one) for one in (pid, guard, grandchild)]
        self.patch(child, "INTERRUPT_GRACE", 0.1)
        running.cancel()
        await self.assertFailure(running, ChildStoppedError)
        self.assertEqual(sessions, {guard})
        self.assertNotEqual(guard, os.getsid(0))
        self.assertEqual(groups, [pid, guard, grandchild])

    async def test_low_descriptors(self) -> None:
        """The inputs arrive also where the daemon's pipes have the numbers of the child's."""
        output = Output()
        program = shell("cat <&3; cat <&4; echo fine >&2")
        for what in ("run", "low"):
            output = Output()
            exit = await run_child(
                reactor,
                [sys.executable, "-m", "tests.doubles.child_daemon", what, *program],
                {**PATH, "PYTHONPATH": str(ROOT)},
                output.feed,
                stdout_limit=2**20,
            )
            self.assertEqual((output.data, exit.code), (b"three\nfour\nstatus 0 fine\n\n", 0))


class CannotRunTests(TestCase):
    """Programs that cannot be run."""

    async def assert_cannot_run(self, program: str, message: str) -> None:
        """Running ``program`` fails with ``exec`` and a message that ends like this."""
        error: Any = await self.assertFailure(start([program], Output()), ReadError)
        self.assertEqual(error.reason, Reason.EXEC)
        self.assertEqual(error.message, f"cannot run {program!r}: {message}")

    def file(self, content: bytes, mode: int = 0o755) -> str:
        """A file with this content."""
        path = Path(self.mktemp())
        path.write_bytes(content)
        path.chmod(mode)
        return str(path.resolve())

    async def test_missing(self) -> None:
        """A program that is not there, by path or by name."""
        await self.assert_cannot_run("/nonexistent/restic", "No such file or directory")
        await self.assert_cannot_run("no-such-program", "No such file or directory")

    async def test_not_executable(self) -> None:
        """A file that may not be run."""
        await self.assert_cannot_run(self.file(b"#!/bin/sh\n", 0o644), "Permission denied")

    async def test_folder(self) -> None:
        """A folder."""
        await self.assert_cannot_run("/tmp", "Permission denied")

    async def test_wrong_architecture(self) -> None:
        """A program for another kind of machine, one that is cut short, and an empty one."""
        machine = Path("/bin/true").read_bytes()
        other = machine[:18] + b"\x15\x00" + machine[20:]  # e_machine: 64-bit PowerPC
        await self.assert_cannot_run(self.file(other), "Exec format error")
        await self.assert_cannot_run(self.file(machine[:20]), "Exec format error")
        await self.assert_cannot_run(self.file(b""), "Exec format error")

    async def test_missing_interpreter(self) -> None:
        """A script whose interpreter is missing."""
        program = self.file(b"#!/nonexistent/python\n")
        await self.assert_cannot_run(program, "No such file or directory")

    async def test_being_written(self) -> None:
        """A program that somebody is just writing."""
        program = self.file(Path("/bin/true").read_bytes())
        with open(program, "ab"):
            await self.assert_cannot_run(program, "Text file busy")

    async def test_nul(self) -> None:
        """A NUL in an argument."""
        await self.assert_cannot_run("a\0b", "embedded null byte")

    async def test_imitation(self) -> None:
        """A child that ends like a missing one, and says so, has been run all the same."""
        text = "failed No such file or directory"
        exit = await start(shell(f"echo {text!r} >&2; exit 127"), Output())
        self.assertEqual(exit, Exit(127, None, f"{text}\n"))

    async def test_no_descriptors(self) -> None:
        """Without free descriptors it cannot be run; with them, it works again."""
        output = Output()
        await run_child(
            reactor,
            [sys.executable, "-m", "tests.doubles.child_daemon", "scarce", "true"],
            {**PATH, "PYTHONPATH": str(ROOT)},
            output.feed,
            stdout_limit=2**20,
        )
        self.assertEqual(output.data.decode().split(), ["exec"] * 4 + ["status", "0"])
