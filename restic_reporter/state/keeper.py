"""Remembers statuses in the database, in a thread of its own, and restores them."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..collection.outcomes import plural
from ..collection.state import CollectionState, RepositoryStatus, StateHealth, Task
from ..concurrency.cpu_threads import WorkerThreads
from ..model.results import Result, Results, newest
from ..model.snapshots import Content
from .database import Database
from .folder import HeldError, StateFolder
from .packing import DamagedError
from .records import Record, record_of, restored
from .tables import is_damage

# Seconds from a read to its write: at most so much is lost.
_DELAY = 0.5

# Seconds until the keys of restored repositories are looked at.
LOOK_AFTER = 3600.0

# Seconds from a failed write to the next attempt.
_RETRY = 60.0

# What the database has: statuses, results by label, and what is kept of the collections.
_Found = tuple[list[RepositoryStatus], dict[str, dict[str, Result]], Mapping[str, Any]]

# A RuntimeError means that no thread can be started.
_FAULTS = (sqlite3.Error, OSError, DamagedError, HeldError, RuntimeError)


@define(eq=False)
class StateKeeper:
    """
    Keeps what was last read of each repository in ``folder``.

    Faults are logged once, and shown by ``health``; the daemon works without what is kept.
    What could not be written is tried again each minute and after each collection. The keys of
    restored repositories are looked at ``look_after`` seconds later at the earliest, so that the
    first collection costs listings alone.
    """

    _log = Logger()

    _reactor: Any
    _now: Callable[[], float]
    _folder: StateFolder
    _state: CollectionState
    _look_after: float = LOOK_AFTER
    health: StateHealth = field(factory=StateHealth)
    _database: Database = field(init=False)
    _threads: WorkerThreads = field(init=False)
    # The content of each repository that is in the database.
    _kept: dict[str, Content] = field(factory=dict, init=False)
    _pending: dict[str, Record] = field(factory=dict, init=False)
    _results: dict[str, Results] = field(factory=dict, init=False)
    _job: Mapping[str, Any] | None = field(default=None, init=False)
    _timer: IDelayedCall | None = field(default=None, init=False)
    _writing: "Deferred[None] | None" = field(default=None, init=False)
    _fault: str | None = field(default=None, init=False)
    _stopped: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._database = Database(self._folder)
        # SQLite's connections belong to one thread.
        self._threads = WorkerThreads(self._reactor, 1)

    async def restore(self, tasks: Sequence[Task]) -> Sequence[RepositoryStatus]:
        """Return the statuses of those of ``tasks`` that were read before; never fails."""
        if self._stopped:
            return []
        try:
            (statuses, results, job), fault = await self._threads.run(
                self._restore, tasks, self._now(), self._reactor.seconds()
            )
        except _FAULTS as error:
            self._note_fault(error)
            return []
        if fault is not None:
            self._note_fault(fault)
        else:
            self._kept.update(
                (one.task.repository.url, one.content)
                for one in statuses
                if one.content is not None and one.fingerprint is not None
            )
        for label, known in results.items():
            # Some may have come meanwhile.
            self._state.results[label] = newest(known, self._state.results.get(label, {}))
        if self._state.job.last_success is None:
            self._state.job.last_success = job.get("last_success")
        if statuses:
            self._log.info(
                f"restored {{count}} of {{total}} {plural('repository', len(tasks))}"
                " from the state",
                count=len(statuses),
                total=len(tasks),
            )
        return statuses

    def _restore(
        self, tasks: Sequence[Task], now: float, moment: float
    ) -> tuple[_Found, Exception | None]:
        try:
            self._open(now)
        except _FAULTS as fault:
            # On a full or read-only disk the database can be read all the same.
            try:
                self._database.open_unwritable()
                return self._read(tasks, now, moment), fault
            except (*_FAULTS, ValueError):
                raise fault from None
            finally:
                self._database.close()
        return self._read(tasks, now, moment), None

    def _read(self, tasks: Sequence[Task], now: float, moment: float) -> _Found:
        by_label = {task.repository.url: task for task in tasks}
        statuses = []
        for label, head, content, packed in self._database.read(by_label):
            status = restored(by_label[label], head, content, packed, now, moment, self._look_after)
            if status is not None:
                statuses.append(status)
        return statuses, self._database.results(by_label), self._database.job()

    def save(self, status: RepositoryStatus) -> None:
        """Remember the repository's status soon."""
        url = status.task.repository.url
        changed = status.content is not self._kept.get(url)
        record = record_of(status, changed, self._now(), self._reactor.seconds())
        if record is not None and not self._stopped:
            self._pending[url] = record.after(self._pending.get(url))
            self._write_after(_DELAY)

    def save_results(self, label: str) -> None:
        """Remember the results of a repository's jobs soon."""
        if not self._stopped:
            self._results[label] = dict(self._state.results[label])
            self._write_after(_DELAY)

    def save_job(self) -> None:
        """Remember the outcome of the latest collection soon."""
        for url in self._kept.keys() - self._state.statuses.keys():
            del self._kept[url]
        if not self._stopped:
            self._job = {"last_success": self._state.job.last_success}
            if self._timer is not None:
                # After a fault it would fire later.
                self._timer.reset(_DELAY)
            self._write_after(_DELAY)

    def _write_after(self, seconds: float) -> None:
        if self._timer is None and self._writing is None:
            self._timer = self._reactor.callLater(seconds, self._begin)

    def _begin(self) -> None:
        self._timer = None
        self._writing = Deferred.fromCoroutine(self._write())
        self._writing.addErrback(self._note_bug)

    async def _write(self) -> None:
        batch, self._pending = self._pending, {}
        results, self._results = self._results, {}
        job, self._job = self._job, None
        delay = _DELAY
        try:
            await self._threads.run(
                self._write_now, list(batch.values()), job, self._now(), results
            )
        except _FAULTS as error:
            delay = _RETRY
            self._note_fault(error)
            for url, record in batch.items():
                newer = self._pending.get(url)
                self._pending[url] = record if newer is None else newer.after(record)
            self._results = {**results, **self._results}
            self._job = self._job or job
        else:
            self._kept.update(
                (url, one.content) for url, one in batch.items() if one.content is not None
            )
            self._note_success()
        finally:
            self._writing = None
            if self._is_pending() and not self._stopped:
                self._write_after(delay)

    def _is_pending(self) -> bool:
        return bool(self._pending or self._results or self._job)

    def _write_now(
        self,
        records: Sequence[Record],
        job: Mapping[str, Any] | None,
        now: float,
        results: Mapping[str, Results],
    ) -> None:
        self._open(now)
        try:
            self._database.write(records, job, now, results)
        except _FAULTS as error:
            if is_damage(error):
                # The next attempt mends it. What is lost is written again when it is read.
                self._database.close()
                self._reactor.callFromThread(self._kept.clear)
            raise

    def _open(self, now: float) -> None:
        self._folder.take()
        for note in self._database.open(now):
            self._reactor.callFromThread(self._note, note)

    def _note(self, note: str) -> None:
        self._log.error("state in {folder!r}: {note}", folder=str(self._folder.path), note=note)

    def _note_fault(self, error: Exception) -> None:
        self.health.success = False
        fault = str(error) or type(error).__name__
        if fault != self._fault:
            self._fault = fault
            self._log.error(
                "state in {folder!r} cannot be used: {fault}; working without it, trying again",
                folder=str(self._folder.path),
                fault=fault,
            )

    def _note_bug(self, failure: Failure) -> None:
        self.health.success = False
        self._log.failure("cannot write the state: bug in restic-reporter", failure)

    def _note_success(self) -> None:
        self.health.success, self.health.last_write = True, self._now()
        if self._fault is not None:
            self._fault = None
            self._log.info("state is written again")

    async def _written(self) -> None:
        if self._writing is not None:
            await self._writing

    def started(self) -> None:
        """Note the process that holds the folder, which twistd has started."""
        self._folder.note_holder()

    async def stop(self) -> None:
        """Write what is left, once, and close the database."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await self._written()
        if self._is_pending():
            self._begin()
            await self._written()
        await self._threads.run(self._database.close)
        self._threads.stop()
        self._folder.release()
