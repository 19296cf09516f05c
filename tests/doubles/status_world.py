"""A fleet for the status page, with all that can be the matter with backups."""

from array import array
from collections import deque
from collections.abc import Iterator
from datetime import date
from random import Random
from typing import Any

from attrs import evolve, frozen
from twisted.web.resource import IResource

from restic_reporter.collection.state import (
    CollectionState,
    JobStatus,
    Locks,
    Measured,
    PastRead,
    RepositoryStatus,
    Task,
    Underway,
)
from restic_reporter.concurrency.cooperative import at_once
from restic_reporter.model.access import KeyFacts
from restic_reporter.model.columns import Shape
from restic_reporter.model.errors import Reason
from restic_reporter.model.freshness import Freshness, Limit, SetName
from restic_reporter.model.repository import Repository
from restic_reporter.model.results import Result
from restic_reporter.model.snapshot_table import SnapshotTable
from restic_reporter.model.snapshots import (
    BackupDays,
    BackupSet,
    Latest,
    Lock,
    Meter,
    Snapshot,
    Summary,
)
from restic_reporter.model.upkeep import Size
from restic_reporter.redaction.secret import Secret
from restic_reporter.schedule.cron import parse_cron
from restic_reporter.status_page.pages import StatusPages
from restic_reporter.status_page.resources import status_resources
from tests.doubles.repositories import name

HOUR, DAY = 3600.0, 86400.0

# Text that breaks a page which does not escape it, or lets it set the direction of the rest.
HOSTILE = "<script>alert(1)</script>\"'&amp;\u202e\u2067evil\u0660"


@frozen
class Reader:
    """A reader that is never asked."""

    name: str = "native"
    incremental: bool = True


READER: Any = Reader()


def _snapshots(
    random: Random, host: str, now: float, newest: float, size: float, missing: int
) -> Iterator[Snapshot]:
    skipped = set(random.sample(range(1, 30), missing))
    for day in range(40):
        if day not in skipped:
            grown = size * (1 - day / 400) * random.uniform(0.99, 1.01)
            if host == "mail-01" and not day:
                grown *= 0.07  # a disk was not mounted
            yield Snapshot(
                name(random.getrandbits(256)),
                now - newest - day * DAY + random.uniform(0, 300),
                host,
                "postgres" if host.startswith("db") else "root",
                "/etc,/srv",
                "daily",
                "restic 0.18.1",
                Summary(size / 9e7 * random.uniform(0.8, 1.2), int(grown), int(grown / 90)),
            )


def _locks(now: float) -> tuple[Lock, ...]:
    return (
        Lock(now - 5 * HOUR, "web-01", "root", 4711, exclusive=True),
        Lock(now - 240, "db-main-01", "postgres", 1234567),
    )


def _status(
    url: str, freshness: Freshness, snapshots: list[Snapshot], now: float
) -> RepositoryStatus:
    table = SnapshotTable(Shape(("paths",)))
    table.add(snapshots, ())
    scheme = url.partition(":")[0]
    entry = Repository(
        1, url, scheme, Secret(url), Secret("sesame"), group_by=("paths",), freshness=freshness
    )
    content = at_once(table.content(now, ()))
    status = RepositoryStatus(
        Task(entry, scheme if scheme in ("rest", "b2") else "local", None, READER, 300.0),
        content=content,
        table=table,
        success=True,
        last_success=now - 300,
        duration=1.4,
        unread=False,
        meter=Meter({"list": 24, "load": 310}, {"list": 190_000, "load": 2_400_000}),
        keys=KeyFacts(2, now - 400 * DAY, "2"),
        locks=Locks(2, (2, "2"), (now - 5 * HOUR, now - 240), _locks(now)),
    )
    status.reads.extend(
        PastRead(now - 300 - number * HOUR, 1.2 + number / 10, len(table))
        for number in range(11, -1, -1)
    )
    return status


