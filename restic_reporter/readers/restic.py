"""The reader that runs restic: one ``restic snapshots`` a read, in a child process."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from attrs import define, field
from twisted.logger import Logger
from zope.interface import implementer

from ..concurrency.deadline import Deadline, within
from ..interfaces import ISnapshotReader, ReadRequest, ReadResult
from ..model.errors import ReadError, Reason
from ..model.repository import Repository
from ..model.snapshots import Snapshot
from ..processes.child import Exit
from ..processes.run import ChildStoppedError, run_child
from ..redaction.secret import Secret
from ..restic_format.json_array import JSONArrayParser, NotAnArrayError
from ..restic_format.json_members import SMALL
from ..restic_format.snapshot_json import MEMBERS, parse_snapshot
from .password import password_of
from .restic_command import ResticCommand, restic_command
from .restic_errors import VanishedError, VanishedWatch, failure, last_retry, unreadable_snapshots

# Snapshots added to the table in one step.
_MANY = 5000

# Room for 200,000 snapshots with summaries. They are parsed while they arrive, never held.
STDOUT_LIMIT = 128 * 2**20

# The limit above counts at most `SMALL` bytes of each snapshot, this one all of them: 300
# snapshots of 60,000 paths are 1.6 GB.
WHOLE_STDOUT_LIMIT = 8 * 2**30

# The share of the remaining time for restic with its cache, whose disk may hang; and the
# seconds that restic then runs without it.
_CACHE_SHARE = 0.5
_CACHE_PAUSE = 3600.0

_CACHE_TROUBLE = re.compile(r"^unable to open cache: .{,300}", re.MULTILINE)


@implementer(ISnapshotReader)
@define(eq=False)
class ResticReader:
    """
    Runs the program ``restic`` (a path, or a name on ``PATH``).

    The password and the repository's location go through pipes; neither shows in the
    process list or in the child's environment. ``environ`` is the daemon's environment.
    ``cache_dir`` is the absolute path of restic's cache, ``None`` for no cache.
    """

    _log = Logger()

    reactor: Any
    restic: str
    environ: Mapping[str, str] = field(repr=False)
    cache_dir: str | None = None
    name: str = "restic"
    incremental: bool = False
    _no_cache_until: float = field(default=0.0, init=False)
    _warned: set[str] = field(factory=set, init=False)

    async def read(self, request: ReadRequest) -> ReadResult:
        """Read all snapshots that restic prints."""
        repository, deadline = request.repository, request.deadline
        password = await password_of(repository, self.reactor, self.environ, deadline)
        try:
            exit, collector = await self._run_with_cache(request, password)
        except VanishedError as vanished:
            return ReadResult(frozenset((vanished.name,)), stopped=True)
        error = failure(exit, repository.location.reveal(), [*repository.secrets(), password])
        if error is not None:
            raise error
        return collector.result(unreadable_snapshots(exit.stderr))

    async def open(self, request: ReadRequest) -> None:
        """Let restic decrypt the repository's config, without a cache."""
        repository, deadline = request.repository, request.deadline
        password = await password_of(repository, self.reactor, self.environ, deadline)
        command = self._command(repository, password, None, "cat", "config")
        exit = await self._run_command(command, repository, password, deadline)
        error = failure(exit, repository.location.reveal(), [*repository.secrets(), password])
        if error is not None:
            raise error

    async def _run_with_cache(
        self, request: ReadRequest, password: Secret
    ) -> "tuple[Exit, _Collector]":
        """Run restic with its cache; if that fails, without."""
        deadline, cache_dir = request.deadline, self.cache_dir
        now = self.reactor.seconds
        if cache_dir is None or now() < self._no_cache_until:
            return await self._run(request, password, None, deadline)
        wrong = ""
        part = deadline.sooner(deadline.remaining() * _CACHE_SHARE)
        try:
            exit, collector = await within(
                part, self._run(request, password, cache_dir, part), "restic with its cache"
            )
        except ReadError as error:
            if part.remaining() > 0 or deadline.remaining() <= 0:
                raise
            # Otherwise the storage did not respond, which is not the cache's fault.
            wrong = "hangs" if error.reason is Reason.TIMEOUT else ""
        else:
            trouble = _CACHE_TROUBLE.search(exit.stderr)
            failed = failure(exit, request.repository.location.reveal())
            if trouble is not None:
                self._warn(f"restic: {trouble[0]}")
            elif failed is not None and failed.reason is Reason.RESTIC:
                wrong = "fails"
            # Some versions fail if they cannot use the cache; 0.14 fails on a corrupt file in it.
            if not (wrong or (trouble and failed) or unreadable_snapshots(exit.stderr)):
                return exit, collector
        exit, collector = await self._run(request, password, None, deadline)
        if wrong and exit.code == 0:
            self._no_cache_until = now() + _CACHE_PAUSE
            self._warn(f"restic {wrong} with the cache in {cache_dir!r}; not using it for 1 h")
        return exit, collector

    def _warn(self, problem: str) -> None:
        if problem not in self._warned:
            self._warned.add(problem)
            self._log.warn("{problem}", problem=problem)

    async def _run(
        self, request: ReadRequest, password: Secret, cache_dir: str | None, deadline: Deadline
    ) -> "tuple[Exit, _Collector]":
        """
        Run restic once; return its exit and its output.

        :raises VanishedError: restic cannot find a snapshot that it has listed.
        """
        repository = request.repository
        collector = _Collector(request)
        command = self._command(repository, password, cache_dir, "snapshots", "--json")
        watch = VanishedWatch().feed
        exit = await self._run_command(
            command, repository, password, deadline, collector.feed, watch
        )
        return exit, collector

    async def _run_command(
        self,
        command: ResticCommand,
        repository: Repository,
        password: Secret,
        deadline: Deadline,
        on_stdout: Callable[[bytes], None] = lambda _: None,
        on_stderr: Callable[[bytes], None] = lambda _: None,
    ) -> Exit:
        """Run restic; at the deadline its last retry is the error."""
        try:
            return await run_child(
                self.reactor,
                command.arguments,
                command.environment,
                on_stdout,
                stdout_limit=WHOLE_STDOUT_LIMIT,
                on_stderr=on_stderr,
                inputs=command.inputs,
            )
        except ChildStoppedError as stopped:
            secrets = [*repository.secrets(), password]
            error = last_retry(stopped.stderr, repository.location.reveal(), secrets)
            if deadline.remaining() > 0 or error is None:
                raise
            raise error from None

    def _command(
        self, repository: Repository, password: Secret, cache_dir: str | None, *command: str
    ) -> ResticCommand:
        return restic_command(self.restic, self.environ, repository, password, cache_dir, *command)


