"""The rows of all repositories, kept until a repository changes."""

from collections import Counter
from collections.abc import Iterator, Sequence
from operator import attrgetter

from attrs import define, field, frozen

from ..collection.state import CollectionState, RepositoryStatus, Task
from ..model.columns import Steps
from ..model.snapshots import Content
from .results import failed
from .rows import SetRow, State, repository_rows

# Rows processed in one step: about a millisecond.
SLICE = 1000

# Repositories looked at in one step.
_REPOSITORIES = 256


@frozen(eq=False)
class Standing:
    """
    All rows by host, user and repository, each with its state as of ``now`` (Unix seconds).

    ``waiting`` is the number of repositories that were never read, and ``failed_jobs`` of those
    with a job that failed the last time.
    """

    now: float
    rows: Sequence[SetRow]
    states: Sequence[State]
    repositories: int
    waiting: int
    failed_jobs: int = 0

    @property
    def counts(self) -> Counter[State]:
        """Return the number of sets in each state."""
        return Counter(self.states)


@frozen(eq=False)
class _Kept:
    """The rows of a repository, valid for these values of its status."""

    task: Task
    content: Content | None
    success: bool | None
    rows: list[SetRow]

    def holds(self, status: RepositoryStatus) -> bool:
        return (
            self.content is status.content
            and self.task is status.task
            and self.success is status.success
        )


@define(eq=False)
class Fleet:
    """Makes the rows of each repository again only when a read has changed something."""

    _state: CollectionState
    _kept: dict[str, _Kept] = field(factory=dict)
    # Until a change; the number of changes tells whether there was one meanwhile.
    _ordered: list[SetRow] | None = None
    _changes: int = 0

    def prepare(self, status: RepositoryStatus) -> None:
        """Make the rows of one repository after its read, to keep the next view short."""
        url = status.task.repository.url
        kept = self._kept.get(url)
        if kept is None or not kept.holds(status):
            rows = repository_rows(status)
            self._kept[url] = _Kept(status.task, status.content, status.success, rows)
            self._forget_order()

    def steps(self, now: float) -> Steps[Standing]:
        """Return the standing at ``now`` (Unix seconds), in short steps."""
        yield from self._update()
        ordered, states = self._ordered, list[State]()
        if ordered is None:
            changes = self._changes
            ordered = [row for one in self._kept.values() for row in one.rows]
            yield
            # Three stable sorts, as one by three keys takes longer in one step.
            for key in (attrgetter("url"), attrgetter("user"), attrgetter("host")):
                ordered.sort(key=key)
                yield
            if changes == self._changes:
                self._ordered = ordered
        for start in range(0, len(ordered), SLICE):
            states += [one.state(now) for one in ordered[start : start + SLICE]]
            yield
        statuses = self._state.statuses.values()
        waiting = sum(one.success is None for one in statuses)
        results = self._state.results
        failed_jobs = sum(url in results and failed(results[url]) for url in self._state.statuses)
        return Standing(now, ordered, states, len(statuses), waiting, failed_jobs)

    def _forget_order(self) -> None:
        self._ordered = None
        self._changes += 1

    def _update(self) -> Iterator[None]:
        """Make the rows that `prepare` has not made, and forget removed repositories."""
        statuses = self._state.statuses
        for url in self._kept.keys() - statuses.keys():
            del self._kept[url]
            self._forget_order()
        made = 0
        for index, (url, status) in enumerate(list(statuses.items())):
            self.prepare(status)
            made += len(self._kept[url].rows)
            if made > SLICE // 4 or not index % _REPOSITORIES:
                made = 0
                yield
