"""``restic-reporter collect``, and ``check-config --connect``: look at all repositories once."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ..collection.open_repository import open_repository
from ..collection.read_repository import read_repository
from ..collection.state import RepositoryStatus
from ..concurrency.cooperative import at_once
from ..tap import Options
from .result_table import print_result
from .screen import Screen, console_of, is_terminal, plain
from .single_run import run_once
from .textfile import check_textfile, write_textfile

# The exit status where some repositories could not be read.
SOME_FAILED = 3


def collect(options: Options, textfile: str | None = None) -> int:
    """
    Collect once; print a table on a terminal, else the metrics, or write them to ``textfile``.

    :return: the exit status.
    :raises ValueError: it cannot run like this; the message is for the user.
    :raises Interrupted: by a signal.
    """
    target = None if textfile is None else Path(options["directory"], textfile)
    if target is not None:
        _check(target)
    collection = run_once(options, read_repository, Screen.of_process())
    page = at_once(collection.page.steps(openmetrics=False))
    if target is not None:
        try:
            write_textfile(target, page)
        except OSError as error:
            raise ValueError(f"cannot write {str(target)!r}: {error.strerror}") from None
    statuses = list(collection.state.statuses.values())
    if is_terminal(sys.stdout):
        print_result(console_of(sys.stdout), statuses, time.time(), collection.redactor.redact)
    elif target is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(page)
    return _status(statuses)


def _check(target: Path) -> None:
    try:
        check_textfile(target)
    except ValueError as error:
        raise ValueError(f"--textfile: {error}") from None


def connect(options: Options) -> int:
    """
    Look whether each repository could be read, without reading snapshots; a line for each.

    :return: the exit status.
    :raises ValueError: it cannot run like this; the message is for the user.
    :raises Interrupted: by a signal.
    """
    collection = run_once(options, open_repository, Screen.of_process())
    statuses = sorted(
        collection.state.statuses.values(), key=lambda one: one.task.repository.position
    )
    for status in statuses:
        print(_line(status, collection.redactor.redact))
    return _status(statuses)


def _line(status: RepositoryStatus, redact: Callable[[str], str]) -> str:
    error = status.error
    result = "ok" if error is None else f"{error.reason}: {plain(redact(error.message))}"
    return f"{plain(status.task.repository.url)}: {result}"


def _status(statuses: Sequence[RepositoryStatus]) -> int:
    return 0 if all(one.success for one in statuses) else SOME_FAILED
