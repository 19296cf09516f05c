"""The list of all repositories."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from twisted.web.template import Tag, tags

from ..collection.state import CollectionState, RepositoryStatus
from ..concurrency.cooperative import in_turns
from ..model.columns import Steps
from ..model.results import Results
from .elements import (
    ago,
    badge,
    cell,
    name,
    number,
    pager,
    repository_link,
    row,
    row_header,
    table,
)
from .fleet import SLICE, Standing
from .markup import Markup, Node
from .results import failed, failed_badges
from .rows import State
from .selection import PAGE_SIZE, page_number
from .units import count, duration


def read_badge(status: RepositoryStatus) -> Markup:
    """Return whether the latest read of a repository was successful."""
    if status.success is None:
        return badge("waiting", "Not read yet")
    return badge("fine", "Readable") if status.success else badge("unreadable", "Unreadable")


async def repositories_page(
    reactor: Any, state: CollectionState, standing: Standing, arguments: Mapping[str, str]
) -> Node:
    """Return the content of a page of the list: unreadable repositories, then failed jobs first."""

    def results(status: RepositoryStatus) -> Results:
        return state.results.get(status.task.repository.url, {})

    statuses = sorted(
        state.statuses.values(),
        key=lambda one: (
            one.success is not False,
            not failed(results(one)),
            one.success is None,
            one.task.repository.url,
        ),
    )
    pages = max(1, math.ceil(len(statuses) / PAGE_SIZE))
    page = min(page_number(arguments), pages)
    shown = statuses[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
    attention = await in_turns(reactor, _attention(standing))

    def rows() -> Iterator[Tag]:
        for status in shown:
            yield _row(status, results(status), attention, standing.now)

    columns: list[Node] = ["State", "Repository", "Backend", "Last good read"]
    columns += [
        tags.th(text, scope="col", role="columnheader", class_="number")
        for text in ("Duration", "Sets", "To look at", "Snapshots")
    ]
    failing = sum(one.success is False for one in statuses)
    text = count(len(statuses), "repository")
    if failing:
        text += f", {failing:,} of them unreadable"
    return [
        tags.h1("Repositories"),
        tags.p(text, id="found", **{"data-live": ""}),
        tags.section(
            table("Repositories", columns, rows(), "repositories cards"),
            pager(
                page, pages, lambda target: f"repositories?page={target}", "Pages of repositories"
            ),
            id="repositories",
            **{"data-live": "", "aria-label": "Repositories"},
        ),
    ]


def _attention(standing: Standing) -> Steps[dict[str, int]]:
    """Count the sets of each repository that are late or absent."""
    found: dict[str, int] = {}
    for place, (one, state) in enumerate(zip(standing.rows, standing.states, strict=True)):
        if state in (State.LATE, State.ABSENT):
            found[one.url] = found.get(one.url, 0) + 1
        if not place % SLICE:
            yield
    return found


def _row(
    status: RepositoryStatus, results: Results, attention: Mapping[str, int], now: float
) -> Tag:
    content, url = status.content, status.task.repository.url
    bad = attention.get(url, 0)
    return row(
        cell(tags.div(read_badge(status), failed_badges(results), class_="badges"), class_="state"),
        row_header(repository_link(url), class_="repository"),
        cell(name(status.task.backend_name), class_="backend"),
        cell("" if status.last_success is None else ago(status.last_success, now)),
        number(None if status.duration is None else duration(status.duration), "Duration"),
        number(
            None if content is None else f"{len(content.sets) + content.dropped_sets:,}", "Sets"
        ),
        number(f"{bad:,}" if bad else None, "To look at"),
        number(None if content is None else f"{content.snapshot_count:,}", "Snapshots"),
    )
