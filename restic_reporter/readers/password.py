"""The password of a repository, as both readers need it."""

from collections.abc import Mapping
from typing import Any

from ..concurrency.deadline import Deadline
from ..config.sources import password_text
from ..model.errors import ReadError, Reason
from ..model.repository import PasswordCommand, Repository
from ..redaction.secret import Secret
from .process.child import ChildStoppedError, run_child

_OUTPUT_LIMIT = 2**16

# What of the daemon's environment a child may see.
_INHERITED = frozenset(
    (
        *("PATH", "HOME", "TMPDIR", "TZ", "LANG"),
        *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"),
        *("http_proxy", "https_proxy", "no_proxy", "all_proxy"),
    )
)


def child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The part of the daemon's environment ``environ`` that children get."""
    return {name: value for name, value in environ.items() if name in _INHERITED}


async def password_of(
    repository: Repository, reactor: Any, environ: Mapping[str, str], deadline: Deadline
) -> Secret:
    """
    The repository's password; a command is run for it.

    :raises ReadError: ``secret``. The message holds nothing that the command printed.
    """
    if repository.password is None:
        raise ReadError(Reason.SECRET, "password not looked up yet")
    if isinstance(repository.password, Secret):
        return repository.password
    return await run_password_command(reactor, repository.password, environ, deadline)


def encoded(password: Secret) -> bytes:
    """
    A password as restic takes it, in UTF-8.

    :raises ReadError: ``secret``, where that cannot be.
    """
    try:
        return password.reveal().encode()
    except UnicodeEncodeError:
        raise ReadError(
            Reason.SECRET, "password contains an invalid character (lone surrogate)"
        ) from None


async def run_password_command(
    reactor: Any, command: PasswordCommand, environ: Mapping[str, str], deadline: Deadline
) -> Secret:
    """
    The password that ``command`` prints.

    Somebody else stops it at the ``deadline``, which tells only what that meant.

    :raises ReadError: ``secret``. The message holds nothing that the command printed.
    """
    output = bytearray()
    program = command.arguments[0]
    try:
        exit = await run_child(
            reactor,
            list(command.arguments),
            child_environment(environ),
            output.extend,
            stdout_limit=_OUTPUT_LIMIT,
        )
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
