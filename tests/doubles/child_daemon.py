"""
A program for a test: a daemon in the small that runs one child.

``python -m tests.doubles.child_daemon WHAT ARGUMENTS…`` with WHAT one of:

``run``: print what the child prints;
``low``: the same, with the descriptors below 24 free but for the standard ones, so that the
pipes' own numbers are those that the child shall see them at;
``scarce``: print what comes of it without free descriptors, and again with them;
``first``: as if it were process 1, to which all orphans come; print ``no children`` at last
where none came;
``memory``: print the reason why it failed, and by how many KiB memory has grown.
"""

import os
import resource
import sys
from typing import Any

from twisted.internet.defer import Deferred

from restic_reporter.concurrency.deadline import sleep
from restic_reporter.model.errors import ReadError
from restic_reporter.processes import guard as child_guard
from restic_reporter.processes.run import run_child

_LOW = 24


def show(data: bytes) -> None:
    """Pass on what the child prints."""
    os.write(1, data)


async def attempt(clock: Any, arguments: list[str], limit: int = 2**20) -> str:
    """Run it; the reason why it failed, or its exit status."""
    environment = {"PATH": os.environ["PATH"]}
    consume = show if limit <= 2**20 else len
    try:
        exit = await run_child(
            clock,
            arguments,
            environment,
            consume,  # type: ignore[arg-type]
            stdout_limit=limit,
            inputs={3: b"three\n", 4: b"four\n"},
        )
    except ReadError as error:
        return str(error.reason)
    return f"status {exit.code} {exit.stderr}"


async def main(clock: Any, what: str, arguments: list[str]) -> None:
    """Do ``what``."""
    await sleep(clock, 0)
    if what == "scarce":
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
        taken: list[int] = []
        try:
            while True:
                taken.append(os.dup(0))
        except OSError:
            pass
        # Enough for some of the pipes, not for all.
        for free in (0, 3, 6, 9):
            for _ in range(free):
                os.close(taken.pop())
            print(await attempt(clock, arguments), flush=True)
            taken.extend(os.dup(0) for _ in range(free))
        for descriptor in taken:
            os.close(descriptor)
    if what == "memory":
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        reason = await attempt(clock, arguments, 64 * 2**20)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        print(reason, grown, flush=True)
        return
    if what == "first":
        child_guard.set_process_option(child_guard.SET_SUBREAPER, 1)
    print(await attempt(clock, arguments), flush=True)
    if what == "first":
        try:
            os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            print("no children", flush=True)


def occupy() -> list[int]:
    """Take every free descriptor below the limit."""
    taken = []
    while (descriptor := os.open(os.devnull, os.O_RDONLY)) < _LOW:
        taken.append(descriptor)
    os.close(descriptor)
    return taken


if __name__ == "__main__":
    placeholders = occupy() if sys.argv[1] == "low" else []
    from twisted.internet import reactor
    from twisted.internet.task import react

    for placeholder in placeholders:
        os.close(placeholder)
    react(lambda _: Deferred.fromCoroutine(main(reactor, sys.argv[1], sys.argv[2:])))
