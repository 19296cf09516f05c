"""Tests of `restic_reporter.processes.guard`, run as the program that it is."""

import os
import signal
import sys

from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.processes import guard as child_guard
from tests.doubles.child_programs import DEAF_FAMILY, Watch, python, running, shell

# Descriptors out of the way of those that the guard shall see.
_HIGH = 200


class Guarded:
    """A guard that runs a program, seen from where the daemon stands."""

    def __init__(self, test: SynchronousTestCase, arguments: list[str]) -> None:
        lifeline, self._lifeline = os.pipe()
        self._report, report = os.pipe()
        self.stdout, stdout = os.pipe()
        moved = {1: stdout, child_guard.LIFELINE: lifeline, child_guard.REPORT: report}
        for target, descriptor in moved.items():
            os.dup2(descriptor, _HIGH + target, inheritable=False)
            os.close(descriptor)
        self.pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-I", "-S", child_guard.__file__, *arguments],
            {"PATH": "/usr/bin:/bin"},
            file_actions=[(os.POSIX_SPAWN_DUP2, _HIGH + target, target) for target in moved],
        )
        for target in moved:
            os.close(_HIGH + target)
        self.status: int | None = None
        test.addCleanup(self.close)

    def line(self) -> str:
        """A line that the program prints."""
        data = b""
        while not data.endswith(b"\n"):
            data += os.read(self.stdout, 1)
        return data.decode().rstrip("\n")

    def let_go(self) -> None:
        """Close the lifeline."""
        os.close(self._lifeline)
        self._lifeline = -1

    def report(self) -> list[str]:
        """What the guard reports, when it has ended."""
        data = b""
        while piece := os.read(self._report, 4096):
            data += piece
        _, self.status = os.waitpid(self.pid, 0)
        return data.decode().splitlines()

    def close(self) -> None:
        """End it, however it is."""
        if self._lifeline >= 0:
            self.let_go()
        if self.status is None:
            self.report()
        os.close(self._report)
        os.close(self.stdout)


class GuardTests(SynchronousTestCase):
    """The guard by itself."""

    def test_report(self) -> None:
        """It tells the id of the child, and later how it has ended."""
        guarded = Guarded(self, shell("echo $$; exit 3"))
        pid = int(guarded.line())
        self.assertEqual(guarded.report(), [f"child {pid}", f"status {3 << 8}"])
        self.assertEqual(guarded.status, 0)

    def test_signalled_child(self) -> None:
        """A child that a signal has ended has that status."""
        guarded = Guarded(self, shell("kill -9 $$"))
        self.assertEqual(guarded.report()[1:], [f"status {int(signal.SIGKILL)}"])

    def test_cannot_run(self) -> None:
        """It tells why a program cannot be run."""
        report = Guarded(self, ["/nonexistent/restic"]).report()
        self.assertIn("failed No such file or directory", report)

    def test_lifeline(self) -> None:
        """When the lifeline ends, all of the session are killed before the guard goes."""
        guarded = Guarded(self, python(DEAF_FAMILY))
        family = [Watch(self, int(one)) for one in guarded.line().split()]
        guarded.let_go()
        self.assertEqual(guarded.report()[1:], [f"status {int(signal.SIGKILL)}"])
        self.assertEqual([one.gone() for one in family], [True, True, True])

    def test_child_ends(self) -> None:
        """When the child ends, what it leaves in the session is killed."""
        program = DEAF_FAMILY.replace("while True:", "if grandchild: os._exit(0)\nwhile True:")
        guarded = Guarded(self, python(program))
        guarded.report()
        grandchild = int(guarded.line().split()[2])
        self.assertFalse(os.path.exists(f"/proc/{grandchild}/cwd"))

    def test_many_processes(self) -> None:
        """A child that goes on starting others while they are killed is ended too."""
        marker = f"marker-{os.getpid()}-{id(self)}"
        program = (
            "import os, time\n"
            "print('ready', flush=True)\n"
            "first = os.getpid()\n"
            "while True:\n"
            "    if os.fork() and os.getpid() != first: os._exit(0)\n"
            "    time.sleep(10 if os.getpid() == first else 0.02)\n"
        )
        guarded = Guarded(self, [*python(program), marker])
        guarded.line()
        guarded.let_go()
        guarded.report()
        self.assertEqual(running(marker), [])

    def test_signals_are_passed_on(self) -> None:
        """The child gets the signals of the guard, which lives on itself."""
        program = (
            "import os, signal\n"
            "def tell(number, _): os.write(1, f'{number}\\n'.encode())\n"
            "for one in (1, 2, 3, 15): signal.signal(one, tell)\n"
            "os.write(1, b'ready\\n')\n"
            "while True: signal.pause()\n"
        )
        guarded = Guarded(self, python(program))
        guarded.line()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            os.kill(guarded.pid, number)
            self.assertEqual(guarded.line(), str(int(number)))

    def test_no_descriptors_kept(self) -> None:
        """The guard keeps none of the child's descriptors, so that their ends are seen."""
        guarded = Guarded(self, shell("echo ready; exec >&-; while :; do sleep 1000; done"))
        guarded.line()
        self.assertEqual(os.read(guarded.stdout, 1), b"")

    def test_own_session(self) -> None:
        """A process that leaves the session, and its parent, is ended and reaped all the same."""
        program = (
            "import os, time\n"
            "if os.fork(): time.sleep(1000)\n"
            "os.setsid()\n"
            "parent = os.getpid()\n"
            "if os.fork(): os._exit(0)\n"
            "while os.getppid() == parent: time.sleep(0.01)\n"
            "print(os.getpid(), os.getppid(), flush=True)\n"
            "time.sleep(1000)\n"
        )
        guarded = Guarded(self, python(program))
        orphan, parent = map(int, guarded.line().split())
        self.assertEqual(parent, guarded.pid)
        watch = Watch(self, orphan)
        guarded.let_go()
        guarded.report()
        self.assertTrue(watch.gone())

    def test_guard_is_killed(self) -> None:
        """With the guard, however suddenly it goes, the program goes too."""
        program = "import os, signal\nprint(os.getpid(), flush=True)\nwhile True: signal.pause()"
        guarded = Guarded(self, python(program))
        watch = Watch(self, int(guarded.line()))
        os.kill(guarded.pid, signal.SIGKILL)
        guarded.report()
        self.assertTrue(watch.gone())


class DescendantsTests(SynchronousTestCase):
    """Who descends from a process."""

    def test_processes(self) -> None:
        """All living descendants are found, and only they."""
        guarded = Guarded(self, python(DEAF_FAMILY))
        family = set(map(int, guarded.line().split()))
        self.assertEqual(set(child_guard.descendants(guarded.pid)), family - {guarded.pid})
        self.assertLessEqual(family, set(child_guard.descendants(os.getpid())))

    def test_strange_names(self) -> None:
        """A process whose name looks like the end of that field is understood."""
        program = (
            "import os, signal\n"
            "open('/proc/self/comm', 'w').write(') Z 1 1 (')\n"
            "os.write(1, b'ready\\n')\n"
            "while True: signal.pause()\n"
        )
        guarded = Guarded(self, python(program))
        guarded.line()
        self.assertEqual(len(child_guard.descendants(guarded.pid)), 1)
