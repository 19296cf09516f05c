"""The table of backup sets. Pure."""

import math
from collections.abc import Iterator, Sequence

from twisted.web.template import Tag, tags

from . import units
from .anomaly_note import note_of
from .elements import (
    NO_VALUE,
    badge,
    cell,
    moment,
    name,
    number,
    repository_link,
    row,
    row_header,
    table,
)
from .graphics import age_picture, days_picture
from .markup import Node
from .rows import SetRow, State
from .selection import FIRST_SORT, Selection
from .strip import days_of, runs_of

LABELS = {
    State.LATE: "Late",
    State.ABSENT: "Absent",
    State.UNREADABLE: "Unreadable",
    State.UNLIMITED: "No limit",
    State.FINE: "Fine",
    State.RETIRED: "Retired",
}

_COLUMNS = {
    "state": "State",
    "host": "Host",
    "user": "User",
    "repository": "Repository",
    "age": "Age",
    "days": "Last 30 days",
    "size": "Size",
    "duration": "Duration",
    "snapshots": "Snapshots",
}
_OF_NUMBERS = ("size", "duration", "snapshots")


def sets_table(
    rows: Iterator[Node], selection: Selection | None = None, with_repository: bool = True
) -> Tag:
    """Return the table of these rows; with a ``selection`` its columns are sorted by links."""
    columns = [
        _header(column, text, selection)
        for column, text in _COLUMNS.items()
        if with_repository or column != "repository"
    ]
    return table("Backup sets", columns, rows, "sets cards")


def _header(column: str, text: str, selection: Selection | None) -> Tag:
    header = tags.th(scope="col", role="columnheader")
    if column in _OF_NUMBERS:
        header(class_="number")
    if selection is None or column not in FIRST_SORT:
        return header(text)
    first = FIRST_SORT[column]
    descending = selection.sort.startswith("-")
    target = first
    if selection.column == column:
        header(**{"aria-sort": "descending" if descending else "ascending"})
        if selection.sort == first:
            target = column if descending else f"-{column}"
    return header(tags.a(text, tags.span(class_="arrow"), href=selection.link(sort=target, page=1)))


def set_rows(
    some: Sequence[tuple[SetRow, State]], now: float, with_repository: bool = True
) -> Iterator[Tag]:
    """Yield a row for each set."""
    for one, state in some:
        yield _row(one, state, now, with_repository)


def _row(one: SetRow, state: State, now: float, with_repository: bool) -> Tag:
    backups = one.backups
    latest = backups.latest if backups is not None else None
    summary = latest.summary if latest is not None else None
    size = summary.processed_bytes if summary is not None else None
    seconds = summary.duration if summary is not None else None
    cells = [
        cell(badge(state, LABELS[state]), class_="state"),
        row_header(name(one.host) if one.host else tags.em("sets unknown"), class_="host"),
        cell(name(one.user) if one.user else tags.em("any") if one.host else "", class_="user"),
    ]
    if with_repository:
        cells.append(cell(repository_link(one.url), class_="repository"))
    return row(
        *cells,
        cell(*_age(one, state, now), class_="ages"),
        cell(days_picture(days_of(one, now), runs_of(one, now)), class_="strip"),
        _size(one, state, None if size is None else units.size(size)),
        number(None if seconds is None else units.duration(seconds), "Duration"),
        number(None if backups is None else f"{backups.snapshot_count:,}", "Snapshots"),
    )


def _size(one: SetRow, state: State, text: str | None) -> Tag:
    found = number(text, "Size")
    note = note_of(one.backups) if one.backups is not None and state is not State.RETIRED else ""
    return found(tags.small(note, class_="odd")) if note else found


def _age(one: SetRow, state: State, now: float) -> list[Node]:
    newest = one.backups.newest if one.backups is not None else None
    if newest is None:
        return [tags.span("no backup" if one.host else NO_VALUE, class_="none")]
    found: list[Node] = [moment(newest, units.duration(now - newest))]
    if not math.isinf(one.due):
        allowed, judged = one.due - newest, one.judged_at(now) - newest
        found.append(age_picture(judged / allowed if allowed > 0 else math.inf))
        found.append(tags.small(_due(one, state, now, allowed)))
    return found


def _due(one: SetRow, state: State, now: float, allowed: float) -> Node:
    if state is State.LATE:
        text = f"{units.duration(now - one.due)} late"
        return moment(one.due, text if one.limit is not None else f"{text}, limit learned")
    if one.kind is State.UNREADABLE:
        return "as of the last read"
    if one.limit is None:
        return f"of {units.duration(allowed)}, learned"
    if one.limit.max_age is not None:
        return f"of {units.duration(one.limit.max_age)}"
    return moment(one.due, f"due in {units.duration(one.due - now)}")
