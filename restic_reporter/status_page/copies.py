"""The page of the copies: a matrix of backup sets and the repositories that should hold them."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from twisted.web.template import Tag, tags

from ..collection.state import RepositoryStatus
from ..concurrency.cooperative import in_turns
from .copy_rows import Copy, CopyRow, CopySelection, CopyState, SelectedCopies, copy_rows
from .elements import (
    badge,
    cell,
    moment,
    name,
    pager,
    repository_link,
    row,
    row_header,
    symbol,
    table,
)
from .list_parts import Tile, filter_form, hidden_fields, tile_row
from .markup import Node
from .units import count, duration

_LABELS = {
    CopyState.NONE: "No copy",
    CopyState.LATE: "Late",
    CopyState.INCOMPLETE: "Incomplete",
    CopyState.BEHIND: "Behind",
    CopyState.UNKNOWN: "Unknown",
    CopyState.COMPLETE: "Complete",
}

# The states of backup sets with the same symbols and colours.
_LOOKS = {
    CopyState.NONE: "absent",
    CopyState.LATE: "late",
    CopyState.INCOMPLETE: "unreadable",
    CopyState.BEHIND: "unlimited",
    CopyState.UNKNOWN: "waiting",
    CopyState.COMPLETE: "fine",
}
_ALWAYS = (CopyState.LATE, CopyState.INCOMPLETE, CopyState.BEHIND, CopyState.COMPLETE)


def has_copies(statuses: Mapping[str, RepositoryStatus]) -> bool:
    """Return whether any repository should have copies."""
    return any(one.task.repository.copies for one in statuses.values())


def no_copies() -> Node:
    """Return the content of the page while no repository should have copies."""
    return [
        tags.h1("No copies"),
        tags.p("No entry of the config has the key ", tags.code("copies"), "."),
    ]


async def copies_page(
    reactor: Any,
    statuses: Mapping[str, RepositoryStatus],
    arguments: Mapping[str, str],
    now: float,
) -> Node:
    """Return the content of the page."""
    selection = CopySelection.of(arguments)
    rows = await in_turns(reactor, copy_rows(statuses, now))
    selected = await in_turns(reactor, selection.select(rows))
    return [
        tags.h1(*_headline(selected), id="summary", class_=f"headline {_worst(selected)}")(
            **{"data-live": ""}
        ),
        _tiles(selected, selection),
        _filter(selection),
        tags.p(_found(selection, selected), id="found", role="status")(**{"data-live": ""}),
        tags.section(
            _matrix(selected.rows, now) if selected.rows else _nothing(selected),
            pager(
                selected.page,
                selected.pages,
                lambda page: selection.link(page=page),
                "Pages of copies",
            ),
            id="copies",
            **{"data-live": "", "aria-label": "Copies of backup sets"},
        ),
    ]


def _worst(selected: SelectedCopies) -> str:
    worst = next((state for state in CopyState if selected.counts[state]), CopyState.UNKNOWN)
    return _LOOKS[worst]


def _headline(selected: SelectedCopies) -> list[Node]:
    if selected.attention:
        text = f"Copies of {count(selected.attention, 'backup set')} need attention"
    elif set(selected.counts) == {CopyState.COMPLETE}:
        text = f"Copies of {count(selected.every, 'backup set')} are complete"
    else:
        text = f"Copies of {count(selected.every, 'backup set')}"
    return [symbol(_worst(selected)), text]


def _tiles(selected: SelectedCopies, selection: CopySelection) -> Tag:
    shown = [("", "", "All", selected.every)]
    shown += [
        (state, _LOOKS[state], _LABELS[state], selected.counts[state])
        for state in CopyState
        if state in _ALWAYS or selected.counts[state] or selection.state == state
    ]
    tiles = (
        Tile(look, text, total, selection.link(state=state, page=1), state == selection.state)
        for state, look, text, total in shown
    )
    return tile_row(tiles, "Backup sets by the state of a copy")


def _filter(selection: CopySelection) -> Tag:
    placeholder = "Filter by host, user, repository or copy"
    hidden = hidden_fields({"state": selection.state})
    return filter_form("copies", selection.q, placeholder, *hidden)


def _found(selection: CopySelection, selected: SelectedCopies) -> Node:
    parts: list[Node] = [count(selected.total, "backup set")]
    if selection.state:
        parts.append(f" · {_LABELS[CopyState(selection.state)].lower()}")
    if selection.q:
        parts += [" · with ", tags.q(name(selection.q))]
    if selection.q or selection.state:
        parts += [" · ", tags.a("show all", href=CopySelection().link())]
    return parts


def _nothing(selected: SelectedCopies) -> Tag:
    text = "No backup set matches." if selected.every else "No backup set has been read yet."
    return tags.p(text, class_="empty")


def _matrix(rows: Sequence[CopyRow], now: float) -> Tag:
    """Return the table; a column is named by its copy if that is the same in all rows."""
    columns: list[Node] = ["Host", "User", "Repository"]
    named = []
    for place in range(max(len(one.copies) for one in rows)):
        copies = {one.copies[place].url for one in rows if place < len(one.copies)}
        named.append(len(copies) == 1)
        columns.append(
            tags.th(repository_link(copies.pop()), scope="col", role="columnheader", class_="copy")
            if named[-1]
            else f"Copy {place + 1}"
        )
    return table("Copies of backup sets", columns, _rows(rows, named, now), "copies cards")


def _rows(rows: Sequence[CopyRow], named: Sequence[bool], now: float) -> Iterator[Tag]:
    for one in rows:
        copies = [
            cell(*_copy(copy, in_header, now), class_="copy")
            for copy, in_header in zip(one.copies, named, strict=False)
        ]
        copies += [cell() for _ in named[len(copies) :]]
        yield row(
            row_header(name(one.backups.host), class_="host"),
            cell(name(one.backups.user), class_="user"),
            cell(repository_link(one.url), class_="repository"),
            *copies,
        )


def _copy(copy: Copy, in_header: bool, now: float) -> Iterator[Node]:
    # Narrow screens have no header.
    yield tags.span(repository_link(copy.url), class_="of narrow" if in_header else "of")
    yield badge(_LOOKS[copy.state], _LABELS[copy.state])
    details = list(_details(copy, now))
    if details:
        yield tags.small([part for one in details for part in (one, " · ")][:-1])


def _details(copy: Copy, now: float) -> Iterator[Node]:
    found = copy.found
    if found is None:
        yield "not compared yet"
    elif found.waits_since is not None:
        if not math.isinf(found.lag):
            yield f"{duration(found.lag)} behind"
        yield moment(found.waits_since, f"waits {duration(now - found.waits_since)}")
    if found is not None and found.missing:
        yield f"{found.missing:,} missing"
    if copy.stale:
        yield "as of its last good read"
