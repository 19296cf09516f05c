"""Repositories that real restics change while the real collector reads them again and again."""

import json
import random
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from time import monotonic
from typing import Any

from attrs import Factory, define, frozen
from twisted.internet import reactor as default_reactor
from twisted.internet.threads import deferToThread

from restic_reporter.collection.collector import Collector
from restic_reporter.collection.state import RepositoryStatus, Task
from restic_reporter.interfaces import BackendTools, ISnapshotReader
from restic_reporter.model.errors import Reason
from restic_reporter.model.snapshots import Content
from tests.doubles.churn_storages import Change, LocalStorage

reactor: Any = default_reactor

# The moment of all collections, in Unix seconds: no snapshot is from the future.
NOW = datetime.fromisoformat("2027-01-01T00:00:00Z").timestamp()

# A change can be seen by others a little before the kernel tells of it, in seconds.
_SLACK = 0.02

# A daemon that has just started has to read all that another knows already.
_READS_OF_ONE_DAEMON = 4

_PROGRAMS = ("restic-0.14", "restic-0.18", "restic-0.19")
_REWRITERS = _PROGRAMS[1:]
_HOSTS = ("web-1", "web-2", "db-1", "nas-1", "new-1")
_EXCLUDED = ("changed-daily.txt", "always-the-same.txt")

Name = tuple[str, str]  # host, user

# Count, newest and oldest, in Unix seconds.
Figures = tuple[int, float | None, float | None]

State = tuple[int, dict[Name, Figures]]

# How a value can be wrong.
KINDS = ("count", "set count", "newest", "oldest", "host vanished", "mixed", "kept", "reason")


@define
class Operations:
    """
    Changes of a storage by restic, in a random order.

    ``found`` are all snapshots that restic has listed between any two of them: host and user,
    and the time in Unix seconds.
    """

    storage: LocalStorage
    random: random.Random
    done: Counter[str] = Factory(Counter)
    found: dict[str, tuple[Name, float]] = Factory(dict)
    current: list[str] = Factory(list)
    _excluded: int = 0

    def __attrs_post_init__(self) -> None:
        (self.storage.folder.path / "data").mkdir()
        self.look()

    def look(self) -> None:
        """Note what is there now."""
        listed = json.loads(self.storage.restic("snapshots", "--json", "--no-lock"))
        self.current = [one["id"] for one in listed]
        for one in listed:
            moment = datetime.fromisoformat(one["time"]).timestamp()
            self.found[one["id"]] = (one["hostname"], one["username"]), moment

    def run(self, count: int, until: float = float("inf")) -> None:
        """So many changes, each six of them of all kinds; none begins after ``until``."""
        kinds: list[Callable[[], None]] = []
        for _ in range(count):
            if monotonic() >= until:
                return
            if not kinds:
                kinds = [self.back_up, self.tag, self.rewrite, self.move, self.forget, self.prune]
                self.random.shuffle(kinds)
            kind = kinds.pop()
            kind()
            self.done[kind.__name__] += 1
            self.look()

    def _restic(self, *arguments: str, programs: Sequence[str] = _PROGRAMS) -> None:
        self.storage.restic(*arguments, program=self.random.choice(programs))

    def back_up(self) -> None:
        """Some new snapshots."""
        for _ in range(3):
            number = self.random.randrange(10**6)
            for name in _EXCLUDED:
                (self.storage.folder.path / "data" / name).write_text(f"{name} {number}")
            moment = f"2026-12-{self.random.randint(1, 28):02} 12:00:00"
            options = ("--host", self.random.choice(_HOSTS), "--time", moment)
            self._restic("backup", *options, str(self.storage.folder.path / "data"))

    def tag(self) -> None:
        """Every snapshot is replaced."""
        way = self.random.choice(("--set", "--add"))
        self._restic("tag", way, f"t{self.random.randrange(10**6)}")

    def rewrite(self) -> None:
        """Every snapshot with a certain file is replaced."""
        self._excluded += 1
        exclude = _EXCLUDED[self._excluded % len(_EXCLUDED)]
        self._restic("rewrite", "--forget", "--exclude", exclude, programs=_REWRITERS)

    def move(self) -> None:
        """The snapshots of one host become another's."""
        hosts = sorted({self.found[one][0][0] for one in self.current})
        options = ("--host", self.random.choice(hosts), "--new-host", self.random.choice(_HOSTS))
        self._restic("rewrite", "--forget", *options, programs=_REWRITERS)

    def forget(self) -> None:
        """A few snapshots go."""
        self._restic("forget", *self.random.sample(self.current, 4))

    def prune(self) -> None:
        """What nobody needs goes."""
        self._restic("prune")


