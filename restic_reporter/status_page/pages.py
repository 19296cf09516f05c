"""The pages, rendered from the state of the collections in short turns."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from attrs import define, field
from twisted.internet.defer import DeferredLock

from ..collection.state import CollectionState, RepositoryStatus
from ..concurrency.cooperative import in_turns
from .copies import copies_page, has_copies, no_copies
from .fleet import Fleet, Standing
from .layout import page
from .markup import Node, written
from .overview import Schedule, headline, overview
from .repositories import repositories_page
from .repository import not_found, repository_page
from .selection import Selection
from .upkeep import upkeep_facts

# Seconds that viewers share the states of all sets.
_SHARED_FOR = 1.0

# A query of ours has fewer.
_MOST_ARGUMENTS = 20


@define(eq=False)
class StatusPages:
    """
    Renders the pages; never reads a repository.

    ``reactor`` is for turns, ``now`` the wall clock and ``next_due`` the time of the next
    collection, both in Unix seconds. Each method takes the query of a URL, and returns the
    status code with the page.
    """

    _reactor: Any
    _state: CollectionState
    _now: Callable[[], float]
    _next_due: Callable[[], float | None]
    _version: str
    _fleet: Fleet = field(init=False)
    _latest: Standing | None = field(init=False, default=None)
    # One page at a time: several at once would add up to a long turn of the reactor.
    _lock: DeferredLock = field(init=False, factory=DeferredLock)

    def __attrs_post_init__(self) -> None:
        self._fleet = Fleet(self._state)

    def prepare(self, status: RepositoryStatus) -> None:
        """Prepare the rows of one repository after its read."""
        self._fleet.prepare(status)

    async def overview(self, query: bytes) -> tuple[int, bytes]:
        """Return the main page."""
        selection = Selection.of(_arguments(query))

        async def render() -> bytes:
            standing = await self._standing()
            selected = await in_turns(self._reactor, selection.select(standing))
            schedule = Schedule(self._state.job, self._next_due())
            content = overview(standing, schedule, selection, selected)
            return await self._page(f"{headline(standing)} · restic-reporter", "./", content)

        return 200, await self._lock.run(render)

    async def repositories(self, query: bytes) -> tuple[int, bytes]:
        """Return the list of repositories."""

        async def render() -> bytes:
            standing = await self._standing()
            content = await repositories_page(
                self._reactor, self._state, standing, _arguments(query)
            )
            return await self._page("Repositories · restic-reporter", "repositories", content)

        return 200, await self._lock.run(render)

    async def copies(self, query: bytes) -> tuple[int, bytes]:
        """Return the matrix of copies."""
        arguments, now = _arguments(query), self._now()

        async def render() -> bytes:
            content = await copies_page(self._reactor, self._state.statuses, arguments, now)
            return await self._page("Copies · restic-reporter", "copies", content)

        if not has_copies(self._state.statuses):
            return 404, await self._page("Not found · restic-reporter", "", no_copies())
        return 200, await self._lock.run(render)

    async def repository(self, query: bytes) -> tuple[int, bytes]:
        """Return the page of the repository with the label ``url``."""
        arguments = _arguments(query)
        status = self._state.statuses.get(arguments.get("url", ""))
        if status is None:
            return 404, await self._page("Not found · restic-reporter", "", not_found())

        async def render() -> bytes:
            url = status.task.repository.url
            results = self._state.results.get(url, {})
            upkeep = upkeep_facts(status, self._state.checks, self._now())
            content = await repository_page(
                self._reactor, status, results, upkeep, arguments, self._now()
            )
            title = f"{url} · restic-reporter"
            return await self._page(title, "", content)

        return 200, await self._lock.run(render)

    async def _standing(self) -> Standing:
        latest, now = self._latest, self._now()
        if latest is None or not 0 <= now - latest.now < _SHARED_FOR:
            latest = self._latest = await in_turns(self._reactor, self._fleet.steps(now))
        return latest

    async def _page(self, title: str, here: str, content: Node) -> bytes:
        with_copies = has_copies(self._state.statuses)
        document = page(title, here, content, self._now(), self._version, with_copies)
        return await in_turns(self._reactor, written(document))


def _arguments(query: bytes) -> Mapping[str, str]:
    """Return the first value of each argument; none of an absurd query."""
    try:
        pairs = parse_qsl(
            query.decode("latin-1"), keep_blank_values=True, max_num_fields=_MOST_ARGUMENTS
        )
    except ValueError:
        return {}
    return dict(reversed(pairs))
