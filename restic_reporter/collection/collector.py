"""Collects the repositories that are due: in parallel, each with its own deadline."""

from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ..concurrency.deadline import Deadline, within
from ..interfaces import Memory
from ..model.errors import ReadError
from ..model.snapshot_table import SnapshotTable
from .copies import compare_copies
from .outcomes import note_failure, note_read, note_success, plural
from .read_repository import read_repository
from .restored_opener import RestoredOpener
from .run import Progress, ReadOne, Run, Workers
from .state import CollectionState, RepositoryStatus, Task

# Seconds between two log lines about the progress of a collection.
PROGRESS_INTERVAL = 10.0

Restore = Callable[[Sequence[Task]], Awaitable[Sequence[RepositoryStatus]]]

Complete = Callable[[Sequence[Task]], Awaitable[Sequence[Task | ReadError]]]


async def nothing_known(_: Sequence[Task]) -> Sequence[RepositoryStatus]:
    """Restore no status: nothing is known from before the start."""
    return ()


async def _unchanged(tasks: Sequence[Task]) -> Sequence[Task | ReadError]:
    return tasks


@define
class Collector:
    """
    Updates the state of every repository.

    ``clock`` gives durations and deadlines, ``now`` the wall clock in Unix seconds. At most
    ``concurrency`` repositories are read at one time. ``on_read`` is called with each changed
    status; ``read`` reads one repository. ``restore`` returns the statuses from before the start
    of the process, as far as known; with ``open_restored`` these repositories are opened after
    the collections.
    """

    _log = Logger()

    _clock: IReactorTime
    _now: Callable[[], float]
    _concurrency: int
    state: CollectionState = field(factory=CollectionState)
    on_read: Callable[[RepositoryStatus], None] = lambda _: None
    _read_one: ReadOne = field(default=read_repository, alias="read")
    _restored: Restore = field(default=nothing_known, alias="restore")
    _open_restored: bool = True
    _tasks: dict[str, Task] = field(factory=dict)
    _complete: Complete = _unchanged
    _run: Run | None = None
    _opener: RestoredOpener = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._opener = RestoredOpener(self._clock, self._now, self._note_refused)

    def set_tasks(self, tasks: Mapping[str, Task], complete: Complete = _unchanged) -> None:
        """
        Use ``tasks``, by label, from the next collection on.

        ``complete`` looks up the secrets that tasks lack; it returns each task or its error.
        """
        self._tasks = dict(tasks)
        self._complete = complete

    @property
    def count(self) -> int:
        """Return the number of configured repositories."""
        return len(self._tasks)

    async def restore(self) -> bool:
        """Restore the statuses of new repositories; return whether all repositories have one."""
        statuses = self.state.statuses
        new = [task for label, task in self._tasks.items() if label not in statuses]
        for status in await self._restored(new) if new else ():
            label = status.task.repository.url
            # A reload may have removed or replaced the task meanwhile.
            if self._tasks.get(label) is status.task:
                statuses.setdefault(label, status)
        if self.state.job.duration is None:
            self.state.job.error_count = self._errors()
        return self._tasks.keys() <= statuses.keys()

    def _errors(self) -> int:
        return sum(one.success is False for one in self.state.statuses.values())

    async def stop(self) -> None:
        """Stop what is done between collections."""
        await self._opener.stop()

    def collect(
        self, labels: Collection[str] | None = None, complete: bool = True
    ) -> "Deferred[None]":
        """
        Read the repositories with these ``labels``, by default all.

        New and changed entries, and those never read, are always read too. ``complete`` makes
        this count as a collection of all repositories, even if ``labels`` lacks those with
        their own schedules.

        Returns a Deferred that fires at the end and never fails. Cancelling it ends the run; it
        fires when all work has stopped.

        :raises RuntimeError: another collection is running.
        """
        if self.state.job.running:
            raise RuntimeError("a collection is already running")
        return Deferred.fromCoroutine(self._collect(labels, complete))

    async def _collect(self, labels: Collection[str] | None, complete: bool) -> None:
        job = self.state.job
        started = self._clock.seconds()
        job.running = True
        try:
            await self._opener.stop()
            await self.restore()
            due = self._update_statuses(labels)
            job.due = job.left = len(due)
            if not (await self._read_all(due) and await self._compare_copies()):
                self._log.info("collection cancelled")
                return
            if self._open_restored:
                self._opener.start(self.state.statuses.values())
            job.duration = self._clock.seconds() - started
            job.error_count = self._errors()
            if complete:
                job.last_success = self._now()
            self._log.info(
                f"collected {{count}} {plural('repository', len(due))} in {{seconds:.1f}} s,"
                " {errors} could not be read",
                count=len(due),
                seconds=job.duration,
                errors=sum(one.success is False for one in due),
            )
        finally:
            job.running, job.due, job.left = False, 0, 0

    def _update_statuses(self, labels: Collection[str] | None) -> list[RepositoryStatus]:
        """Update the statuses to the config; return those that are due."""
        for kept in (self.state.statuses, self.state.results):
            for label in kept.keys() - self._tasks.keys():
                del kept[label]
        due = []
        for label, task in self._tasks.items():
            status = self.state.statuses.get(label)
            if status is None:
                table = SnapshotTable(task.repository.shape)
                status = self.state.statuses[label] = RepositoryStatus(task, table=table)
            is_due = labels is None or label in labels or status.unread
            if status.task is not task:
                if status.task.repository != task.repository:
                    # The new entry's password may not open the repository.
                    status.fingerprint = status.access = None
                    status.memory = Memory()
                    status.unread = is_due = True
                    if status.table.shape != task.repository.shape:
                        status.table = SnapshotTable(task.repository.shape)
                status.task = task
                status.revision += 1
            if is_due:
                due.append(status)
        return due

    async def _read_all(self, due: Sequence[RepositoryStatus]) -> bool:
        """Read the repositories that are ``due``; return whether that was not cancelled."""
        incomplete = [one for one in due if one.task.repository.materials]
        ready = [one for one in due if not one.task.repository.materials]
        # Last time's failures are read last, so that many dead servers delay nobody else.
        run = Run(deque(sorted(ready, key=lambda one: one.success is False)), incomplete)
        self._run = run
        progress = LoopingCall(self._log_progress, len(due))
        progress.clock = self._clock
        progress.start(PROGRESS_INTERVAL, now=False)
        workers = [self._look_up(run)] if incomplete else []
        workers += [self._work(run) for _ in range(min(self._concurrency, len(due)))]
        try:
            outcomes = await Workers([*map(Deferred.fromCoroutine, workers)], run)
        finally:
            progress.stop()
            self._run = None
        if run.cancelled:
            return False
        for succeeded, failure in outcomes:
            if not succeeded:
                self._log.failure("collection worker failed: bug in restic-reporter", failure)
        return True

    async def _compare_copies(self) -> bool:
        """Compare repositories with their copies; return whether that was not cancelled."""
        try:
            await compare_copies(self.state.statuses, self._announce, self._clock)
        except CancelledError:
            return False
        return True

    def progress(self) -> Progress:
        """Return the progress of the running collection; nothing is left without one."""
        run = self._run
        longest = () if run is None else run.longest(self._clock.seconds())
        return Progress(self.state.job.left, longest)

    def _log_progress(self, count: int) -> None:
        progress = self.progress()
        longest = [f"{url} ({seconds:.0f} s)" for url, seconds in progress.longest]
        self._log.info(
            f"still collecting: {{left}} of {{count}} {plural('repository', count)} left;"
            " longest running: {longest}",
            left=progress.left,
            count=count,
            longest=", ".join(longest) or "looking up secrets",
        )

    async def _look_up(self, run: Run) -> None:
        """Queue the incomplete repositories with their secrets, or note the look-up's error."""
        started = self._clock.seconds()
        try:
            outcomes = await self._complete([one.task for one in run.incomplete])
            for status, outcome in zip(run.incomplete, outcomes, strict=True):
                if isinstance(outcome, ReadError):
                    note_failure(status, outcome)
                    self._publish(status, started)
                    continue
                label = outcome.repository.url
                # A reload may have replaced the task during the look-up.
                if self._tasks.get(label) is status.task:
                    self._tasks[label] = outcome
                status.task = outcome
                run.queue.append(status)
        finally:
            run.incomplete = []
            run.looked_up.callback(None)

    async def _work(self, run: Run) -> None:
        while not run.cancelled:
            if run.queue:
                await self._read(run.queue.popleft(), run)
            elif run.incomplete:
                await run.looked_up
            else:
                break

    async def _read(self, status: RepositoryStatus, run: Run) -> None:
        """Read one repository and note the outcome, unless the run was cancelled."""
        url = status.task.repository.url
        started = run.reading[url] = self._clock.seconds()
        deadline = Deadline.after(self._clock, status.task.timeout)
        work = self._read_one(status.task, status, self._now(), self._clock, deadline)
        try:
            reading = await within(deadline, work, "reading the repository")
        except Exception as error:
            # Cancelled work may fail with any error.
            if run.cancelled:
                return
            note_failure(status, error)
        else:
            note_success(status, reading, self._now())
        finally:
            del run.reading[url]
        self._publish(status, started)

    def _note_refused(self, status: RepositoryStatus, error: ReadError, duration: float) -> None:
        # So that the next collections open it too, and fail alike.
        status.fingerprint = status.access = None
        note_failure(status, error)
        self._show(status, duration)

    def _publish(self, status: RepositoryStatus, started: float) -> None:
        self.state.job.left -= 1
        status.unread = False
        self._show(status, self._clock.seconds() - started)

    def _show(self, status: RepositoryStatus, duration: float) -> None:
        note_read(status, self._now(), duration)
        self._announce(status)

    def _announce(self, status: RepositoryStatus) -> None:
        """Announce a changed status."""
        status.revision += 1
        try:
            self.on_read(status)
        except Exception:
            # The other repositories must still be read.
            url = status.task.repository.url
            self._log.failure("cannot update the metrics of {url}: bug in restic-reporter", url=url)
