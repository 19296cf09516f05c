"""Checks and sizes of a repository as facts on its page. Pure."""

from ..collection.state import RepositoryStatus, Underway
from ..schedule.cron import next_due
from . import units
from .elements import ago
from .markup import Node


def upkeep_facts(status: RepositoryStatus, checks: Underway, now: float) -> dict[str, Node]:
    """Return facts about the next check, or the one that runs, and about the size."""
    facts: dict[str, Node] = {}
    url = status.task.repository.url
    if checks.label == url:
        facts["Check"] = ["running, began ", ago(checks.began, now)]
    elif url in checks.waiting:
        facts["Check"] = "due, waits for others"
    elif url in checks.schedules:
        facts["Next check"] = ago(next_due(checks.schedules[url], now), now)
    if status.size is not None:
        size = status.size.size
        packs = units.count(size.packs, "pack")
        facts["Size"] = [f"{units.size(size.bytes)} in {packs}, ", ago(status.size.time, now)]
    return facts
