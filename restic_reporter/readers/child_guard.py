"""
The little program between the daemon and a child of it: ``python child_guard.py PROGRAM …``.

It starts the program in a session of its own and stays as its guard until that session is
empty. Descriptor 5 is a pipe whose other end the daemon holds; when that end closes, since
the daemon lets go of it or has died, however suddenly, the guard kills every process of
the session: the program, and whatever it has started, also in process groups of their own,
as restic starts ssh and rclone. It does the same when the program has ended. Signals are
passed on to the program's process group.

Descriptor 6 tells the daemon what happened, one line each: ``child PID``;
``failed MESSAGE`` where the program cannot be run; ``status N``, what ``wait`` said of the
program. It stays open until all is over.

Nothing but a small part of the standard library is imported: this runs before each child.
"""

import os
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

# How often, and how long apart, the session is looked through for survivors. The bound is
# for a process that not even KILL ends, stuck in the kernel.
_LOOKS = 100
_PAUSE = 0.01


def processes_of_session(session: int) -> list[int]:
    """The ids of all processes in ``session`` but our own, as far as ``/proc`` shows them."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            with open(f"/proc/{entry}/stat", "rb") as file:
                state, _parent, _group, owner = file.read().rpartition(b")")[2].split()[:4]
        except (OSError, ValueError):
            continue
        if int(owner) == session and state != b"Z":
            found.append(int(entry))
    return found


def tell(line: str) -> None:
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


def become(arguments: list[str]) -> None:
    """Turn this process, a fresh fork, into the program."""
    os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    for number in _CHANGED:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
    for descriptor in (LIFELINE, REPORT):
        os.set_inheritable(descriptor, False)
    try:
        os.execvpe(arguments[0], arguments, environment())
    except OSError as error:
        tell(f"failed {error.strerror}")


def start(arguments: list[str]) -> int:
    """The id of the process that runs the program."""
    # A signal between fork and exec would be lost in Python's handlers.
    signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED)
    child = os.fork()
    if child == 0:
        try:
            become(arguments)
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
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status


def signal_group(child: int, number: int) -> None:
    """Signal the process group of ``child``, which has not been waited for yet."""
    with suppress(OSError):
        os.killpg(child, number)


def clear_session(child: int, status: int | None) -> int | None:
    """Kill all that is left in our session; the child's status, if it has one now."""
    for _ in range(_LOOKS):
        if status is None:
            signal_group(child, signal.SIGKILL)
        for process in processes_of_session(os.getsid(0)):
            with suppress(OSError):
                os.kill(process, signal.SIGKILL)
        if status is None:
            ended, ending = os.waitpid(child, os.WNOHANG)
            status = ending if ended else None
        if status is not None and not processes_of_session(os.getsid(0)):
            break
        time.sleep(_PAUSE)
    return status


def main(arguments: list[str]) -> None:
    """Run the program in ``arguments``, guarded."""
    os.setsid()
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
    tell(f"child {child}")
    status = clear_session(child, watch(child, wakeup))
    if status is not None:
        tell(f"status {status}")


if __name__ == "__main__":
    main(sys.argv[1:])
    # Python's own way out would flush what is closed.
    os._exit(0)