def small_fleet(now: float, odd: str = HOSTILE) -> CollectionState:
    """Some repositories: most sets are fine, and one has an ``odd`` name."""
    random = Random(1)
    nightly = Limit(schedule=parse_cron("0 2 * * *"), grace=6 * HOUR)
    daily = Limit(max_age=1.25 * DAY)
    hosts = {
        "rest:https://backup.example.org/servers": (
            Freshness(daily, {SetName("mail-02"): None}, frozenset([SetName("web-00")])),
            [*(f"web-{n:02}" for n in range(9)), "mail-01", "proxy-01", "proxy-02"],
        ),
        "rest:https://backup.example.org/databases": (
            Freshness(nightly),
            ["db-main-01", "db-main-02", "db-archive", "db-billing"],
        ),
        "b2:offsite-backups:office": (
            Freshness(daily, {SetName("laptop-eva"): Limit(max_age=7 * DAY)}),
            ["files", "laptop-eva", "laptop-tom", "laptop-ina", "printserver"],
        ),
        "/srv/restic/lab": (Freshness(), ["build-01", "build-02", odd]),
        "rest:https://nas.example.org:8000/photos": (Freshness(daily), ["studio", "archive"]),
    }
    statuses = {}
    for url, (freshness, names) in hosts.items():
        snapshots: list[Snapshot] = []
        for host in names:
            newest = random.uniform(2, 20) * HOUR
            if url.endswith("databases"):
                # The schedule is due at two o'clock.
                newest = now % DAY - 2.1 * HOUR - random.uniform(0, 300)
            newest += {"web-07": 3.2, "db-archive": 2, "web-00": 120}.get(host, 0) * DAY
            missing = {"db-billing": 4, "laptop-tom": 12}.get(host, random.choice([0, 0, 0, 1]))
            snapshots += _snapshots(
                random, host, now, newest, random.lognormvariate(24, 2), missing
            )
        statuses[url] = _status(url, freshness, snapshots, now)
    broken = statuses["rest:https://nas.example.org:8000/photos"]
    message = "connection to nas.example.org:8000 refused; is the server running?"
    broken.success, broken.failures = False, {Reason.NETWORK: 3}
    broken.reads = deque(list(broken.reads)[:-3], maxlen=20)
    broken.reads.extend(
        PastRead(now - 300 - number * HOUR, 0.2, len(broken.table), Reason.NETWORK, message)
        for number in (2, 1, 0)
    )
    broken.last_success = now - 300 - 3 * HOUR
    statuses["rest:https://backup.example.org/servers"].size = Measured(
        Size(3_400_000_000_000, 210_000), now - 2 * DAY
    )
    return CollectionState(
        statuses,
        JobStatus(False, 0, now - 298, 4.2, 1),
        results=_results(now, odd),
        checks=Underway(dict.fromkeys(statuses, parse_cron("0 3 1 * *"))),
    )


def _results(now: float, odd: str) -> dict[str, dict[str, Result]]:
    """Jobs of some repositories; one has failed with an ``odd`` message."""
    return {
        url: {one.kind: one for one in some}
        for url, some in {
            "rest:https://backup.example.org/servers": (
                Result("check", now - 2 * DAY, 0),
                Result("restore", now - 12 * DAY, 0),
                Result("prune", now - 3 * DAY, 0),
            ),
            "b2:offsite-backups:office": (
                Result("check", now - 5 * HOUR, 1, f"pack 8047a9f5: wrong hash {odd}"),
                Result("copy", now - 4 * HOUR, 0),
            ),
            "/srv/restic/lab": (Result("backup", now - 3 * HOUR, 3),),
        }.items()
    }


def large_fleet(now: float, repositories: int = 100, sets: int = 100) -> CollectionState:
    """Many sets without their snapshots."""
    random = Random(2)
    nightly = Freshness(Limit(schedule=parse_cron("0 2 * * *")))
    statuses = {}
    for place in range(repositories):
        url = f"rest:https://backup-{place:03}.example.org/servers"
        status = _status(url, nightly, [], now)
        assert status.content is not None
        some = tuple(
            _plain_set(f"host-{place:03}-{number:04}", now - random.uniform(1, 40) * HOUR, number)
            for number in range(sets)
        )
        status.content = evolve(status.content, sets=some, snapshot_count=30 * sets)
        statuses[url] = status
    return CollectionState(statuses, JobStatus(False, 0, now - 60, 30.0))


def _plain_set(host: str, newest: float, number: int) -> BackupSet:
    times = array("I", (int(newest - day * DAY) for day in range(29, -1, -1)))
    summary = Summary(12.5 + number, number * 10**9, 10**7)
    return BackupSet(
        host,
        "root",
        30,
        newest,
        times[0],
        Latest(name(number), "daily", "restic 0.18.1", summary),
        BackupDays(date.fromtimestamp(newest).toordinal(), 2**30 - 1),
        times,
    )


def resources(reactor: Any, state: CollectionState, now: float) -> dict[bytes, IResource]:
    """The pages of this state at one moment."""
    pages = StatusPages(reactor, state, lambda: now, lambda: now + 3000, "0.2.0")
    for status in state.statuses.values():
        # As after its read.
        pages.prepare(status)
    return status_resources(reactor, pages)
