"""The main page: how the backups are, and the table of all sets. Pure."""

from attrs import frozen
from twisted.web.template import Tag, tags

from ..collection.state import JobStatus
from .elements import ago, name, pager, symbol
from .fleet import Standing
from .list_parts import Tile, filter_form, hidden_fields, tile_row
from .markup import Node
from .results import failed_count
from .rows import State
from .selection import ALL, Selected, Selection
from .sets_table import LABELS, set_rows, sets_table
from .units import count, duration

# Retired sets, and those that nobody limits, need no tile while there are none.
_ALWAYS = (State.LATE, State.ABSENT, State.UNREADABLE, State.FINE)
_ATTENTION = (State.LATE, State.ABSENT, State.UNREADABLE)

_ORDERS = {
    "state": "Worst first",
    "host": "Host",
    "user": "User",
    "repository": "Repository",
    "-age": "Oldest first",
    "age": "Newest first",
    "-size": "Largest first",
    "-duration": "Longest first",
    "-snapshots": "Most snapshots first",
}


@frozen
class Schedule:
    """The collections so far, and when the next one is due, in Unix seconds."""

    job: JobStatus
    next_due: float | None


def overview(
    standing: Standing, schedule: Schedule, selection: Selection, selected: Selected
) -> Node:
    """Return the content of the page."""
    rows = set_rows(selected.rows, standing.now)
    return [
        tags.section(
            *_summary(standing), _collections(standing, schedule), id="summary", class_="summary"
        )(**{"data-live": ""}),
        _tiles(standing, selection),
        _filter(selection),
        tags.p(_found(selection, selected), id="found", role="status")(**{"data-live": ""}),
        tags.section(
            sets_table(rows, selection) if selected.rows else _nothing(standing, selection),
            pager(
                selected.page,
                selected.pages,
                lambda page: selection.link(page=page),
                "Pages of backup sets",
            ),
            id="sets",
            **{"data-live": "", "aria-label": "Backup sets"},
        ),
    ]


def headline(standing: Standing) -> str:
    """Return the state of all backups in a few words."""
    counts = standing.counts
    bad = sum(counts[state] for state in _ATTENTION)
    watched = len(standing.rows) - counts[State.RETIRED]
    if bad:
        return f"{count(bad, 'backup set')} {'needs' if bad == 1 else 'need'} attention"
    if not watched:
        return "Waiting for the first read" if standing.waiting else "No backup sets"
    fine = counts[State.FINE]
    if not fine:
        return f"{count(watched, 'backup set')}, none with a limit"
    if fine == watched:
        return "1 backup set is fine" if fine == 1 else f"All {count(fine, 'backup set')} are fine"
    return f"{count(fine, 'backup set')} {'is' if fine == 1 else 'are'} fine"


def _summary(standing: Standing) -> list[Tag]:
    counts = standing.counts
    worst = next((state for state in _ATTENTION if counts[state]), None)
    kind = worst or (State.FINE if counts[State.FINE] else "waiting")
    return [tags.h1(symbol(kind), headline(standing), class_=f"headline {kind}")]


def _collections(standing: Standing, schedule: Schedule) -> Tag:
    job, now = schedule.job, standing.now
    watched = len(standing.rows) - standing.counts[State.RETIRED]
    parts: list[Node] = [
        f"{count(watched, 'backup set')} in {count(standing.repositories, 'repository')}"
    ]
    if standing.waiting:
        parts.append(f"{standing.waiting:,} not read yet")
    if standing.failed_jobs:
        parts.append(failed_count(standing.failed_jobs))
    if job.last_success is not None:
        last: list[Node] = ["last collection ", ago(job.last_success, now)]
        if job.duration is not None:
            last.append(f", took {duration(job.duration)}")
        parts.append(last)
    if job.running:
        parts.append(tags.strong(f"running now, {count(job.left, 'repository')} left"))
    elif schedule.next_due is not None:
        parts.append(["next ", ago(max(schedule.next_due, now), now)])
    return tags.ul(*(tags.li(part) for part in parts), class_="facts")


def _tiles(standing: Standing, selection: Selection) -> Tag:
    counts = standing.counts
    watched = len(standing.rows) - counts[State.RETIRED]
    shown = [("", "All", watched)]
    shown += [
        (state, LABELS[state], counts[state])
        for state in State
        if state in _ALWAYS or counts[state] or selection.state == state
    ]
    tiles = (
        Tile(
            state,
            text,
            total,
            selection.link(state=state, page=1),
            selection.state in ((state,) if state else ("", ALL)),
        )
        for state, text, total in shown
    )
    return tile_row(tiles, "Backup sets by state")


def _filter(selection: Selection) -> Tag:
    orders = [
        tags.option(
            text, value=value, **({"selected": "selected"} if value == selection.sort else {})
        )
        for value, text in _ORDERS.items()
    ]
    if selection.sort not in _ORDERS:
        orders.append(tags.option("As in the table", value=selection.sort, selected="selected"))
    return filter_form(
        "./",
        selection.q,
        "Filter by host, user, repository or tag",
        tags.label("Order", for_="sort", class_="hidden"),
        tags.select(*orders, id="sort", name="sort"),
        *hidden_fields({"state": selection.state, "repository": selection.repository}),
    )


def _found(selection: Selection, selected: Selected) -> Node:
    parts: list[Node] = [count(selected.total, "backup set")]
    if selection.state and selection.state != ALL:
        parts.append(f" · {LABELS[State(selection.state)].lower()}")
    if selection.q:
        parts += [" · with ", tags.q(name(selection.q))]
    if selection.repository:
        parts += [" · in ", name(selection.repository)]
    if selection.q or selection.state or selection.repository:
        parts += [" · ", tags.a("show all", href=Selection(sort=selection.sort).link())]
    return parts


def _nothing(standing: Standing, selection: Selection) -> Tag:
    if not standing.rows:
        text = (
            "No repository has been read yet."
            if standing.waiting
            else "The repositories hold no snapshots."
        )
    else:
        text = "No backup set matches."
    return tags.p(text, class_="empty")
