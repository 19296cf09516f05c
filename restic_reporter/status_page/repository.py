"""The page of one repository."""

import math
from collections.abc import Mapping
from typing import Any

from twisted.web.template import Tag, tags

from ..collection.state import RepositoryStatus
from ..concurrency.cooperative import in_turns
from ..model.columns import Steps
from ..model.results import Results
from . import units
from .access_facts import access_facts, locks
from .copy_rows import CopySelection
from .elements import NO_VALUE, ago, name, pager, repository_url
from .fleet import SLICE
from .markup import Node
from .repositories import read_badge
from .repository_tables import costs, groups, reads, snapshot_table
from .results import failed_badges, last_proof, results_table
from .rows import SetRow, State, repository_rows
from .selection import Selection, most_urgent, page_number
from .sets_table import set_rows, sets_table

SNAPSHOTS = 50

# The sets shown on this page; a link leads to all.
_SETS = 20


def not_found() -> Node:
    """Return the content for an unknown repository."""
    return [
        tags.h1("Repository not found"),
        tags.p("The config has no repository of this name. See ", _all(), "."),
    ]


def _all() -> Tag:
    return tags.a("all repositories", href="repositories")


async def repository_page(
    reactor: Any,
    status: RepositoryStatus,
    results: Results,
    upkeep: Mapping[str, Node],
    arguments: Mapping[str, str],
    now: float,
) -> Node:
    """
    Return the content of the page; ``page`` in ``arguments`` is that of the snapshots.

    ``upkeep`` are further facts.
    """
    url = status.task.repository.url
    pages = max(1, math.ceil(len(status.table) / SNAPSHOTS))
    page = min(page_number(arguments), pages)
    newest = status.table.newest((page - 1) * SNAPSHOTS, SNAPSHOTS)
    snapshots = await in_turns(reactor, newest)
    sets = await in_turns(reactor, _sets(status, now))
    return [
        tags.nav(
            tags.a("Repositories", href="repositories"),
            class_="crumbs",
            **{"aria-label": "Breadcrumb"},
        ),
        tags.h1(name(url), class_="label"),
        tags.div(
            tags.div(read_badge(status), failed_badges(results), class_="badges"),
            _error(status),
            _facts(status, results, upkeep, now),
            id="facts",
        )(**{"data-live": ""}),
        _section("sets", "Backup sets", _sets_part(url, sets, now)),
        _section("jobs", "Checks and other jobs", results_table(results, now)),
        _section("reads", "Latest reads", reads(list(status.reads), now)),
        _section("locks", "Locks", locks(status.locks, now)),
        _section("costs", "Requests since the start", costs(status.meter)),
        _section("groups", "Groups", groups(status, now)),
        _section(
            "snapshots",
            "Snapshots",
            [
                snapshot_table(snapshots, now),
                pager(
                    page,
                    pages,
                    lambda one: f"{repository_url(url, one)}#snapshots",
                    "Pages of snapshots",
                ),
            ],
        ),
    ]


def _section(place: str, title: str, content: Node) -> Node:
    """Return a part of the page; nothing without content."""
    if not content:
        return ""
    return tags.section(
        tags.h2(title, id=f"{place}-title"),
        content,
        id=place,
        **{"data-live": "", "aria-labelledby": f"{place}-title"},
    )


def _sets(status: RepositoryStatus, now: float) -> Steps[list[tuple[SetRow, State]]]:
    found = []
    for place, one in enumerate(repository_rows(status)):
        found.append((one, one.state(now)))
        if not place % SLICE:
            yield
    found.sort(key=most_urgent)
    return found


def _sets_part(url: str, sets: list[tuple[SetRow, State]], now: float) -> Node:
    known = [pair for pair in sets if pair[0].host]
    if not known:
        return tags.p("No backup sets are known.", class_="empty")
    table = sets_table(set_rows(known[:_SETS], now, False), with_repository=False)
    if len(known) <= _SETS:
        return table
    link = Selection(repository=url, state="all").link()
    return [table, tags.p(tags.a(f"All {units.count(len(known), 'backup set')}", href=link))]


def _error(status: RepositoryStatus) -> Node:
    if status.success is not False or not status.reads:
        return ""
    last = status.reads[-1]
    return tags.p(name(last.message), " ", tags.code(last.reason or ""), class_="error")


def _facts(
    status: RepositoryStatus, results: Results, upkeep: Mapping[str, Node], now: float
) -> Tag:
    task, content = status.task, status.content
    facts: dict[str, Node] = {"Backend": name(task.backend_name), "Reader": name(task.reader.name)}
    if status.reads:
        facts["Last read"] = ago(status.reads[-1].time, now)
    facts["Last good read"] = (
        NO_VALUE if status.last_success is None else ago(status.last_success, now)
    )
    if proof := last_proof(results, now):
        facts["Last proven restorable"] = proof
    if status.duration is not None:
        facts["Duration"] = units.duration(status.duration)
    if content is not None:
        facts["Snapshots"] = f"{content.snapshot_count:,}"
        for text, value in {
            "Dated in the future": content.future_count,
            "Invalid": content.invalid_count,
            "Sets not shown": content.dropped_sets,
            "Groups not shown": content.dropped_groups,
        }.items():
            if value:
                facts[text] = f"{value:,}"
    facts |= access_facts(status, now)
    if task.repository.copies:
        text = units.count(len(task.repository.copies), "copy")
        link = CopySelection(task.repository.url).link()
        facts["Copied to"] = tags.a(text, href=link)
    if task.repository.cron is not None:
        facts["Read at"] = tags.code(task.repository.cron.text)
    facts |= upkeep
    return tags.dl(
        *(tags.div(tags.dt(text), tags.dd(value)) for text, value in facts.items()), class_="facts"
    )
