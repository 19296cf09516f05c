"""The backup sets that should have copies, each with the state of every copy. Pure."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from operator import attrgetter
from typing import Any
from urllib.parse import urlencode

from attrs import evolve, frozen

from ..collection.state import RepositoryStatus
from ..model.backup_sets import Name
from ..model.columns import Steps
from ..model.copies import SetCopy
from ..model.freshness import judged_until
from ..model.snapshots import BackupSet
from .fleet import SLICE
from .selection import LONGEST_TEXT, PAGE_SIZE, page_number

# Seconds that a snapshot may wait for being copied, as in the rule ResticCopyLate.
MAY_WAIT = 2 * 86400.0


class CopyState(StrEnum):
    """The state of one copy of a backup set, the worst first."""

    NONE = "none"
    LATE = "late"
    INCOMPLETE = "incomplete"
    BEHIND = "behind"
    UNKNOWN = "unknown"
    COMPLETE = "complete"


ATTENTION = (CopyState.NONE, CopyState.LATE, CopyState.INCOMPLETE)
SEVERITY = {state: place for place, state in enumerate(CopyState)}


def state_of(found: SetCopy | None, now: float) -> CopyState:
    """Return the state of a copy at ``now`` (Unix seconds); ``None`` was not compared yet."""
    if found is None:
        return CopyState.UNKNOWN
    if found.waits_since is not None:
        if now - found.waits_since <= MAY_WAIT:
            return CopyState.BEHIND
        return CopyState.NONE if math.isinf(found.lag) else CopyState.LATE
    return CopyState.INCOMPLETE if found.missing else CopyState.COMPLETE


@frozen(eq=False)
class Copy:
    """One copy of a set; ``stale`` if its repository cannot be read now."""

    url: str
    state: CopyState
    found: SetCopy | None
    stale: bool


@frozen(eq=False)
class CopyRow:
    """
    A backup set of the repository with the label ``url``, with its copies.

    ``state`` is the worst of theirs. They wait for a snapshot ``since`` then (Unix seconds).
    """

    url: str
    backups: BackupSet
    copies: tuple[Copy, ...]
    state: CopyState
    since: float

    @classmethod
    def of(cls, url: str, backups: BackupSet, copies: tuple[Copy, ...]) -> "CopyRow":
        """Return the row for these."""
        waiting = [one.found.waits_since for one in copies if one.found is not None]
        return cls(
            url,
            backups,
            copies,
            min((one.state for one in copies), key=SEVERITY.__getitem__),
            min((one for one in waiting if one is not None), default=math.inf),
        )

    def text(self) -> str:
        """Return what a filter looks at, in lower case."""
        copies = "\n".join(one.url for one in self.copies)
        return f"{self.backups.host}\n{self.backups.user}\n{self.url}\n{copies}".casefold()


def copy_rows(statuses: Mapping[str, RepositoryStatus], now: float) -> Steps[list[CopyRow]]:
    """Return the rows of all repositories that should have copies, the worst first."""
    ordered = {state: list[CopyRow]() for state in CopyState}
    made = 0
    for place, (url, status) in enumerate(list(statuses.items())):
        repository, content = status.task.repository, status.content
        if repository.copies and content is not None:
            copies = [_Compared.of(label, status, statuses) for label in repository.copies]
            for one in content.sets:
                if one.newest is not None and not repository.freshness.is_retired(*_name(one)):
                    row = CopyRow.of(url, one, tuple(copy.of_set(one, now) for copy in copies))
                    ordered[row.state].append(row)
                    made += 1
                    if not made % (SLICE // 4):
                        yield
        if not place % SLICE:
            yield
    for some in ordered.values():
        # What waits longest is first; else the sets of a repository stay together.
        some.sort(key=attrgetter("since"))
        yield
    return [row for some in ordered.values() for row in some]


def _name(one: BackupSet) -> Name:
    return one.host, one.user


@frozen
class _Compared:
    """One copy of a repository; its snapshots are known until then (Unix seconds)."""

    url: str
    sets: Mapping[Name, SetCopy]
    known_until: float
    stale: bool

    @classmethod
    def of(
        cls, url: str, status: RepositoryStatus, statuses: Mapping[str, RepositoryStatus]
    ) -> "_Compared":
        compared, copy = status.copies.get(url), statuses.get(url)
        sets = compared.sets if compared is not None else {}
        if copy is None:
            return cls(url, sets, math.inf, False)
        return cls(url, sets, judged_until(copy.success, copy.last_success), copy.success is False)

    def of_set(self, one: BackupSet, now: float) -> Copy:
        found = self.sets.get(_name(one))
        return Copy(self.url, state_of(found, min(now, self.known_until)), found, self.stale)


@frozen
class CopySelection:
    """A request for rows: words that must occur, the state of any copy, and the page from 1."""

    q: str = ""
    state: str = ""
    page: int = 1

    @classmethod
    def of(cls, arguments: Mapping[str, str]) -> "CopySelection":
        """Return the selection of a URL; invalid values count as missing."""
        state = arguments.get("state", "")
        return cls(
            " ".join(arguments.get("q", "")[:LONGEST_TEXT].split()),
            state if state in list(CopyState) else "",
            page_number(arguments),
        )

    def link(self, **changes: Any) -> str:
        """Return the relative URL of this selection with ``changes``."""
        one, usual = evolve(self, **changes), CopySelection()
        given = {
            name: value
            for name in ("q", "state", "page")
            if (value := getattr(one, name)) != getattr(usual, name)
        }
        return f"copies?{urlencode(given)}" if given else "copies"

    def select(self, rows: Sequence[CopyRow]) -> "Steps[SelectedCopies]":
        """Return the page of ``rows``, in short steps."""
        counts, found, attention = Counter[CopyState](), [], 0
        words = self.q.casefold().split()
        for place, row in enumerate(rows):
            states = {one.state for one in row.copies}
            counts.update(states)
            attention += row.state in ATTENTION
            if (not self.state or self.state in states) and _has(row, words):
                found.append(row)
            if not place % SLICE:
                yield
        pages = max(1, math.ceil(len(found) / PAGE_SIZE))
        page = min(self.page, pages)
        shown = found[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
        return SelectedCopies(shown, len(found), page, pages, counts, attention, len(rows))


def _has(row: CopyRow, words: Iterable[str]) -> bool:
    text = row.text() if words else ""
    return all(word in text for word in words)


@frozen(eq=False)
class SelectedCopies:
    """
    A page of rows; ``page`` is at most ``pages``.

    ``counts`` are the numbers of sets with a copy in each state, ``attention`` of those with one
    to look at, ``every`` of all sets.
    """

    rows: Sequence[CopyRow]
    total: int
    page: int
    pages: int
    counts: Counter[CopyState]
    attention: int
    every: int
