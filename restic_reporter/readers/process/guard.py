"""
The little program between the daemon and a child of it: ``python child_guard.py PROGRAM …``.

It starts the program in a session of its own and stays as its guard until all that the program
has started is gone. Descriptor 5 is a pipe whose other end the daemon holds; when that end
closes, since the daemon lets go of it or has died, however suddenly, the guard kills the program
and all its descendants, also those in process groups and sessions of their own, as restic starts
ssh and rclone. It does the same when the program has ended. Signals are passed on to the
program's process group.

Orphans among the descendants become children of the guard, which reaps them: where the daemon
is process 1 of a container, nobody else would. When the guard is killed, the program is too.

Descriptor 6 tells the daemon what happened, one line each: ``child PID``;
``failed MESSAGE`` where the program cannot be run; ``status N``, what ``wait`` said of the
program. It stays open until all is over.

Nothing but a small part of the standard library is imported: this runs before each child.
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

_FORWARDED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)

# What Python changes for itself: it ignores two, the others are set below.
_CHANGED = (*_FORWARDED, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ)

# Of prctl, from linux/prctl.h.
SET_DEATH_SIGNAL = 1
SET_SUBREAPER = 36

# Bytes of memory for the program, and for each that it starts. restic seldom needs a twentieth
# of it, but reads a file in its cache to the end, however long that is.
MEMORY_LIMIT = 4 * 2**30

# How often, and how long apart, what is left is killed. The bound is for a process that not
# even KILL ends, stuck in the kernel.
_LOOKS = 100
_PAUSE = 0.01


def set_process_option(option: int, value: int) -> None:
    """Linux's prctl; it cannot fail for the options used here."""
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def descendants(ancestor: int) -> list[int]:
    """The ids of all living processes that descend from ``ancestor``, as ``/proc`` shows them."""
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
    The environment as the daemon gave it.

    ``os.environ`` may hold an ``LC_CTYPE`` that Python has added.
    """
    with open("/proc/self/environ", "rb") as file:
        pairs = (entry.partition(b"=") for entry in file.read().split(b"\0") if entry)
        return {name: value for name, _, value in pairs}


def become(arguments: list[str], guard: int) -> None:
    """Turn this process, a fresh fork, into the program."""
    set_process_option(SET_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != guard:
        return  # Killed before that; nobody would end us.
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
    try:
        os.execvpe(arguments[0], arguments, environment())
    except OSError as error:
        report(f"failed {error.strerror}")


def start(arguments: list[str]) -> int:
    """The id of the process that runs the program."""
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
        # The child does so itself; whichever comes first, the group is there for signals.
        os.setpgid(child, child)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
    return child


def watch(child: int, wakeup: int) -> int | None:
    """The child's status once it has ended; ``None`` if the lifeline ends before."""
    while True:
        readable, _, _ = select.select([LIFELINE, wakeup], [], [])
        if LIFELINE in readable:
            return None
        for number in os.read(wakeup, 64):
            if number in _FORWARDED:
                signal_group(child, number)
        status, _ = reap(child)
        if status is not None:
            return status


def reap(child: int) -> tuple[int | None, bool]:
    """The status of ``child`` if it has ended now; and whether no process of ours is left."""
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


def signal_group(child: int, number: int) -> None:
    """Signal the process group of ``child``, which has not been waited for yet."""
    with suppress(OSError):
        os.killpg(child, number)


def clear(child: int, status: int | None) -> int | None:
    """Kill all that is left of ours; the child's status, if it has one now."""
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
        # The wakeup descriptor is what tells; but without a handler it is told nothing.
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
    # Python's own way out would flush what is closed.
    os._exit(0)
