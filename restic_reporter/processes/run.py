"""Runs a child process to its end."""

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import CancelledError

from .child import STDERR_LIMIT, Exit, start_child


class ChildStoppedError(CancelledError):
    """The child was stopped because its reader was cancelled; ``stderr`` as in `Exit`."""

    def __init__(self, stderr: str) -> None:
        super().__init__()
        self.stderr = stderr


async def run_child(
    reactor: Any,
    arguments: list[str],
    environment: Mapping[str, str],
    on_stdout: Callable[[bytes], None],
    *,
    stdout_limit: int,
    stderr_limit: int = STDERR_LIMIT,
    on_stderr: Callable[[bytes], None] = lambda _: None,
    inputs: Mapping[int, bytes] | None = None,
    nice: bool = False,
) -> Exit:
    """
    Run a program to its end.

    Its stdin is empty; the arguments are those of `start_child`. An error of ``on_stdout`` or
    ``on_stderr`` is raised here.

    When this is cancelled the child is interrupted, and killed if that does not help; it
    ends, with `ChildStoppedError`, only when the child and all that it has started have ended.

    :raises ReadError: ``exec`` if the program cannot be run, ``too_large`` if it writes
        more than ``stdout_limit`` bytes, or more than ``stderr_limit`` to stderr.
    """
    child = start_child(
        reactor,
        arguments,
        environment,
        on_stdout,
        stdout_limit=stdout_limit,
        stderr_limit=stderr_limit,
        on_stderr=on_stderr,
        inputs=inputs,
        nice=nice,
    )
    child.transport.closeChildFD(0)
    try:
        await child.ended()
    except CancelledError:
        child.stop()
        await child.wait_until_gone()
        raise ChildStoppedError(child.exit.stderr) from None
    return child.result()
