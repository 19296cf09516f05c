"""
The little program between the daemon and a child of it: ``python child_guard.py PROGRAM …``.
With ``--nice`` before it, the program gives way to all others.

It starts the program in its own session and guards it until all its descendants have ended.
Descriptor 5 is a pipe whose other end the daemon holds. When the daemon closes it or dies, the
guard kills the program and all its descendants. These may have process groups and sessions of
their own, like the ssh and rclone of restic. It also kills them when the program ends. Signals
are forwarded to the program's process group.

Orphaned descendants become children of the guard, which reaps them: a daemon that is process 1
of a container would not. When the guard is killed, the program is killed too.

Descriptor 6 reports to the daemon, one line each: ``child PID``; ``failed MESSAGE`` if the
program cannot be run; ``status N``, the program's status from ``wait``. It stays open to the end.

It imports only a small part of the standard library, as it runs before each child.
"""

import ctypes
import os
import resource
import select
import signal
import sys
import time
from contextlib import suppress

LIFELINE = 5
REPORT = 6

NICE = "--nice"
_NICENESS = 19

_FORWARDED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)

# Signals that Python handles in its own way: it ignores two, the others are set below.
_CHANGED = (*_FORWARDED, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ)

# Of prctl, from linux/prctl.h.
SET_DEATH_SIGNAL = 1
SET_SUBREAPER = 36

# Bytes of memory for the program, and for each process that it starts. restic seldom needs a
# twentieth of it, but reads a file in its cache to the end, of any length.
MEMORY_LIMIT = 4 * 2**30

# How many times, and how many seconds apart, the rest is killed. Limited, as a process that
# hangs in the kernel survives even KILL.
_LOOKS = 100
_PAUSE = 0.01


def set_process_option(option: int, value: int) -> None:
    """Call Linux's prctl; it cannot fail for the options used here."""
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def descendants(ancestor: int) -> list[int]:
    """Return the ids of all living descendants of ``ancestor``, from ``/proc``."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", "rb") as file:
                _state, parent = file.read().rpartition(b")")[2].split()[:2]
        except (OSError, ValueError):
            continue
        children.setdefault(int(parent), []).append(int(entry))
    found: list[int] = []
    waiting = [ancestor]
    while waiting:
        some = children.pop(waiting.pop(), [])
        found += some
        waiting += some
    return found


def report(line: str) -> None:
    """Report to the daemon, which may be dead."""
    with suppress(OSError):
        os.write(REPORT, f"{line}\n".encode("utf-8", "backslashreplace"))


def environment() -> dict[bytes, bytes]:
    """
    Return the environment that the daemon has set.

    ``os.environ`` may contain an ``LC_CTYPE`` that Python has added.
    """
    with open("/proc/self/environ", "rb") as file:
        pairs = (entry.partition(b"=") for entry in file.read().split(b"\0") if entry)
        return {name: value for name, _, value in pairs}


def become(arguments: list[str], guard: int) -> None:
    """Turn this process, a fresh fork, into the program."""
    set_process_option(SET_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != guard:
        return  # The guard was killed before that: nothing would stop the program.
    os.setpgid(0, 0)
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    if most == resource.RLIM_INFINITY or most > MEMORY_LIMIT:
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_LIMIT, most))
    signal.set_wakeup_fd(-1)
    for number in _CHANGED:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
    for descriptor in (LIFELINE, REPORT):
        os.set_inheritable(descriptor, False)
    if arguments[0] == NICE:
        # A sandbox may forbid it.
        with suppress(OSError):
            os.nice(_NICENESS)
        arguments = arguments[1:]
    try:
        os.execvpe(arguments[0], arguments, environment())  # noqa: S606 - no shell is meant
    except OSError as error:
        report(f"failed {error.strerror}")


def start(arguments: list[str]) -> int:
    """Start the program; return its process id."""
    # A signal between fork and exec would be lost in Python's handlers.
    signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED)
    guard = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            become(arguments, guard)
        finally:
            os._exit(127)
    with suppress(OSError):
        # The child does so too: the group must exist before the first signal.
        os.setpgid(child, child)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
    return child


def watch(child: int, wakeup: int) -> int | None:
    """Wait for the child; return its status, or ``None`` if the lifeline closes first."""
    while True:
        readable, _, _ = select.select([LIFELINE, wakeup], [], [])
        if LIFELINE in readable:
            return None
        for number in os.read(wakeup, 64):
            if number in _FORWARDED:
                # The child is not reaped yet, so its group is still its own.
                with suppress(OSError):
                    os.killpg(child, number)
        status, _ = reap(child)
        if status is not None:
            return status


def reap(child: int) -> tuple[int | None, bool]:
    """Return the status of ``child`` if it has ended, and whether no process is left."""
    status = None
    while True:
        try:
            ended, ending = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status, True
        if not ended:
            return status, False
        if ended == child:
            status = ending


def clear(child: int, status: int | None) -> int | None:
    """Kill all descendants; return the child's status, if known."""
    for _ in range(_LOOKS):
        ending, all_gone = reap(child)
        status = ending if status is None else status
        if all_gone:
            break
        for process in descendants(os.getpid()):
            with suppress(OSError):
                os.kill(process, signal.SIGKILL)
        time.sleep(_PAUSE)
    return status


def main(arguments: list[str]) -> None:
    """Run the program in ``arguments``, guarded."""
    os.setsid()
    set_process_option(SET_SUBREAPER, 1)
    wakeup, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    for number in (*_FORWARDED, signal.SIGCHLD):
        # Signals are read from the wakeup descriptor, which needs a handler to be set.
        signal.signal(number, lambda _number, _frame: None)
    child = start(arguments)
    for descriptor in set(range(LIFELINE)) - {wakeup, waker}:
        with suppress(OSError):
            os.close(descriptor)
    report(f"child {child}")
    status = clear(child, watch(child, wakeup))
    if status is not None:
        report(f"status {status}")


if __name__ == "__main__":
    main(sys.argv[1:])
    # Python's normal exit would flush closed files.
    os._exit(0)
