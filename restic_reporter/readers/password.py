"""Gets the password of a repository, for both readers."""

from collections.abc import Mapping
from typing import Any

from ..concurrency.deadline import Deadline
from ..config.sources import password_text
from ..model.errors import ReadError, Reason
from ..model.repository import Repository
from ..processes.environment import child_environment
from ..processes.run import ChildStoppedError, run_child
from ..redaction.secret import Secret

_OUTPUT_LIMIT = 2**16


async def password_of(
    repository: Repository, reactor: Any, environ: Mapping[str, str], deadline: Deadline
) -> Secret:
    """
    Return the repository's password; run its command if it has one.

    The caller stops the command at the ``deadline``; here it only tells a timeout from a stop.

    :raises ReadError: ``secret``. The message never contains output of the command.
    """
    password = repository.password
    if password is None:
        raise ReadError(Reason.SECRET, "password not looked up yet")
    if isinstance(password, Secret):
        return password
    output = bytearray()
    arguments, seen = list(password.arguments), child_environment(environ)
    program = arguments[0]
    try:
        exit = await run_child(reactor, arguments, seen, output.extend, stdout_limit=_OUTPUT_LIMIT)
    except ChildStoppedError:
        if deadline.remaining() > 0:
            raise
        raise ReadError(Reason.SECRET, f"password_command: {program!r} timed out") from None
    except ReadError as error:
        raise ReadError(Reason.SECRET, f"password_command: {error.message}") from None
    if exit.code != 0:
        how = f"signal {exit.signal}" if exit.code is None else f"exit status {exit.code}"
        raise ReadError(Reason.SECRET, f"password_command: {program!r} failed with {how}")
    try:
        return Secret(password_text(bytes(output)))
    except ValueError as error:
        raise ReadError(Reason.SECRET, f"password_command: the output {error}") from None


def encoded(password: Secret) -> bytes:
    """
    Encode a password in UTF-8, as restic expects it.

    :raises ReadError: ``secret`` if that is impossible.
    """
    try:
        return password.reveal().encode()
    except UnicodeEncodeError:
        raise ReadError(
            Reason.SECRET, "password contains an invalid character (lone surrogate)"
        ) from None
