"""A fleet with copies for the status page, with all that can be the matter with these."""

from collections.abc import Mapping
from math import inf

from attrs import evolve

from restic_reporter.collection.state import CollectionState, CopyStatus
from restic_reporter.model.copies import SetCopy
from tests.doubles.status_world import DAY, HOSTILE, HOUR, large_fleet, small_fleet

SERVERS = "rest:https://backup.example.org/servers"
DATABASES = "rest:https://backup.example.org/databases"
LAB = "/srv/restic/lab"
OFFSITE, VAULT = "b2:offsite-backups:servers", "sftp:vault.example.net:/srv/servers"
ARCHIVE = "s3:s3.example.com/archive/databases"

COMPLETE = SetCopy(0.0, 0)


def add_copies(state: CollectionState, url: str, **copies: Mapping[str, SetCopy | None]) -> None:
    """Give a repository copies by label; each has all but what its map says, by host."""
    status = state.statuses[url]
    assert status.content is not None
    compared = {}
    for label, odd in copies.items():
        sets = {
            (one.host, one.user): found
            for one in status.content.sets
            if (found := odd.get(one.host, COMPLETE)) is not None
        }
        compared[label] = CopyStatus("", sets)
    repository = evolve(status.task.repository, copies=tuple(copies))
    status.task = evolve(status.task, repository=repository)
    status.copies = compared


def copied_fleet(now: float, odd: str = HOSTILE) -> CollectionState:
    """A small fleet, some of whose repositories have copies: two, one, and one that is not read."""
    state = small_fleet(now, odd)
    offsite = {
        "proxy-02": SetCopy(inf, 30, now - 40 * DAY),
        "web-03": SetCopy(3.1 * DAY, 3, now - 2.9 * DAY),
        "web-05": SetCopy(0.0, 2),
    }
    behind = {f"web-{n:02}": SetCopy(DAY, 1, now - 5 * HOUR) for n in range(9)}
    add_copies(state, SERVERS, **{OFFSITE: offsite, VAULT: behind})
    add_copies(state, DATABASES, **{ARCHIVE: {"db-billing": None}})
    add_copies(state, LAB, **{"/mnt/usb/lab": {odd: SetCopy(30 * DAY, 20, now - 29 * DAY)}})
    for label in (OFFSITE, VAULT, ARCHIVE, "/mnt/usb/lab"):
        copy = small_fleet(now, odd).statuses[LAB]
        copy.task = evolve(copy.task, repository=evolve(copy.task.repository, url=label))
        state.statuses[label] = copy
    state.statuses["/mnt/usb/lab"].success = False
    return state


def large_copied_fleet(now: float, repositories: int = 100, sets: int = 100) -> CollectionState:
    """Many sets, each with two copies."""
    state = large_fleet(now, repositories, sets)
    for url in list(state.statuses):
        add_copies(state, url, **{f"b2:one:{url[-30:]}": {}, f"b2:two:{url[-30:]}": {}})
    return state
