"""
The little program between the daemon and a child of it: ``python child_guard.py PROGRAM …``.

It gives the child a session of its own, leaves a guard behind in it, and becomes the
child. The guard waits for the end of the pipe at descriptor 5, whose other end the daemon
holds; that end comes when the daemon lets go of it, or has died, however suddenly. Then
every process of the session is killed: the child, and whatever it has started, also in
process groups of their own, as restic starts ssh and rclone. As long as the guard lives
it keeps descriptor 6 open, so that the daemon knows when all is over.

Nothing but the standard library's smallest part is imported: this runs before each child.
"""

import fcntl
import os
import signal
import sys

LIFELINE = 5
ALIVE = 6

# What the daemon looks for at the beginning of stderr, together with this exit status.
CANNOT_RUN = "restic-reporter: cannot run "
CANNOT_RUN_STATUS = 127


def processes_of_session(session: int) -> list[int]:
    """The ids of all processes in ``session`` but our own, as far as ``/proc`` shows them."""
    found = []
    try:
        entries = os.listdir("/proc")
    except OSError:
        return []
    for entry in entries:
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


def guard(session: int) -> None:
    """Wait for the end of the lifeline, then kill all of ``session``, ourselves last."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    os.closerange(0, LIFELINE)
    os.closerange(ALIVE + 1, 64)
    while os.read(LIFELINE, 1):
        continue
    # A process may start another one while we look, so look until there is none; the
    # bound is for one that not even KILL ends, stuck in the kernel.
    for _ in range(100):
        others = processes_of_session(session)
        if not others:
            break
        for process in others:
            try:
                os.kill(process, signal.SIGKILL)
            except OSError:
                continue
    os.killpg(os.getpgid(0), signal.SIGKILL)


def main(arguments: list[str]) -> None:
    """Become the program in ``arguments``, guarded."""
    os.setsid()
    if os.fork() == 0:
        try:
            guard(os.getsid(0))
        finally:
            os._exit(0)
    for descriptor in (LIFELINE, ALIVE):
        fcntl.fcntl(descriptor, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    # The interpreter ignores these; the program must not inherit that.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(arguments[0], arguments)
    except OSError as error:
        sys.stderr.write(f"{CANNOT_RUN}{arguments[0]!r}: {error.strerror}\n")
        sys.stderr.flush()
        os._exit(CANNOT_RUN_STATUS)


if __name__ == "__main__":
    main(sys.argv[1:])
