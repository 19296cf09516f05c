"""Compares repositories with the copies that should hold their snapshots."""

from collections.abc import Callable, Mapping

from attrs import define
from twisted.internet.interfaces import IReactorTime

from ..concurrency.cooperative import at_once, in_turns
from ..model.columns import SLICE, Steps
from ..model.copies import compare, held_by
from .state import CopyStatus, RepositoryStatus

# Comparing so many snapshots takes a few milliseconds.
_FEW = 2000


async def compare_copies(
    statuses: Mapping[str, RepositoryStatus],
    on_change: Callable[[RepositoryStatus], object],
    clock: IReactorTime,
) -> None:
    """Compare what has copies, as `Copies` does; in turns with other work if that is much."""
    contents = [one.content for one in statuses.values() if one.task.repository.identified]
    steps = Copies(statuses, on_change).compare()
    if sum(one.snapshot_count for one in contents if one is not None) <= _FEW:
        at_once(steps)
    else:
        await in_turns(clock, steps)


@define
class Copies:
    """
    Compares those repositories of a collection with their copies where either has changed.

    ``statuses`` are by label. ``on_change`` is called with each that has another value now.
    A repository that was never read, or whose snapshots are not all known, is compared after its
    next good read; until then the values stay.
    """

    _statuses: Mapping[str, RepositoryStatus]
    _on_change: Callable[[RepositoryStatus], object]

    def compare(self) -> Steps[None]:
        """Compare what is due, in short steps; no repository may be read meanwhile."""
        # A copy may be that of many repositories.
        for label, sources in (yield from self._due()).items():
            copy = self._statuses[label]
            held = yield from held_by(copy.table.identities())
            for status in sources:
                yield from self._compare(status, label, copy, held)

    def _due(self) -> Steps[dict[str, list[RepositoryStatus]]]:
        due: dict[str, list[RepositoryStatus]] = {}
        for place, status in enumerate(list(self._statuses.values()), 1):
            for label in status.task.repository.copies:
                copy = self._statuses.get(label)
                if copy is not None and _is_due(status, copy):
                    due.setdefault(label, []).append(status)
            if not place % SLICE:
                yield
        return due

    def _compare(
        self, status: RepositoryStatus, label: str, copy: RepositoryStatus, held: set[bytes]
    ) -> Steps[None]:
        sets = status.content.sets if status.content is not None else ()
        newest = {(one.host, one.user): one.newest for one in sets if one.newest is not None}
        found = yield from compare(newest, status.table.identities(), held)
        wanted = status.task.repository.copies
        status.copies = {
            **{one: before for one, before in status.copies.items() if one in wanted},
            label: CopyStatus(_reads(status, copy), found),
        }
        self._on_change(status)


def _is_due(status: RepositoryStatus, copy: RepositoryStatus) -> bool:
    before = status.copies.get(copy.task.repository.url)
    if before is not None and before.reads == _reads(status, copy):
        return False
    return _is_known(status) and _is_known(copy)


def _is_known(status: RepositoryStatus) -> bool:
    """Return whether the table has all snapshots of the last good read."""
    content, names = status.content, status.fingerprint
    if content is None or names is None:
        return False
    # Not after a restart without the table, nor if a listing during a change lacked some. Invalid
    # snapshots are not all in the table.
    return status.table.confirmed + content.invalid_count >= names[0]


def _reads(*statuses: RepositoryStatus) -> str:
    """Return what changes if a read has found other snapshots, or future ones are due."""
    return " ".join(
        f"{status.fingerprint} {status.content and status.content.future_count}"
        for status in statuses
    )
