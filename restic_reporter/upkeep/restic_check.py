"""Runs ``restic check`` in a guarded child process."""

import sys
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from ..concurrency.deadline import Deadline
from ..model.errors import ReadError, Reason
from ..model.repository import Repository
from ..processes.run import ChildStoppedError, run_child
from ..readers.password import password_of
from ..readers.restic_command import restic_command
from ..readers.restic_errors import check_failure, last_retry

# As of the shell, for a program that was killed by a signal.
_SIGNAL = 128


class CheckFailedError(ReadError):
    """The check has failed with an ``exit`` status."""

    def __init__(self, error: ReadError, exit: int) -> None:
        super().__init__(error.reason, error.message)
        self.exit = exit


@frozen
class ResticCheck:
    """
    Runs the program ``restic`` to check a repository, without a lock.

    ``environ`` and ``cache_dir`` are as for `restic_reporter.readers.restic.ResticReader`.
    restic uses a temporary cache within ``cache_dir``, not that of the reader.
    """

    reactor: Any
    restic: str
    environ: Mapping[str, str] = field(repr=False)
    cache_dir: str | None = None

    async def run(self, repository: Repository, subset: str | None, deadline: Deadline) -> None:
        """
        Check ``repository`` and this part of its data, by the ``deadline``.

        The caller cancels it then; here that only tells a timeout from a stop.

        :raises CheckFailedError: restic has failed, with the first of the errors that it found.
        :raises ReadError: it could not be run to its end.
        """
        password = await password_of(repository, self.reactor, self.environ, deadline)
        words = ["check", "--json"]
        if subset is not None:
            words.append(f"--read-data-subset={subset}")
        command = restic_command(
            self.restic, self.environ, repository, password, self.cache_dir, *words
        )
        location, secrets = repository.location.reveal(), [*repository.secrets(), password]
        try:
            exit = await run_child(
                self.reactor,
                command.arguments,
                command.environment,
                lambda _: None,
                # A line for each of a million damaged packs is no reason to stop.
                stdout_limit=sys.maxsize,
                stderr_limit=sys.maxsize,
                inputs=command.inputs,
                nice=True,
            )
        except ChildStoppedError as stopped:
            if deadline.remaining() > 0:
                raise
            error = last_retry(stopped.stderr, location, secrets)
            said = "" if error is None else f"; {error.message}"
            message = f"restic check: stopped at its timeout{said}"
            raise ReadError(Reason.TIMEOUT, message) from None
        error = check_failure(exit, location, secrets)
        if error is not None:
            code = exit.code if exit.code is not None else _SIGNAL + (exit.signal or 0)
            raise CheckFailedError(error, code)
