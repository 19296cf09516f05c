"""The rows of all repositories, kept until a repository changes."""

from collections import Counter
from collections.abc import Sequence
from operator import attrgetter

from attrs import define, field, frozen

from ..collection.state import CollectionState
from ..model.columns import Steps
from .rows import SetRow, State, repository_rows

# Rows processed in one step: about a millisecond.
SLICE = 1000

# Repositories looked at in one step.
_REPOSITORIES = 256


@frozen(eq=False)
class Standing:
    """
    All rows by host, user and repository, each with its state as of ``now`` (Unix seconds).

    ``waiting`` is the number of repositories that were never read.
    """

    now: float
    rows: Sequence[SetRow]
    states: Sequence[State]
    repositories: int
    waiting: int

    @property
    def counts(self) -> Counter[State]:
        """Return the number of sets in each state."""
        return Counter(self.states)


@define(eq=False)
class Fleet:
    """Makes the rows of each repository again only after it was read."""

    _state: CollectionState
    _kept: dict[str, tuple[int, list[SetRow]]] = field(factory=dict)
    _ordered: list[SetRow] = field(factory=list)

    def steps(self, now: float) -> Steps[Standing]:
        """Return the standing at ``now`` (Unix seconds), in short steps."""
        if (yield from self._update()):
            rows: list[SetRow] = []
            for index, (_, some) in enumerate(list(self._kept.values())):
                rows += some
                if not index % _REPOSITORIES:
                    yield
            # Three stable sorts, as one by three keys takes longer in one step.
            for key in (attrgetter("url"), attrgetter("user"), attrgetter("host")):
                rows.sort(key=key)
                yield
            self._ordered = rows
        ordered, states = self._ordered, list[State]()
        for start in range(0, len(ordered), SLICE):
            states += [one.state(now) for one in ordered[start : start + SLICE]]
            yield
        statuses = self._state.statuses.values()
        waiting = sum(one.success is None for one in statuses)
        return Standing(now, ordered, states, len(statuses), waiting)

    def _update(self) -> Steps[bool]:
        """Make the rows of changed repositories; return whether any has changed."""
        statuses = self._state.statuses
        gone = self._kept.keys() - statuses.keys()
        for url in gone:
            del self._kept[url]
        changed, made = bool(gone), 0
        for index, (url, status) in enumerate(list(statuses.items())):
            kept = self._kept.get(url)
            if kept is None or kept[0] != status.revision:
                rows = repository_rows(status)
                self._kept[url] = status.revision, rows
                changed, made = True, made + len(rows)
            if made > SLICE // 4 or not index % _REPOSITORIES:
                made = 0
                yield
        return changed
