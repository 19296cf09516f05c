"""The tables on the page of one repository. Pure."""

from collections.abc import Iterator, Sequence

from twisted.web.template import Tag, tags

from ..collection.state import PastRead, RepositoryStatus
from ..model.snapshots import Group, Meter, Snapshot
from . import units
from .elements import NO_VALUE, ago, badge, cell, name, number, row, row_header, table
from .markup import Node

_GROUPS = 100


def _numeric(text: str) -> Tag:
    return tags.th(text, scope="col", role="columnheader", class_="number")


def reads(past: Sequence[PastRead], now: float) -> Node:
    """Return the latest reads, the newest first."""
    failed = any(one.reason for one in past)
    rows = [
        row(
            row_header(ago(one.time, now)),
            cell(
                badge("unreadable", "Failed") if one.reason else badge("fine", "Read"),
                class_="state",
            ),
            *([_message(one)] if failed else []),
            number(units.duration(one.duration), "Duration"),
            number(f"{one.snapshots:,}", "Snapshots"),
        )
        for one in reversed(past)
    ]
    columns: list[Node] = ["Time", "Outcome", *(["Error"] if failed else [])]
    columns += [_numeric("Duration"), _numeric("Snapshots")]
    return table("Latest reads", columns, rows, "reads cards") if rows else ""


def _message(one: PastRead) -> Tag:
    if not one.reason:
        return cell("")
    return cell(tags.code(one.reason), " ", name(one.message), class_="message")


def snapshot_table(some: Sequence[Snapshot], now: float) -> Node:
    """Return these snapshots in their order."""
    if not some:
        return tags.p("No snapshots are known.", class_="empty")
    columns = ["Snapshot", "Time", "Host", "User", "Tags", _numeric("Size")]
    return table("Snapshots", columns, _snapshots(some, now), "snapshots cards")


def _snapshots(some: Sequence[Snapshot], now: float) -> Iterator[Tag]:
    for one in some:
        size = one.summary.processed_bytes
        known = one.id or ""
        yield row(
            row_header(tags.code(known[:8], title=known)),
            cell("invalid" if one.time is None else ago(one.time, now)),
            cell(NO_VALUE if one.host is None else name(one.host), class_="host"),
            cell(name(one.user), class_="user"),
            cell(name(one.tags), class_="tags"),
            number(None if size is None else units.size(size), "Size"),
        )


def groups(status: RepositoryStatus, now: float) -> Node:
    """Return the largest groups, if the repository is grouped by paths or tags."""
    by = status.task.repository.group_by
    if not by or status.content is None:
        return ""
    every = [(one.host, one.user, group) for one in status.content.sets for group in one.groups]
    every.sort(key=lambda item: -item[2].snapshot_count)
    columns = ["Host", "User", *(part.capitalize() for part in by)]
    columns += ["Newest"]
    rows = _group_rows(every[:_GROUPS], by, now)
    found = table("Groups", [*columns, _numeric("Snapshots")], rows, "groups cards")
    if len(every) <= _GROUPS:
        return found
    return [
        found,
        tags.p(f"These are the {_GROUPS} largest of {units.count(len(every), 'group')}."),
    ]


def _group_rows(
    some: Sequence[tuple[str, str, Group]], by: Sequence[str], now: float
) -> Iterator[Tag]:
    for host, user, group in some:
        yield row(
            row_header(name(host), class_="host"),
            cell(name(user), class_="user"),
            *(cell(name(getattr(group, part)), class_="tags") for part in by),
            cell(NO_VALUE if group.newest is None else ago(group.newest, now)),
            number(f"{group.snapshot_count:,}", "Snapshots"),
        )


def costs(meter: Meter) -> Node:
    """Return the requests and received bytes by operation."""
    rows = [
        row(
            row_header(operation),
            number(f"{requests:,}", "Requests"),
            number(units.size(meter.received_bytes.get(operation, 0)), "Received"),
        )
        for operation, requests in sorted(meter.requests.items())
    ]
    columns = ["Operation", _numeric("Requests"), _numeric("Received")]
    return table("Requests since the start", columns, rows, "costs cards") if rows else ""
