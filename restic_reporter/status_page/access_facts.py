"""The keys, the format and the locks of one repository. Pure."""

from twisted.web.template import Tag, tags

from ..collection.state import SHOWN_LOCKS, Locks, RepositoryStatus
from ..metrics.timed_lines import STALE_LOCK_AGE
from ..model.snapshots import Lock
from . import units
from .elements import NO_VALUE, ago, badge, cell, moment, name, row, row_header, table
from .markup import Node


def access_facts(status: RepositoryStatus, now: float) -> dict[str, Node]:
    """Return what is known of the repository's keys and format, by name."""
    keys, access, hint = status.keys, status.access, status.task.repository.key_hint
    facts: dict[str, Node] = {}
    if keys.version:
        facts["Format"] = f"version {keys.version}"
    if keys.count is not None:
        facts["Key files"] = f"{keys.count:,}"
    if access is not None and access.names:
        shown = (tags.code(one[:8], title=one) for one in access.names)
        facts["Keys"] = [part for key in shown for part in (key, " ")]
    elif hint:
        facts["Key"] = tags.code(hint[:8])
    if keys.newest is not None:
        facts["Newest key"] = ago(keys.newest, now)
    return facts


def locks(some: Locks | None, now: float) -> Node:
    """Return the oldest locks; older than restic's limit they are stale."""
    if some is None:
        return ""
    if not some.count:
        return tags.p("No locks.", class_="empty")
    if some.oldest:
        shown = len(some.oldest)
        columns = ["Age", "Host", "User", "Process", "Kind", "State"]
        rows = [_row(lock, now) for lock in some.oldest]
    elif some.times:
        times = sorted(some.times)[:SHOWN_LOCKS]
        shown, columns = len(times), ["Time", "Age", "State"]
        rows = [
            row(
                row_header(moment(when, units.local_time(when))),
                cell(f"{units.duration(now - when)} old"),
                _state(when, now),
            )
            for when in times
        ]
    else:
        return tags.p(f"{units.count(some.count, 'lock')}; the times are unknown.")
    found = table("Locks", columns, rows, "locks cards")
    if shown == some.count:
        return found
    return [found, tags.p(f"There are {units.count(some.count, 'lock')}.")]


def _row(lock: Lock, now: float) -> Tag:
    return row(
        row_header(moment(lock.time, f"{units.duration(now - lock.time)} old")),
        cell(name(lock.host), class_="host"),
        cell(name(lock.user), class_="user"),
        cell(str(lock.process) if lock.process else NO_VALUE, **{"data-label": "Process"}),
        cell("exclusive" if lock.exclusive else "shared"),
        _state(lock.time, now),
    )


def _state(when: float, now: float) -> Tag:
    is_stale = now - when > STALE_LOCK_AGE
    return cell(badge("late", "Stale") if is_stale else badge("fine", "In use"), class_="state")
