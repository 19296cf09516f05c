"""Repositories in memory of which some are copies of others."""

from attrs import evolve

from restic_reporter.collection.state import RepositoryStatus
from restic_reporter.model.copies import SetCopy
from restic_reporter.model.snapshots import Snapshot
from tests.doubles.repositories import NOW, World, name, snapshot

HOUR, DAY = 3600.0, 86400.0

# The set of all snapshots here, unless they say otherwise.
SET = ("h", "u")


def backup(number: int, days: float, host: str = "h") -> Snapshot:
    """A backup of this age in days."""
    return snapshot(number, NOW - days * DAY, host)


def copy_of(one: Snapshot, number: int) -> Snapshot:
    """What ``restic copy`` makes of a snapshot: another id, which names the first."""
    return evolve(one, id=name(number), original=one.original or one.id)


def change(world: World, *copies: str, identified: bool = True) -> None:
    """Give the entry of ``world`` these copies."""
    repository = evolve(world.task.repository, copies=copies, identified=identified)
    world.task = evolve(world.task, repository=repository)


def copied_worlds(source: World, *copies: World) -> list[World]:
    """Let the others be copies of ``source``."""
    change(source, *(one.task.repository.url for one in copies))
    for one in copies:
        change(one)
    return [source, *copies]


def found(status: RepositoryStatus, copy: str = "/1", set: tuple[str, str] = SET) -> SetCopy | None:
    """How much a copy has of a set, as far as known."""
    compared = status.copies.get(copy)
    return compared.sets.get(set) if compared is not None else None