@frozen
class Page:
    """What was shown after a read, which lasted from ``start`` to ``end``."""

    start: float
    end: float
    success: bool
    reasons: tuple[Reason, ...]
    content: Content | None
    before: Content | None


@frozen
class Verdict:
    """
    How pages compare with what was true.

    ``busy`` are reads during which the repository changed; ``wrong`` counts the pages with a
    value that was never true, by kind, and ``examples`` tell of some.
    """

    reads: int
    busy: int
    changes: int
    wrong: Counter[str]
    failed: Counter[str]
    examples: list[str]


async def churn(
    storage: LocalStorage,
    reader: ISnapshotReader,
    tools: BackendTools,
    operations: Operations,
    count: int,
    until: float = float("inf"),
) -> Verdict:
    """Read ``storage`` while so many operations change it."""
    before = frozenset(operations.current)
    entry = storage.entry()
    task = Task(entry, entry.scheme, storage.backend(tools), reader, 60.0)
    pages: list[Page] = []
    status: RepositoryStatus | None = None
    work = deferToThread(operations.run, count, until)
    try:
        while True:
            last = work.called
            if len(pages) % _READS_OF_ONE_DAEMON == 0 or status is None:
                collector = Collector(reactor, lambda: NOW, 1)
                collector.set_tasks({entry.url: task})
                shown = None
            start = monotonic()
            await collector.collect()
            [status] = collector.state.statuses.values()
            reasons = tuple(status.failures)
            pages.append(
                Page(start, monotonic(), status.success is True, reasons, status.content, shown)
            )
            shown = status.content
            status.failures.clear()
            if last:
                break
    finally:
        await work
    return judge(pages, storage.changes(), before, operations.found)


def judge(
    pages: Collection[Page],
    changes: Sequence[Change],
    before: frozenset[str],
    found: dict[str, tuple[Name, float]],
) -> Verdict:
    """Compare ``pages`` with the states that ``changes`` led to, from that of ``before``."""
    states = list(_states(changes, before, found))
    begins = [0.0, *(change.earliest - _SLACK for change in changes)]
    ends = [*(change.latest + _SLACK for change in changes), float("inf")]
    wrong: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    examples, busy = [], 0
    for page in pages:
        first, last = bisect_left(ends, page.start), bisect_right(begins, page.end)
        busy += any(
            page.start <= one.latest and one.earliest <= page.end for one in changes[first:last]
        )
        if page.success and page.content is not None:
            kinds = _wrong(page.content, states[first:last])
        else:
            failed.update(reason.name.lower() for reason in page.reasons)
            kinds = ["reason"] if page.reasons != (Reason.PARTIAL,) else []
            kinds += ["kept"] if page.content is not page.before else []
        wrong.update(kinds)
        if kinds:
            truth = f"{states[first]} to {states[last - 1]}"
            examples.append(f"{kinds}: {page}\n  states {first} to {last - 1}: {truth}")
    return Verdict(len(pages), busy, len(changes), wrong, failed, examples)


def _states(
    changes: Sequence[Change], before: frozenset[str], found: dict[str, tuple[Name, float]]
) -> list[State]:
    """What was true at first, and after each of the changes."""
    times: dict[Name, list[float]] = {}
    names: set[str] = set()
    states: list[State] = []
    sets: dict[Name, Figures] = {}

    def apply(snapshot: str, there: bool) -> None:
        assert there != (snapshot in names), "the history is not whole"
        names.symmetric_difference_update({snapshot})
        one, moment = found[snapshot]
        own = times.setdefault(one, [])
        insort(own, moment) if there else own.remove(moment)
        if own:
            sets[one] = len(own), own[-1], own[0]
        else:
            del sets[one]

    for snapshot in before:
        apply(snapshot, True)
    states.append((len(names), dict(sets)))
    for change in changes:
        apply(change.name, change.there)
        states.append((len(names), dict(sets)))
    return states


def _wrong(content: Content, states: Sequence[State]) -> list[str]:
    """The kinds of values in ``content`` that were true in none of the ``states``."""
    shown = {
        (one.host, one.user): (one.snapshot_count, one.newest, one.oldest) for one in content.sets
    }
    if (content.snapshot_count, shown) in states:
        return []
    kinds = set()
    if content.snapshot_count not in {total for total, _ in states}:
        kinds.add("count")
    for one, figures in shown.items():
        true = [sets[one] for _, sets in states if one in sets]
        for place, kind in enumerate(("set count", "newest", "oldest")):
            if figures[place] not in {some[place] for some in true}:
                kinds.add(kind)
    always = set.intersection(*(set(sets) for _, sets in states))
    if always - set(shown):
        kinds.add("host vanished")
    return sorted(kinds) or ["mixed"]
