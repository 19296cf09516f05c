"""Tests of `restic_reporter.readers.process.child`, with real processes."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import TestCase

from restic_reporter.concurrency.deadline import Deadline, within
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.readers.process import child
from restic_reporter.readers.process import guard as child_guard
from restic_reporter.readers.process.child import ChildStoppedError, Exit, run_child
from tests.doubles.child_programs import (
    DEAF_FAMILY,
    Output,
    Watch,
    python,
    running,
    script,
    shell,
)

ROOT = Path(__file__).resolve().parents[3]
PATH = {"PATH": "/usr/bin:/bin"}


def start(
    arguments: list[str], output: Output, limit: int = 2**20, **options: Any
) -> "Deferred[Exit]":
    """Run a child; a Deferred of how it ended."""
    environment = options.pop("environment", PATH)
    return Deferred.fromCoroutine(
        run_child(reactor, arguments, environment, output.feed, stdout_limit=limit, **options)
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
