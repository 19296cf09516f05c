"""The kinds of sources for the benchmark of anomalies."""

from collections.abc import Callable, Iterator, Sequence

from attrs import evolve, frozen

from benchmarks import anomaly_machines as machines
from benchmarks import anomaly_people as people
from benchmarks.anomaly_worlds import (
    Backup,
    Life,
    Moment,
    Random,
    daily,
    hourly,
    moments,
    now_and_then,
    six_hourly,
    weekly,
)
from restic_reporter.model.anomalies import files
from restic_reporter.model.snapshots import Summary

Times = Callable[[Random], list[float]]


@frozen
class Kind:
    """
    A kind of source.

    ``data`` is the part of its files and bytes that a fault strikes: a disk, or what users wrote.
    ``lists`` is how many lists of paths it has, each with a life of its own; 0 for a new one in
    each backup.
    """

    name: str
    life: Life
    times: Sequence[Times]
    data: tuple[float, float] = (1.0, 1.0)
    share: float = 1.0
    lists: int = 1
    goal: bool = True


def _part(chance: Random, life: Sequence[Moment]) -> Iterator[Summary]:
    parts: list[Life] = [people.settings, people.office, machines.dumps, machines.logs]
    return chance.choice(parts)(chance, life)


_NIGHTLY = (daily, daily, daily, six_hourly, hourly)
_SLOW = (daily, daily, weekly)

KINDS = (
    Kind("laptop", people.computer, (now_and_then,), share=3),
    Kind("server", machines.server, _NIGHTLY, (0.2, 0.7), share=3),
    Kind("server without data", machines.bare_system, _NIGHTLY, (0.1, 0.1)),
    Kind("office file server", people.office, _NIGHTLY, share=2),
    Kind("dumps, replaced", machines.dumps, _NIGHTLY, share=2),
    Kind("dumps, dated", machines.dated_dumps, (daily,), share=1),
    Kind("mail server", people.mail, _NIGHTLY),
    Kind("photo archive", people.photos, _SLOW, share=2),
    Kind("virtual machines", machines.virtual, _SLOW),
    Kind("log host", machines.logs, _NIGHTLY),
    Kind("settings", people.settings, _SLOW),
    Kind("container host", machines.containers, (daily,)),
    Kind("git server", people.git, (daily, hourly), share=0.5),
    Kind("website", people.website, (daily, six_hourly)),
    Kind("search index", machines.index, (daily,), share=0.5),
    Kind("media that come and go", people.downloads, _SLOW, share=0.5),
    Kind("growing", people.growing, (daily,)),
    Kind("shrinking", people.shrinking, (daily,), share=0.5),
    Kind("several lists of paths", _part, (daily, six_hourly), share=2, lists=3),
    Kind("another path each time", people.computer, (daily,), share=0.5, lists=0),
    Kind("build server", machines.builds, (daily, hourly), share=0.2, goal=False),
    Kind("replaced now and then", machines.copied, (daily,), share=0.2, goal=False),
    Kind("full and small dumps by turns", machines.mixed, (daily,), share=0.2, goal=False),
)


def backups(kind: Kind, chance: Random) -> list[Backup]:
    """The backups of one set of a kind."""
    times = chance.choice(kind.times)(chance)
    life = moments(times)
    if kind.lists == 0:
        # restic finds no snapshot before it with these paths, so all files are new.
        return [
            Backup(now.when, _all_new(summary), place)
            for place, (now, summary) in enumerate(zip(life, kind.life(chance, life), strict=True))
        ]
    found = [
        Backup(now.when + 300 * part, summary, part)
        for part in range(kind.lists)
        for now, summary in zip(life, kind.life(chance, life), strict=True)
    ]
    return sorted(found, key=lambda one: one.when)


def _all_new(summary: Summary) -> Summary:
    return evolve(summary, new_files=files(summary), changed_files=0, unmodified_files=0)
