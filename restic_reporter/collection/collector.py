"""One run over all repositories: side by side, each under its own deadline."""

from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..concurrency.deadline import Deadline, within
from ..interfaces import Memory
from ..model.errors import ReadError, Reason
from ..redaction.masks import redact
from .read_repository import read_repository
from .run import Progress, ReadOne, Run, Workers
from .state import CollectionState, Reading, RepositoryStatus, Task

# Seconds after which a collection says what is left, again and again.
PROGRESS_INTERVAL = 10.0

Complete = Callable[[Sequence[Task]], Awaitable[Sequence[Task | ReadError]]]


async def _as_they_are(tasks: Sequence[Task]) -> Sequence[Task | ReadError]:
    return tasks


@define
class Collector:
    """
    Brings the state of every repository up to date.

    ``clock`` gives durations and deadlines, ``now`` the wall clock in Unix seconds. At most
    ``concurrency`` repositories are read at one time. ``on_read`` is called with each
    status right after it has changed; ``read`` reads one repository.
    """

    _log = Logger()

    _clock: IReactorTime
    _now: Callable[[], float]
    _concurrency: int
    state: CollectionState = field(factory=CollectionState)
    on_read: Callable[[RepositoryStatus], None] = lambda _: None
    _read_one: ReadOne = field(default=read_repository, alias="read")
    _tasks: dict[str, Task] = field(factory=dict)
    _complete: Complete = _as_they_are
    _run: Run | None = None

    def set_tasks(self, tasks: Mapping[str, Task], complete: Complete = _as_they_are) -> None:
        """
        Use ``tasks``, by label, from the next collection on.

        ``complete`` gives those whose secrets are still to be looked up anew, or why not.
        """
        self._tasks = dict(tasks)
        self._complete = complete

    @property
    def count(self) -> int:
        """How many repositories the next collection of all reads."""
        return len(self._tasks)

    @property
    def running(self) -> bool:
        """Whether a collection is under way."""
        return self.state.job.running

    def collect(
        self, labels: Collection[str] | None = None, complete: bool = True
    ) -> "Deferred[None]":
        """
        Read the repositories with these ``labels``, by default all; and those that no
        collection has read yet, or not since their entry was changed.

        ``complete`` says that this counts as a collection of all repositories, though some
        with a schedule of their own may not be among ``labels``.

        The Deferred fires at the end of the run and never fails; cancelling it ends the
        run, and it fires once nothing is at work any more.

        :raises RuntimeError: a collection is under way.
        """
        if self.state.job.running:
            raise RuntimeError("a collection is under way already")
        return Deferred.fromCoroutine(self._collect(labels, complete))

    async def _collect(self, labels: Collection[str] | None, complete: bool) -> None:
        started = self._clock.seconds()
        self.state.job.running = True
        try:
            due = self._take_up_tasks(labels)
            incomplete = [one for one in due if one.task.repository.materials]
            ready = [one for one in due if not one.task.repository.materials]
            # Those that failed last time wait until the others have been read, so that many
            # dead servers delay nobody else.
            run = Run(deque(sorted(ready, key=lambda one: one.success is False)), incomplete)
            self._run = run
            progress = LoopingCall(self._log_progress, len(due))
            progress.clock = self._clock
            progress.start(PROGRESS_INTERVAL, now=False)
            try:
                workers = [Deferred.fromCoroutine(self._look_up(run))] if incomplete else []
                workers += [
                    Deferred.fromCoroutine(self._work(run))
                    for _ in range(min(self._concurrency, len(due)))
                ]
                outcomes = await Workers(workers, run)
            finally:
                progress.stop()
            if run.cancelled:
                self._log.info("the collection was ended early")
                return
            for succeeded, failure in outcomes:
                if not succeeded:
                    self._log.failure("a bug ended a worker of the collection", failure)
            job, statuses = self.state.job, self.state.statuses.values()
            job.duration = self._clock.seconds() - started
            job.error_count = sum(one.success is False for one in statuses)
            if complete:
                job.last_success = self._now()
            self._log.info(
                "collected {count} repositories in {seconds:.1f} s, {errors} could not be read",
                count=len(due),
                seconds=job.duration,
                errors=sum(one.success is False for one in due),
            )
        finally:
            self.state.job.running = False
            self._run = None

    def progress(self) -> Progress:
        """How far the collection under way is; nothing is left where there is none."""
        run = self._run
        return Progress(0, ()) if run is None else run.progress(self._clock.seconds())

    def _log_progress(self, count: int) -> None:
        progress = self.progress()
        longest = [f"{url} ({seconds:.0f} s)" for url, seconds in progress.longest]
        self._log.info(
            "still collecting: {left} of {count} repositories left; longest at work: {longest}",
            left=progress.left,
            count=count,
            longest=", ".join(longest) or "looking up secrets",
        )

    def _take_up_tasks(self, labels: Collection[str] | None) -> list[RepositoryStatus]:
        """Bring the statuses in line with the config; give those that are due."""
        for label in self.state.statuses.keys() - self._tasks.keys():
            del self.state.statuses[label]
        due = []
        for label, task in self._tasks.items():
            status = self.state.statuses.get(label)
            fresh = status is None or (
                status.task is not task and status.task.repository != task.repository
            )
            if status is None:
                status = self.state.statuses[label] = RepositoryStatus(task)
            if fresh:
                # What the old entry's password opened says nothing about the new one's.
                status.fingerprint = status.access = None
                status.memory = Memory()
            status.task = task
            if fresh or labels is None or label in labels or status.success is None:
                due.append(status)
        return due

    async def _look_up(self, run: Run) -> None:
        """Put what waits for its secrets into the queue, or note why it cannot be read."""
        complete, incomplete = self._complete, run.incomplete
        started = self._clock.seconds()
        tasks = [one.task for one in incomplete]
        try:
            for status, outcome in zip(incomplete, await complete(tasks), strict=True):
                if isinstance(outcome, ReadError):
                    status.duration = self._clock.seconds() - started
                    self._note_failure(status, outcome)
                    self._tell(status)
                    continue
                label = outcome.repository.url
                # A reload may have come meanwhile.
                if self._tasks.get(label) is status.task:
                    self._tasks[label] = outcome
                status.task = outcome
                run.queue.append(status)
        finally:
            run.incomplete = []
            for one in run.idle:
                one.callback(None)

    async def _work(self, run: Run) -> None:
        while not run.cancelled:
            if run.queue:
                status = run.queue.popleft()
                url = status.task.repository.url
                run.reading[url] = self._clock.seconds()
                try:
                    await self._read(status, run)
                finally:
                    del run.reading[url]
            elif run.incomplete:
                waiting: Deferred[None] = Deferred(run.idle.remove)
                run.idle.append(waiting)
                await waiting
            else:
                break

    async def _read(self, status: RepositoryStatus, run: Run) -> None:
        """Read one repository and note how it went, unless it went as it did for a cancellation."""
        url = status.task.repository.url
        started = self._clock.seconds()
        deadline = Deadline.after(self._clock, status.task.timeout)
        try:
            reading = await within(
                deadline,
                self._read_one(status.task, status, self._now(), self._clock, deadline),
                "reading it",
            )
        except ReadError as error:
            if run.cancelled:
                return
            self._note_failure(status, error)
        except Exception:
            if run.cancelled:
                return
            self._count_failure(status, Reason.INTERNAL, "a bug")
            # Not as a failure event: nobody knows what a plugin puts into its exceptions.
            self._log.error(
                "cannot read {url}: a bug (internal)\n{traceback}",
                url=url,
                traceback=redact(Failure().getTraceback(), status.task.repository.secrets()),
            )
        else:
            self._note_success(status, reading)
        status.duration = self._clock.seconds() - started
        self._tell(status)

    def _tell(self, status: RepositoryStatus) -> None:
        status.revision += 1
        try:
            self.on_read(status)
        except Exception:
            # The others must be read all the same.
            url = status.task.repository.url
            self._log.failure("cannot take note of {url}: a bug", url=url)

    def _note_failure(self, status: RepositoryStatus, error: ReadError) -> None:
        message = redact(error.message, status.task.repository.secrets())
        self._count_failure(status, error.reason, message)
        self._log.error(
            "cannot read {url}: {error} ({reason})",
            url=status.task.repository.url,
            error=message,
            reason=error.reason,
        )

    def _count_failure(self, status: RepositoryStatus, reason: Reason, message: str) -> None:
        status.success = False
        # Another one, without a traceback and all that this would keep alive.
        status.error = ReadError(reason, message)
        status.failures[reason] = status.failures.get(reason, 0) + 1

    def _note_success(self, status: RepositoryStatus, reading: Reading) -> None:
        status.success = True
        status.error = None
        status.last_success = self._now()
        status.content = reading.content
        status.fingerprint = reading.fingerprint
        status.access = reading.access
        status.locks = reading.locks
        content = reading.content
        emit = self._log.debug if reading.unchanged else self._log.info
        emit(
            "read {url}: {count} snapshots in {sets} backup sets"
            + (", unchanged" if reading.unchanged else ""),
            url=status.task.repository.url,
            count=content.snapshot_count,
            sets=len(content.sets) + content.dropped_sets,
        )
        if reading.locks_error is not None:
            self._log.warn(
                "{url}: cannot list the locks, so their metrics are left out: {error} ({reason})",
                url=status.task.repository.url,
                error=redact(reading.locks_error.message, status.task.repository.secrets()),
                reason=reading.locks_error.reason,
            )
        if content.dropped_sets:
            self._log.warn(
                "{url}: {count} backup sets are beyond the limit and not shown",
                url=status.task.repository.url,
                count=content.dropped_sets,
            )