class _Collector:
    """Adds the snapshots of restic's output to the table while it arrives."""

    def __init__(self, request: ReadRequest) -> None:
        self._request = request
        self._parser = JSONArrayParser(MEMBERS)
        self._client_paths = request.table.shape.client_paths
        self._known = set(request.table.ids())
        self._found: list[Snapshot] = []
        self._seen: set[str] = set()
        self._nameless = 0
        self._counted = 0
        self._pending = 0  # bytes since the last value
        self._bad: ReadError | None = None

    def feed(self, data: bytes) -> None:
        """
        Parse some output.

        Invalid output is ignored, up to the limit: the exit status, which comes last,
        explains more.
        """
        self._pending += len(data)
        if self._counted + self._pending > STDOUT_LIMIT:
            raise ReadError(Reason.TOO_LARGE, f"restic printed more than {STDOUT_LIMIT} bytes")
        if self._bad is None:
            self._take(self._parser.feed(data))

    def _take(self, values: Iterator[Any]) -> None:
        try:
            for value in values:
                snapshot = parse_snapshot(value, self._client_paths)
                is_new = snapshot.id is not None and snapshot.id not in self._seen
                self._counted += min(self._pending, SMALL) if is_new else self._pending
                self._pending = 0
                if snapshot.id is None:
                    self._nameless += 1
                    continue
                self._seen.add(snapshot.id)
                if snapshot.id not in self._known:
                    self._known.add(snapshot.id)
                    self._found.append(snapshot)
        except NotAnArrayError as error:
            self._bad = ReadError(Reason.PARSE, f"invalid JSON from restic: {error}")
        if len(self._found) >= _MANY:
            self._add_found()

    def _add_found(self) -> None:
        found, self._found = self._found, []
        self._request.table.add(found, self._request.known)

    def result(self, unreadable: frozenset[str]) -> ReadResult:
        """Return the result, after restic has succeeded."""
        if self._bad is None:
            self._take(self._parser.close())
        if self._bad is not None:
            raise self._bad
        self._add_found()
        return ReadResult(unreadable, seen=frozenset(self._seen), nameless=self._nameless)
