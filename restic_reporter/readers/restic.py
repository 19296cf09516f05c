"""The reader that asks restic itself: one ``restic snapshots`` a read, in a child process."""

from collections.abc import Mapping
from typing import Any

from attrs import frozen
from zope.interface import implementer

from ..backup_sets import SetCounter
from ..config import PasswordCommand, Repository
from ..config.sources import password_text
from ..deadline import Deadline
from ..errors import ReadError, Reason
from ..interfaces import ISnapshotReader, ReadRequest, ReadResult
from ..json_array import JSONArrayParser, NotAnArrayError, ValueTooLargeError
from ..secret import Secret
from .child import ChildStoppedError, run_child
from .restic_errors import failure, last_retry, unreadable_snapshots
from .snapshot_json import parse_snapshot

# 200,000 snapshots with summaries fit. They are parsed as they come, never held.
STDOUT_LIMIT = 128 * 2**20

_PASSWORD_LIMIT = 2**16

# What of the daemon's environment a child may see.
_INHERITED = frozenset(
    (
        *("PATH", "HOME", "TMPDIR", "TZ", "LANG"),
        *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"),
        *("http_proxy", "https_proxy", "no_proxy", "all_proxy"),
    )
)

_PASSWORD, _REPOSITORY = 3, 4

_BYTE_ORDER_MARK = "\ufeff"


def child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The part of the daemon's environment ``environ`` that children get."""
    return {name: value for name, value in environ.items() if name in _INHERITED}


@implementer(ISnapshotReader)
@frozen
class ResticReader:
    """
    Runs the program ``restic`` (a path, or a name to be found on ``PATH``).

    The password and the repository's location go through pipes; neither shows in the
    process list or in the child's environment. ``environ`` is the daemon's environment.
    """

    reactor: Any
    restic: str
    environ: Mapping[str, str]
    name: str = "restic"
    reads_locks: bool = False

    async def read(self, request: ReadRequest) -> ReadResult:
        """All snapshots, as restic prints them."""
        repository, deadline = request.repository, request.deadline
        password = await self._password(repository, deadline)
        location = repository.location.reveal()
        secrets = [*repository.secrets(), password]
        collector = _Collector(SetCounter(request.now, request.known))
        arguments, environment, inputs = self._command(repository, password)
        try:
            exit = await run_child(
                self.reactor,
                arguments,
                environment,
                collector.feed,
                stdout_limit=STDOUT_LIMIT,
                inputs=inputs,
            )
        except ChildStoppedError as stopped:
            error = last_retry(stopped.stderr, location, secrets)
            if deadline.remaining() > 0 or error is None:
                raise
            raise error from None
        error = failure(exit, location, secrets)
        if error is not None:
            raise error
        return collector.result(unreadable_snapshots(exit.stderr))

    def _command(
        self, repository: Repository, password: Secret
    ) -> tuple[list[str], dict[str, str], dict[int, bytes]]:
        """The arguments, the environment and what is to be read from pipes."""
        arguments = self._arguments(repository)
        environment = {
            **child_environment(self.environ),
            **{name: value.reveal() for name, value in repository.env.items()},
            **_b2_environment(repository),
            "RESTIC_REPOSITORY_FILE": f"/dev/fd/{_REPOSITORY}",
        }
        location = repository.location.reveal()
        inputs = {_REPOSITORY: location.encode("utf-8", "surrogateescape")}
        text = password.reveal()
        if not text:
            arguments.append("--insecure-no-password")
        elif text != text.strip() or text.startswith(_BYTE_ORDER_MARK):
            # restic would drop these from a file.
            environment["RESTIC_PASSWORD"] = text
        else:
            environment["RESTIC_PASSWORD_FILE"] = f"/dev/fd/{_PASSWORD}"
            inputs[_PASSWORD] = _encoded(text)
        return arguments, environment, inputs

    def _arguments(self, repository: Repository) -> list[str]:
        arguments = [self.restic, "snapshots", "--json", "--no-lock", "--no-cache"]
        for option, value in (
            ("--cacert", repository.ca_certificate_path),
            ("--tls-client-cert", repository.client_certificate_path),
            ("--key-hint", repository.key_hint),
        ):
            if value is not None:
                arguments += [option, value]
        return arguments

    async def _password(self, repository: Repository, deadline: Deadline) -> Secret:
        """The repository's password; a command is run for it."""
        if isinstance(repository.password, Secret):
            return repository.password
        return await run_password_command(self.reactor, repository.password, self.environ, deadline)


def _b2_environment(repository: Repository) -> dict[str, str]:
    """The only way in which restic takes an application key for B2."""
    if repository.b2 is None:
        return {}
    return {
        "B2_ACCOUNT_ID": repository.b2.key_id,
        "B2_ACCOUNT_KEY": repository.b2.key.reveal(),
    }


def _encoded(password: str) -> bytes:
    try:
        return password.encode()
    except UnicodeEncodeError:
        raise ReadError(Reason.SECRET, "the password has a lone surrogate") from None


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
            stdout_limit=_PASSWORD_LIMIT,
        )
    except ChildStoppedError:
        if deadline.remaining() > 0:
            raise
        cause = f"{program!r} had not ended when the time was up"
        raise ReadError(Reason.SECRET, f"password_command: {cause}") from None
    except ReadError as error:
        raise ReadError(Reason.SECRET, f"password_command: {error.message}") from None
    if exit.code != 0:
        how = f"signal {exit.signal}" if exit.code is None else f"exit status {exit.code}"
        raise ReadError(Reason.SECRET, f"password_command: {program!r} ended with {how}")
    try:
        return Secret(password_text(bytes(output)))
    except ValueError as error:
        raise ReadError(Reason.SECRET, f"password_command: the output {error}") from None


class _Collector:
    """Counts the snapshots in restic's output while it comes."""

    def __init__(self, counter: SetCounter) -> None:
        self._counter = counter
        self._parser = JSONArrayParser()
        self._ids: set[str] = set()
        self._nameless = 0
        self._bad: ReadError | None = None

    def feed(self, data: bytes) -> None:
        """
        Take some output.

        Output that makes no sense is passed over, up to the limit: the exit status, which
        comes last, says more about what went wrong.
        """
        if self._bad is not None:
            return
        try:
            self._count(self._parser.feed(data))
        except NotAnArrayError as error:
            self._bad = ReadError(Reason.PARSE, f"restic's answer: {error}")
        except ValueTooLargeError as error:
            raise ReadError(Reason.TOO_LARGE, f"restic's answer: {error}") from None

    def _count(self, values: Any) -> None:
        for value in values:
            snapshot = parse_snapshot(value)
            if snapshot.id is None:
                self._nameless += 1
            elif snapshot.id in self._ids:
                continue
            else:
                self._ids.add(snapshot.id)
            self._counter.add(snapshot)

    def result(self, unreadable: frozenset[str]) -> ReadResult:
        """What was counted, once restic has ended well."""
        if self._bad is None:
            try:
                self._count(self._parser.close())
            except (NotAnArrayError, ValueTooLargeError) as error:
                self._bad = ReadError(Reason.PARSE, f"restic's answer: {error}")
        if self._bad is not None:
            raise self._bad
        return ReadResult(self._counter.content(), frozenset(self._ids), self._nameless, unreadable)
